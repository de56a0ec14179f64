"""A write-ahead log is copied back beside the commits that go on, and begins anew."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger import sqlite_connections as connections
from ledger import sqlite_wal
from ledger.ledger import Ledger
from ledger.sqlite_wal import HEADER_BYTES, HEADER_SALT, Copier
from tests.ledger.events import assert_orderly, everything, positions, touchpoints

PAGES = 40
COMMITS_MAX = 30_000  # many more than it takes: how many depends on when the thread is given a core


def connected(path: Path) -> sqlite3.Connection:
    """A connection by whose commits nothing is copied."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = OFF", "wal_autocheckpoint = 0"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


class Written:
    """A file with a writer that never copies of itself."""

    def __init__(self, path: Path) -> None:
        self.path, self.copier = path, Copier(path, PAGES)
        self.writer = connected(path)
        self.writer.execute("CREATE TABLE things (thing BLOB)")

    def commit(self) -> None:
        self.writer.execute("INSERT INTO things VALUES (randomblob(5000))")
        self.copier.look()

    def begins_anew(self) -> bool:
        """Whether the log does, within some commits."""
        before = self.salt
        for _ in range(COMMITS_MAX):
            self.commit()
            if self.salt != before:
                return True
        return False

    @property
    def salt(self) -> bytes:
        """What the log of this file begins with, other than all before it."""
        with Path(f"{self.path}-wal").open("rb") as log:
            return log.read(HEADER_BYTES)[HEADER_SALT]

    def close(self) -> None:
        self.copier.close()
        self.writer.close()


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    with closing(Written(tmp_path / "things.db")) as written:
        yield written


def test_the_log_is_copied_beside_the_commits_and_begins_anew(written: Written) -> None:
    assert written.begins_anew()
    assert written.begins_anew()
    written.copier.close()
    assert written.writer.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_log_begins_anew_although_another_writer_never_pauses(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    begin_anew = sqlite_wal._begin_anew  # noqa: SLF001
    with closing(sqlite3.connect(written.path, isolation_level=None, check_same_thread=False)) as other:

        def amid_a_commit(connection: sqlite3.Connection) -> None:
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO things VALUES (1)")
            commit = threading.Timer(0.05, other.execute, ["COMMIT"])
            commit.start()
            begin_anew(connection)
            commit.join()

        monkeypatch.setattr(sqlite_wal, "_begin_anew", amid_a_commit)
        salt = written.salt
        while written.copier._thread is None:  # noqa: SLF001
            written.commit()
        written.copier._thread.join()  # noqa: SLF001
        written.commit()
        assert written.salt != salt


def test_what_somebody_still_reads_is_kept_until_they_have(written: Written) -> None:
    written.commit()
    with closing(sqlite3.connect(written.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM things").fetchone()
        salt = written.salt
        for _ in range(10 * PAGES):
            written.commit()
        assert written.salt == salt
        assert reader.execute("SELECT count(*) FROM things").fetchone() == before
        reader.execute("ROLLBACK")
    assert written.begins_anew()


def test_nothing_is_copied_while_somebody_has_the_log_for_themselves(written: Written) -> None:
    with written.copier.idle:
        salt = written.salt
        for _ in range(10 * PAGES):
            written.commit()
        assert written.salt == salt
        assert written.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    assert written.begins_anew()


def test_a_log_that_was_deleted_is_not_taken_for_the_one_after_it(written: Written) -> None:
    while written.writer.execute("SELECT count(*) FROM things").fetchone() < (PAGES,):
        with written.copier.idle:
            written.commit()
    written.writer.close()  # the last to have the file open, it deletes the log
    written.writer = connected(written.path)
    written.commit()
    assert written.begins_anew()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_ledger_is_whole_however_often_its_log_is_copied(url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CHECKPOINT_PAGES", 20)
    with Ledger.open(url, clock=lambda: 0) as copied:
        for start in range(0, 3_000, 30):
            assert positions(copied.append(touchpoints(30, start=start))) == list(range(start + 1, start + 31))
        assert copied.scrub()
        assert Path(f"{url.removeprefix('sqlite:///')}-wal").stat().st_size == 0
    assert_orderly(everything(ledger))
    assert ledger.check() == []
