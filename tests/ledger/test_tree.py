"""The Merkle tree grows in the append's own commit, by the very leaf that proofs are made of; older ledgers are given one."""

import sqlite3
from collections.abc import Callable

import psycopg
import pytest

from ledger import postgres_schema, sqlite_schema
from ledger.interface import Delivered
from ledger.ledger import Ledger
from ledger.proof.errors import MalformedError
from ledger.proof.leaf import encode_leaf
from ledger.proof.merkle import EMPTY_ROOT, Frontier, leaf_hash
from schemas.errors import OvertakenError, StoreOlderError
from tests.ledger.events import Clock, everything, letter, touchpoint, touchpoints
from tests.ledger.proof.logs import naive_root


def assert_proven(ledger_: Ledger) -> None:
    """The stored tree is that of the stored events, computed as the RFC writes it down."""
    hashes = [leaf_hash(encode_leaf(stored)) for stored in everything(ledger_)]
    tree = ledger_.tree()
    assert (tree.frontier, tree.root) == (Frontier().extended(hashes), naive_root(hashes))


def test_the_tree_grows_with_every_append(ledger: Ledger) -> None:
    assert ledger.tree().root == EMPTY_ROOT
    start = 1
    for count in (1, 1, 2, 300, 1, 77):
        ledger.append(touchpoints(count, start=start))
        start += count
        assert_proven(ledger)
    ledger.append([touchpoint("Größe", note="\U0001f600")])
    assert_proven(ledger)


def test_what_appends_nothing_leaves_the_tree_as_it_is(ledger: Ledger) -> None:
    ledger.append(touchpoints(5), delivered=[Delivered("kafka/a/0", None, 5)])
    before = ledger.tree()
    ledger.append(touchpoints(5))
    with pytest.raises(OvertakenError):
        ledger.append(touchpoints(5, start=50), delivered=[Delivered("kafka/a/0", None, 5)])
    assert ledger.tree() == before


def test_every_ledger_has_a_name_of_its_own_and_keeps_it(
    ledger: Ledger, open_ledger: Callable[[], Ledger], tmp_path_factory: pytest.TempPathFactory, clock: Clock
) -> None:
    ledger.append(touchpoints(3))
    assert open_ledger().tree().origin == ledger.tree().origin
    with Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('other')}/ledger.db", clock=clock) as other:
        assert other.tree().origin != ledger.tree().origin


VERSION_1 = """
    DROP TABLE checkpoints;
    DROP TABLE keys;
    DROP TABLE ledger_sums;
    DROP INDEX dead_letters_plain;
    ALTER TABLE dead_letters DROP COLUMN key_number;
    CREATE TABLE kept AS SELECT position, recorded_us FROM ledger_head;
    DROP TABLE ledger_head;
    CREATE TABLE ledger_head (one {one} PRIMARY KEY CHECK ({check}), position {int} NOT NULL, recorded_us {int} NOT NULL {version});
    INSERT INTO ledger_head SELECT {row} FROM kept;
    DROP TABLE kept;
"""


def downgrade(url: str) -> None:
    """Take away what version 2 added."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.executescript(VERSION_1.format(one="INTEGER", check="one = 1", int="INTEGER", version="", row="1, *"))
        connection.execute("PRAGMA user_version = 1")
        connection.close()
    else:
        with psycopg.connect(url) as server:
            server.execute("SET search_path = ledger")
            version = ", schema_version bigint NOT NULL"
            server.execute(VERSION_1.format(one="boolean", check="one", int="bigint", version=version, row="true, *, 1").encode())


def test_a_ledger_from_before_there_was_a_tree_is_given_one(
    ledger: Ledger, url: str, open_ledger: Callable[[], Ledger], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for schema in (sqlite_schema, postgres_schema):
        monkeypatch.setattr(schema, "PAGE_EVENTS", 10)
    ledger.append(touchpoints(123), delivered=[Delivered("kafka/a/0", None, 5)], dead_letters=[letter(4)])
    log = everything(ledger)
    ledger.close()
    downgrade(url)
    with pytest.raises(StoreOlderError, match="project --once"):
        Ledger.open(url, clock=clock, read_only=True)
    upgraded = open_ledger()
    assert everything(upgraded) == log
    assert_proven(upgraded)
    assert upgraded.check() == []
    upgraded.append(touchpoints(10, start=500), delivered=[Delivered("kafka/a/0", 5, 9)], dead_letters=[letter(8)])
    assert_proven(open_ledger())
    assert upgraded.altered() == []
    Ledger.open(url, clock=clock, read_only=True).close()


def test_an_altered_tree_is_told_and_never_appended_to(ledger: Ledger, url: str) -> None:
    ledger.append(touchpoints(3))
    alter = "DROP TRIGGER ledger_head_only_grows {}; UPDATE ledger_head SET frontier = {}"
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.executescript(alter.format("", "x'0102'"))
        connection.close()
    else:
        with psycopg.connect(url) as server:
            server.execute("SET search_path = ledger")
            server.execute(alter.format("ON ledger_head", r"'\x0102'").encode())
    with pytest.raises(MalformedError):
        ledger.tree()
    with pytest.raises(MalformedError):
        ledger.append([touchpoint("next")])
    assert len(everything(ledger)) == 3
