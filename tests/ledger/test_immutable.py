"""Promise 4: the database itself refuses to change history."""

import sqlite3
from collections.abc import Callable, Iterator

import psycopg
import pytest

from ledger.ledger import Ledger
from tests.ledger.events import everything, touchpoints

ON_BOTH = [
    "UPDATE stored_events SET state = state",
    "UPDATE stored_events SET topic = 'x' WHERE originator_version = 1",
    "DELETE FROM stored_events",
    "DELETE FROM stored_events WHERE originator_id = 'customer/1'",
    "UPDATE ledger_head SET position = position - 1",
    "UPDATE ledger_head SET position = 0, recorded_us = 0",
    "UPDATE ledger_head SET recorded_us = 0",
    "DELETE FROM ledger_head",
    "UPDATE ledger_head SET origin = 'another'",
    "UPDATE ledger_head SET root = frontier",
    "UPDATE ledger_head SET frontier = root",
    "UPDATE ledger_head SET position = position + 1",
    "UPDATE checkpoints SET size = size + 1",
    "DELETE FROM checkpoints",
]
NEW = "'customer/1', 99, 't', 0, x'00', x'7b7d'"
COLUMNS = "rowid, originator_id, originator_version, topic, recorded_us, identity, state"
ON_SQLITE = [
    *ON_BOTH,
    f"INSERT INTO stored_events ({COLUMNS}) VALUES (100, {NEW})",  # leaves a gap
    f"INSERT INTO stored_events ({COLUMNS}) VALUES (11, {NEW})",  # next, but not by the ledger
    f"INSERT OR REPLACE INTO stored_events ({COLUMNS}) VALUES (3, {NEW})",
    "REPLACE INTO stored_events SELECT 11, originator_id, originator_version, topic, 0, x'00', x'' FROM stored_events WHERE rowid = 3",
    "REPLACE INTO stored_events SELECT 11, originator_id, 99, topic, 0, identity, x'' FROM stored_events WHERE rowid = 3",
    "REPLACE INTO stored_events SELECT * FROM stored_events",
    f"INSERT OR IGNORE INTO stored_events ({COLUMNS}) VALUES (NULL, {NEW})",
    "INSERT INTO stored_events SELECT * FROM stored_events WHERE true ON CONFLICT DO UPDATE SET state = x''",
    "INSERT OR REPLACE INTO ledger_head VALUES (1, 0, 0, 0, '', x'0000000000000000', x'')",
    "INSERT INTO ledger_head VALUES (2, 0, 0, 0, '', x'0000000000000000', x'')",
    "UPDATE ledger_head SET one = 2",
    "INSERT OR REPLACE INTO checkpoints VALUES (1, 9, 9, x'00')",
    "INSERT INTO checkpoints VALUES (3, 9, 9, x'00')",
]
OLD = "FROM stored_events WHERE rowid = 3"  # customer/3, version 1
NOT_TO_GROW_BY = {  # what may stand at positions that somebody reserved, and the log still does not grow by it
    "an old version": f"REPLACE INTO stored_events SELECT 11, originator_id, 1, topic, 0, x'00', x'' {OLD}",
    "a later version": f"REPLACE INTO stored_events SELECT 11, originator_id, 9, topic, 0, x'00', x'' {OLD}",
    "an old identity": f"REPLACE INTO stored_events SELECT 11, 'customer/new', 1, topic, 0, identity, x'' {OLD}",
    "nothing": "DELETE FROM stored_events WHERE false",
    "two, one reserved": "INSERT INTO stored_events VALUES (11, 'customer/new', 1, 't', 0, x'00', x''), (12, 'b', 1, 't', 0, x'01', x'')",
}
NOT_TO_GROW_BY_TWO = {
    "one": "INSERT INTO stored_events VALUES (11, 'customer/new', 1, 't', 0, x'00', x'')",
    "a gap": "INSERT INTO stored_events VALUES (12, 'customer/new', 1, 't', 0, x'00', x'')",
    "one version twice": "INSERT INTO stored_events VALUES (11, 'b', 1, 't', 0, x'00', x''), (12, 'b', 1, 't', 0, x'01', x'')",
    "one identity twice": "INSERT INTO stored_events VALUES (11, 'b', 1, 't', 0, x'00', x''), (12, 'c', 1, 't', 0, x'00', x'')",
    "versions the wrong way round": "INSERT INTO stored_events VALUES (11, 'b', 2, 't', 0, x'00', x''), (12, 'b', 1, 't', 0, x'01', x'')",
}
NEW_ON_POSTGRES = r"'customer/1', 99, 't', '\x7b7d', {}, 0, '\x00'"
ON_POSTGRES = [
    *ON_BOTH,
    "TRUNCATE stored_events",
    "TRUNCATE ledger_head",
    "TRUNCATE checkpoints",
    "INSERT INTO stored_events VALUES (" + NEW_ON_POSTGRES.format(100) + ")",
    "INSERT INTO stored_events VALUES (" + NEW_ON_POSTGRES.format(11) + ")",
    "INSERT INTO stored_events SELECT * FROM stored_events ON CONFLICT (notification_id) DO UPDATE SET state = ''",
]


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    ledger.append(touchpoints(10))
    ledger.keep_checkpoint(10, b"a signed note")
    return ledger


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", ON_SQLITE)
def test_sqlite_refuses_to_change_history(filled: Ledger, url: str, statement: str) -> None:
    before = everything(filled)
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    with pytest.raises(sqlite3.IntegrityError, match=r"immutable: |CHECK"), connection:
        connection.execute(statement)
    connection.close()
    assert everything(filled) == before
    assert filled.head().position == 10


