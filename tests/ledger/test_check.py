"""The ledger notices where a promise is no longer kept, and says what to do."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from ledger.ledger import Ledger
from tests.ledger.events import touchpoints


@pytest.fixture
def tamper(url: str) -> Callable[[str], None]:
    """Executes statements on the store behind the ledger's back, its triggers out of the way."""

    def execute(statements: str) -> None:
        if url.startswith("sqlite"):
            connection = sqlite3.connect(url.removeprefix("sqlite:///"))
            triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            connection.executescript(statements)
            for _, statement in triggers:
                connection.execute(statement)
            connection.close()
        else:
            with psycopg.connect(url) as server:
                server.execute("SET search_path = ledger; SET session_replication_role = replica")
                server.execute(statements.encode())

    return execute


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    ledger.append(touchpoints(50))
    return ledger


def position_column(url: str) -> str:
    return "rowid" if url.startswith("sqlite") else "notification_id"


def test_nothing_is_wrong_with_a_ledger_new_or_used(ledger: Ledger) -> None:
    assert ledger.check() == []
    ledger.append(touchpoints(50))
    assert ledger.check() == []


def test_missing_events_are_named(filled: Ledger, url: str, tamper: Callable[[str], None]) -> None:
    tamper(f"DELETE FROM stored_events WHERE {position_column(url)} IN (1, 20, 21, 22)")
    gap, uneven = filled.check()
    assert "lacks 4 events, from position 1, 20" in gap.what
    assert "restore a backup" in gap.do
    assert "customer/1" in uneven.what


def test_a_missing_end_is_noticed(filled: Ledger, url: str, tamper: Callable[[str], None]) -> None:
    tamper(f"DELETE FROM stored_events WHERE {position_column(url)} > 47")
    (problem,) = filled.check()
    assert "says 50 events, the last one is 47" in problem.what


def test_versions_out_of_step_are_named(filled: Ledger, tamper: Callable[[str], None]) -> None:
    tamper("UPDATE stored_events SET originator_version = 40 WHERE originator_id = 'customer/3' AND originator_version = 2")
    (problem,) = filled.check()
    assert "for customer/3" in problem.what


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # PostgreSQL has a constraint
def test_a_version_that_is_there_twice_is_noticed(filled: Ledger, tamper: Callable[[str], None]) -> None:
    tamper("UPDATE stored_events SET originator_version = 1 WHERE originator_id = 'customer/3' AND originator_version = 2")
    (problem,) = filled.check()
    assert "for customer/3" in problem.what


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_trigger_dropped_or_weakened_is_named_on_sqlite(filled: Ledger, url: str) -> None:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.execute("DROP TRIGGER stored_events_no_delete")
    connection.execute("DROP TRIGGER stored_events_no_update")
    connection.execute("CREATE TRIGGER stored_events_no_update BEFORE UPDATE ON stored_events BEGIN SELECT 1; END")
    connection.close()
    (problem,) = filled.check()
    assert "stored_events_no_delete, stored_events_no_update missing, off or altered" in problem.what


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_a_trigger_dropped_or_switched_off_is_named_on_postgres(filled: Ledger, url: str) -> None:
    with psycopg.connect(url) as server:
        server.execute("DROP TRIGGER stored_events_no_change ON ledger.stored_events")
        server.execute("ALTER TABLE ledger.ledger_head DISABLE TRIGGER ledger_head_only_grows")
    (problem,) = filled.check()
    assert "ledger_head_only_grows, stored_events_no_change missing, off or altered" in problem.what


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_damaged_page_is_noticed(filled: Ledger, url: str, open_ledger: Callable[[], Ledger]) -> None:
    filled.append(touchpoints(2_000, start=1_000))
    filled.close()
    path = Path(url.removeprefix("sqlite:///"))
    pages = bytearray(path.read_bytes())
    pages[4096 * 40 : 4096 * 41] = bytes(4096)
    path.write_bytes(pages)
    assert any("damaged" in problem.what for problem in open_ledger().check())
