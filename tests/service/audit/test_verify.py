"""``rledger verify`` finds whatever is changed, removed, swapped or inserted, on both stores, and names it; hundreds of attempts."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.interface import DeadLetter, Delivered
from ledger.proof.checkpoint import Checkpoint
from ledger.proof.keys import Signer
from ledger.proof.leaf import hash_row
from ledger.proof.merkle import Frontier
from ledger.sums import TABLES, total
from schemas.cloudevents import touchpoint
from schemas.identity import identity
from schemas.touchpoint import Touchpoint
from service import masters, settings, worker
from service.audit import scanning
from service.audit.checkpoints import Checkpoints
from service.audit.verify import Report, verify
from service.clock import now_us
from service.stores import open_ledger
from tests.ledger.events import NOON_US
from tests.service.commands import Rledger, bare

SIZE = 300
DATA = {"channel": "mail", "direction": "inbound"}


def contacts(numbers: range) -> list[Touchpoint]:
    return [touchpoint("crm", str(n), "relationship.contact.v1", f"customer/{n % 7}", NOON_US, DATA) for n in numbers]


class SQLite:
    """Each attempt on a copy of the file."""

    position = "rowid"

    def __init__(self, found: settings.Settings, path: Path) -> None:
        self.found, self.path, self.kept = found, path, path.with_name("kept.db")
        shutil.copy(path, self.kept)

    def execute(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as store:
            triggers = store.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                store.execute(f"DROP TRIGGER {name}")
            store.execute(statement, values)
            for _, trigger in triggers:
                store.execute(trigger)

    def row(self, position: int) -> tuple[Any, ...]:
        with closing(sqlite3.connect(self.path)) as store:
            return tuple(store.execute("SELECT * FROM stored_events WHERE rowid = ?", (position,)).fetchone())

    def undo(self) -> None:
        for name in ("ledger.db-wal", "ledger.db-shm"):
            self.path.with_name(name).unlink(missing_ok=True)
        shutil.copy(self.kept, self.path)


class PostgreSQL:
    """Each attempt put right from a copy of the tables."""

    position = "notification_id"
    TABLES = ("stored_events", "ledger_head", "tracking", "dead_letters", "checkpoints", "keys", "ledger_sums")

    def __init__(self, found: settings.Settings, url: str) -> None:
        self.found = found
        self.server = psycopg.connect(url, autocommit=True)
        self.server.execute("SET search_path = ledger; SET session_replication_role = replica")
        for table in self.TABLES:
            self.server.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}".encode())

    def execute(self, statement: str, *values: Any) -> None:
        self.server.execute(statement.replace("?", "%s").encode(), values)

    def row(self, position: int) -> tuple[Any, ...]:
        found = self.server.execute("SELECT * FROM stored_events WHERE notification_id = %s", (position,)).fetchone()
        assert found is not None
        return found

    def undo(self) -> None:
        for table in self.TABLES:
            self.server.execute(f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}".encode())


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SQLite | PostgreSQL]:
    """A ledger with events, offsets, dead letters, two checkpoints, keys and tiles."""
    environ = bare(tmp_path / "data") | {"RLEDGER_MASTER_KEY": masters.new()}
    if request.param == "postgres":
        environ["RLEDGER_STORE"] = request.getfixturevalue("postgres_url")
    found = settings.read(environ)
    with open_ledger(found) as ledger:
        letters = [DeadLetter("not_json", "no JSON", "t", 0, offset, key=b"customer/ada", body=b"{") for offset in range(3)]
        ledger.append(
            [
                touchpoint("crm", str(number), "relationship.contact.v1", f"customer/{number % 7}", NOON_US, DATA)
                for number in range(SIZE // 2)
            ],
            delivered=[Delivered("kafka/c/t/i/0", None, 3)],
            dead_letters=letters,
        )
        checkpoints = Checkpoints.of(found, ledger)
        checkpoints.make(now_us())
        ledger.append(contacts(range(SIZE // 2, SIZE - 1)))
        checkpoints.make(now_us())
    assert report(found).ok
    if request.param == "sqlite":
        yield SQLite(found, tmp_path / "data" / "ledger.db")
        return
    postgres = PostgreSQL(found, environ["RLEDGER_STORE"])
    yield postgres
    postgres.server.close()


def report(found: settings.Settings, *given: Path) -> Report:
    with open_ledger(found, read_only=True) as ledger:
        return verify(found, Checkpoints.of(found, ledger), given, lambda *_: None)


def flipped(value: Any, chance: random.Random) -> Any:
    """``value`` with one bit of one byte changed."""
    if isinstance(value, int):
        return value ^ 1 << chance.randrange(10, 18)  # lower ones of a version are taken, and the database refuses them
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    at = chance.randrange(len(raw))
    raw[at] ^= 1 << chance.randrange(5 if isinstance(value, str) else 8)
    return raw.decode() if isinstance(value, str) else bytes(raw)


EVENT_COLUMNS = ("originator_id", "originator_version", "topic", "state", "recorded_us", "identity")


def test_any_changed_value_of_any_event_is_found_and_its_position_named(store: SQLite | PostgreSQL) -> None:
    chance = random.Random(8)
    for attempt in range(60):
        position, column = chance.randrange(1, SIZE + 1), EVENT_COLUMNS[attempt % len(EVENT_COLUMNS)]
        where = f"WHERE {store.position} = ?"
        value = dict(zip(columns(store), store.row(position), strict=True))[column]
        store.execute(f"UPDATE stored_events SET {column} = ? {where}", flipped(value, chance), position)
        found = report(store.found)
        assert not found.ok, (position, column)
        assert position in {wrong.position for wrong in found.problems}, (position, column, found.problems)
        store.undo()
    assert report(store.found).ok


def columns(store: SQLite | PostgreSQL) -> list[str]:
    if isinstance(store, SQLite):
        return ["rowid", "originator_id", "originator_version", "topic", "recorded_us", "identity", "state"]
    return ["originator_id", "originator_version", "topic", "state", "notification_id", "recorded_us", "identity"]


def test_events_removed_inserted_swapped_or_cut_off_are_found(store: SQLite | PostgreSQL) -> None:
    chance, at = random.Random(9), store.position
    for _ in range(10):
        position, other = chance.sample(range(1, SIZE + 1), 2)
        for statements in (
            [f"DELETE FROM stored_events WHERE {at} = {position}"],
            [f"DELETE FROM stored_events WHERE {at} > {position}"],
            [f"UPDATE stored_events SET {at} = {SIZE + 1} WHERE {at} = {position}"],
            [
                f"UPDATE stored_events SET {at} = 9999 WHERE {at} = {position}",
                f"UPDATE stored_events SET {at} = {position} WHERE {at} = {other}",
                f"UPDATE stored_events SET {at} = {other} WHERE {at} = 9999",
            ],
        ):
            for statement in statements:
                store.execute(statement)
            found = report(store.found)
            assert any(wrong.position is not None for wrong in found.problems), statements
            store.undo()
    insert(store, SIZE + 1)
    assert not report(store.found).ok


def insert(store: SQLite | PostgreSQL, position: int) -> None:
    """An event that nobody appended."""
    new = touchpoint("crm", "forged", "relationship.contact.v1", "customer/forged", NOON_US, DATA)
    names = f"{store.position}, originator_id, originator_version, topic, state, recorded_us, identity"
    values = (position, new.subject, 1, new.type, new.event, 2**50, identity(new.source, new.id))
    store.execute(f"INSERT INTO stored_events ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", *values)


def test_a_ledger_with_dead_letters_alone_is_whole(tmp_path: Path) -> None:
    found = settings.read(bare(tmp_path / "data"))
    with open_ledger(found) as ledger:
        ledger.append([], dead_letters=[DeadLetter("not_json", "no JSON", "t", 0, 0, body=b"{")])
    assert report(found).ok


def test_any_change_of_head_checkpoints_letters_and_offsets_is_found(store: SQLite | PostgreSQL) -> None:
    chance = random.Random(10)
    head = {"position": SIZE + 1, "recorded_us": 7, "origin": "another", "frontier": b"\x00" * 8, "root": b"\x00" * 32}
    changes = [f"UPDATE ledger_head SET {column} = ?" for column in head]
    for change, value in zip(changes, head.values(), strict=True):
        store.execute(change, value)
        assert not report(store.found).ok, change
        store.undo()
    for statement in (
        "DELETE FROM checkpoints WHERE number = 1",
        "DELETE FROM checkpoints WHERE number = 2",
        "UPDATE checkpoints SET size = size + 1 WHERE number = 1",
        "UPDATE checkpoints SET number = 3 WHERE number = 2",
        "DELETE FROM dead_letters WHERE number = 2",
        "UPDATE dead_letters SET replayed_us = 1, replayed_position = 100000 WHERE number = 2",
        "UPDATE dead_letters SET code = 'nothing' WHERE number = 2",
        "UPDATE tracking SET notification_id = 2 WHERE application_name = 'kafka/c/t/i/0'",
        "UPDATE tracking SET notification_id = -3 WHERE application_name = 'kafka/c/t/i/0'",
    ):
        store.execute(statement)
        assert not report(store.found).ok, statement
        store.undo()
    with open_ledger(store.found, read_only=True) as ledger:
        (newest,) = ledger.checkpoints(newest=1)
    for _ in range(20):
        store.execute("UPDATE checkpoints SET note = ? WHERE number = 2", flipped(newest.note, chance))
        assert not report(store.found).ok
        store.undo()


BESIDE: dict[str, dict[str, Any]] = {  # what would look right, column by column
    "tracking": {"application_name": "kafka/c/t/j/0", "notification_id": 4},
    "checkpoints": {"kept_us": 5},
    "dead_letters": {
        "recorded_us": NOON_US + 1,
        "code": "too_large",
        "reason": "no JSON!",
        "origin": "u",
        "partition": 1,
        "offset": 7,
        "timestamp_ms": 1,
        "key": b"k",
        "headers": b"\x91\x92\xa1a\xc0",
        "body": b"[",
        "source": "s",
        "id": "i",
        "mark": b"0" * 16,
        "replayed_us": 1,
        "replayed_position": 1,
        "key_number": 7,
    },
    "keys": {"relationship": "customer/other", "wrapped": b"w", "master": "another", "created_us": 5},
}
WHERE = {
    "tracking": "application_name = 'kafka/c/t/i/0'",
    "checkpoints": "number = 2",
    "dead_letters": "number = 3",
    "keys": "number = 2",
}


def test_what_stands_beside_the_events_is_as_the_ledger_wrote_it_however_right_it_looks(store: SQLite | PostgreSQL) -> None:
    for table, changes in BESIDE.items():
        told = f"the {TABLES[table]} are not those that the ledger wrote"
        for column, value in changes.items():
            store.execute(f'UPDATE {table} SET "{column}" = ? WHERE {WHERE[table]}', value)
            assert told in {wrong.what for wrong in report(store.found).problems}, column
            store.undo()
        for statement in (
            f"DELETE FROM {table} WHERE {WHERE[table]}",
            f"DELETE FROM ledger_sums WHERE name = '{table}'",
            f"UPDATE ledger_sums SET sum = (SELECT sum FROM ledger_sums WHERE name <> '{table}' LIMIT 1) WHERE name = '{table}'",
        ):
            store.execute(statement)
            assert told in {wrong.what for wrong in report(store.found).problems}, statement
            store.undo()
    letter = 'recorded_us, code, reason, origin, partition, 9, timestamp_ms, "key", headers, body, source, id, NULL, NULL, NULL, NULL'
    for statements in (
        ["INSERT INTO tracking VALUES ('file/new', 1)"],
        [f"INSERT INTO dead_letters SELECT 4, {letter} FROM dead_letters WHERE number = 3"],
        [
            "UPDATE keys SET relationship = relationship || '!'",
            "UPDATE keys SET relationship = CASE number WHEN 2 THEN 'ledger' ELSE 'customer/ada' END",
        ],
        ["UPDATE keys SET wrapped = NULL, master = '', destroyed_us = 7 WHERE number = 2"],
        [
            "UPDATE dead_letters SET number = number + 100 WHERE number > 1",
            "UPDATE dead_letters SET number = 105 - number WHERE number > 9",
        ],
    ):
        for statement in statements:
            store.execute(statement)
        assert any("are not those that the ledger wrote" in wrong.what for wrong in report(store.found).problems), statements
        store.undo()
    assert report(store.found).ok


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # files, whatever the store
def test_any_changed_removed_swapped_or_inserted_tile_is_found(store: SQLite | PostgreSQL) -> None:
    chance = random.Random(11)
    folder = store.found.data / "tiles"
    tiles = sorted(path for path in (folder / "tile").rglob("*") if path.is_file())
    assert len(tiles) == 3
    for path in (*tiles, folder / "checkpoint"):
        content = path.read_bytes()
        for changed in [flipped(content, chance) for _ in range(10)] + [content[:-1], content[:-32], content + b"\0", b""]:
            path.write_bytes(changed)
            assert not report(store.found).ok, path
        path.write_bytes(content)
    for path in tiles:
        if not path.parent.name.endswith(".p"):
            path.rename(folder / "aside")
            assert not report(store.found).ok, path
            (folder / "aside").rename(path)
    for name in ("tile/0/009", "tile/0/x001/000", "tile/entries/000", "tile/readme", "tile/1/000.p/9"):
        new = folder / name
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(tiles[0].read_bytes()[:256])
        assert not report(store.found).ok, name
        new.unlink()
    one, other = tiles[0].read_bytes(), tiles[1].read_bytes()
    tiles[0].write_bytes(other)
    tiles[1].write_bytes(one)
    assert not report(store.found).ok


def test_a_log_that_grows_meanwhile_is_no_problem(store: SQLite | PostgreSQL) -> None:
    with open_ledger(store.found) as ledger:
        checkpoints = Checkpoints.of(store.found, ledger)
        grown = 0

        def grow(*_: object) -> None:
            nonlocal grown
            ledger.append(contacts(range(1_000 + grown, 1_400 + grown)))
            grown += 400
            checkpoints.make(now_us())

        assert verify(store.found, checkpoints, (), grow) == Report(ok=True, size=SIZE, root=report_root(store, SIZE), problems=[])
        assert grown == 400
    assert report(store.found).ok


def report_root(store: SQLite | PostgreSQL, size: int) -> str:
    """The root as the checkpoint of that size says it."""
    with open_ledger(store.found, read_only=True) as ledger:
        note = next(one.note for one in ledger.checkpoints() if one.size == size)
    return note.decode().split("\n")[2]


def test_an_empty_ledger_is_all_right(rledger: Rledger) -> None:
    open_ledger(settings.read(rledger.environ)).close()
    root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="  # SHA-256 of nothing
    assert rledger.json("verify") == [{"ok": True, "size": 0, "root": root, "problems": []}]


def forge(store: SQLite | PostgreSQL) -> None:
    """Change an event, and make head, tree and checkpoints fit: all that can be done without the key."""
    row = dict(zip(columns(store), store.row(17), strict=True))
    store.execute(f"UPDATE stored_events SET state = ? WHERE {store.position} = 17", row["state"].replace(b"mail", b"call"))
    with open_ledger(store.found, read_only=True) as ledger:
        tree = Frontier().extended(hash_row(*row[:-1]) for row in ledger.recorder.rows(0, 10_000))
    store.execute("UPDATE ledger_head SET frontier = ?, root = ?", tree.encode(), tree.root())
    store.execute("DELETE FROM checkpoints")
    store.execute("UPDATE ledger_sums SET sum = ? WHERE name = 'checkpoints'", total([]))
    shutil.rmtree(store.found.data / "tiles")


def test_who_recomputes_everything_but_has_no_key_is_found_by_an_old_checkpoint(store: SQLite | PostgreSQL, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copy(store.found.data / "tiles" / "checkpoint", old)
    forge(store)
    for signed in (store.found.data / "keys").iterdir():
        signed.unlink()
    assert report(store.found).ok  # without a memory elsewhere it looks right
    found = report(store.found, old)
    assert [wrong.what for wrong in found.problems] == [f"the log does not continue {old}, of {SIZE} events"]
    assert f"position 1 to {SIZE}" in found.problems[0].means


def test_who_recomputes_everything_is_found_by_what_stands_beside_the_key(store: SQLite | PostgreSQL) -> None:
    forge(store)
    found = report(store.found)
    assert any("does not continue the checkpoint beside the key" in wrong.what for wrong in found.problems)


def test_a_forged_checkpoint_is_found(store: SQLite | PostgreSQL, tmp_path: Path) -> None:
    with open_ledger(store.found, read_only=True) as ledger:
        tree = ledger.tree()
    forged = Checkpoint(tree.origin, SIZE, tree.root).signed(Signer(tree.origin, bytes(32)))
    (tmp_path / "forged").write_bytes(forged.encode())
    (wrong,) = report(store.found, tmp_path / "forged").problems
    assert "is not signed by this ledger" in wrong.what


def test_two_processes_find_what_one_does(store: SQLite | PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = report(store.found)
    monkeypatch.setattr(scanning, "ALONE_EVENTS", 0)
    assert report(store.found) == alone
    store.execute(f"UPDATE stored_events SET originator_version = 99 WHERE {store.position} = 200")
    assert 200 in {wrong.position for wrong in report(store.found).problems}


def test_a_changed_row_of_a_view_is_found_and_left_as_it_is(rledger: Rledger) -> None:
    found = settings.read(rledger.environ)
    with open_ledger(found) as ledger:
        ledger.append(contacts(range(50)))
    worker.project_once(found)
    assert rledger.json("verify") == [{"ok": True, "size": 51, "root": rledger.json("verify")[0]["root"], "problems": []}]
    with closing(sqlite3.connect(found.data / "views.db")) as views, views:
        views.execute("UPDATE relationships SET events = 99 WHERE relationship = 'customer/3'")
    done = rledger("verify")
    assert done.returncode == 1
    assert "the view relationships: customer/3 differs in events" in done.stdout
    assert rledger("verify", "--no-views").returncode == 0


def test_a_changed_byte_of_the_files_indexes_is_found(rledger: Rledger) -> None:
    found = settings.read(rledger.environ)
    with open_ledger(found) as ledger:
        ledger.append(contacts(range(50)))
        wanted = identity("crm", "7")
    path = found.data / "ledger.db"
    content = path.read_bytes()
    places = [at for at in range(len(content)) if content.startswith(wanted, at)]
    assert len(places) == 2  # in the table and in its index
    for at in places:
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert rledger("verify", "--no-views").returncode == 1