@pytest.fixture
def past(filled: Ledger, url: str) -> Iterator[sqlite3.Connection]:
    """Who writes past the ledger; nothing of it is there afterwards."""
    before = everything(filled)
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    yield connection
    connection.close()
    assert everything(filled) == before


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_sqlite_refuses_to_replace_an_event_even_behind_a_reservation(past: sqlite3.Connection) -> None:
    for position in (3, 10):
        past.execute("BEGIN")
        past.execute("UPDATE ledger_head SET reserved = 11")
        with pytest.raises(sqlite3.IntegrityError, match="immutable: "):
            past.execute(f"INSERT OR REPLACE INTO stored_events ({COLUMNS}) VALUES ({position}, {NEW})")
        assert not past.in_transaction


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("end", "statement"), [*((11, one) for one in NOT_TO_GROW_BY.values()), *((12, one) for one in NOT_TO_GROW_BY_TWO.values())]
)
def test_sqlites_log_grows_by_whole_appends_of_new_identities_at_the_next_versions(
    past: sqlite3.Connection, end: int, statement: str
) -> None:
    moves = f"UPDATE ledger_head SET position = {end}, frontier = x'{end:016X}'"
    with pytest.raises(sqlite3.IntegrityError, match="immutable: "):
        past.executescript(f"BEGIN; UPDATE ledger_head SET reserved = {end}; {statement}; {moves}")
    assert not past.in_transaction


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_sqlites_head_moves_only_over_what_was_reserved_before_and_one_reservation_is_made_at_a_time(past: sqlite3.Connection) -> None:
    for statements in (
        "UPDATE ledger_head SET position = 11, reserved = 11, frontier = x'000000000000000B'",
        "UPDATE ledger_head SET reserved = 11; UPDATE ledger_head SET reserved = 12",
        "UPDATE ledger_head SET reserved = 9",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="immutable: "):
            past.executescript(f"BEGIN; {statements}")
        if past.in_transaction:
            past.execute("ROLLBACK")


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_postgres_refuses_to_change_history(filled: Ledger, url: str) -> None:
    before = everything(filled)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET search_path = ledger")
        for statement in ON_POSTGRES:
            with pytest.raises(psycopg.errors.RaiseException, match="immutable: "):
                connection.execute(statement.encode())
    assert everything(filled) == before
    assert filled.head().position == 10


def test_a_ledger_goes_on_after_an_attempt(filled: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    filled.append(touchpoints(5, start=100))
    assert len(everything(open_ledger())) == 15
