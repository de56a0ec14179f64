"""views.db: a SQLite file with the views of one ledger, its bookkeeping and its locks.

Rows and the position up to which they are folded are one commit, so the file is consistent at every moment, whoever is killed. Losing its
last commits to a power failure costs only folding them again, and the whole file may be deleted: it is rebuilt from the ledger. That is
why ``synchronous=NORMAL`` is enough here and not for the ledger. Anything that reads SQLite (Datasette) may read it while it is written.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlite_utils

from projections.stores.interface import Cells, Holding, Page, Parked, Progress, Purpose
from projections.stores.slices import EVERYTHING, Share
from projections.stores.sqlite_statements import select
from projections.stores.sqlite_writer import SqliteWriter, read_progress
from projections.tables import Table
from schemas.errors import StoreNewerError, StoreUnavailableError

SCHEMA_VERSION = 2  # of the two bookkeeping tables; the views' own versions stand in ``projections``
BUSY_TIMEOUT_S = 60  # a rebuild compares and swaps under the write lock: seconds at a million rows
CACHE_KIB = 65_536  # pages of one writer kept in memory
WAL_KEPT_BYTES = 67_108_864  # what the write-ahead log shrinks back to after a large commit
WAL_PAGES = 16_384  # (64 MiB) written before they are copied into the file: a commit of many rows is larger than the usual 1,000
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    f"cache_size=-{CACHE_KIB}",
    f"journal_size_limit={WAL_KEPT_BYTES}",
    f"wal_autocheckpoint={WAL_PAGES}",
    "secure_delete=ON",  # of a row that was erased nothing stays in the file
)


class FileLock:
    """An exclusive lock on a file; the kernel drops it when this process dies. ``look`` takes it as soon as it is free."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def look(self) -> Share:
        if self._descriptor is None:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return ()
            self._descriptor = descriptor
        return EVERYTHING

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


class SqliteStore:
    """The file at ``path``, made when it is not there.

    Raises:
        StoreNewerError: a newer program made it.
        StoreUnavailableError: it cannot be made or read.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.place = path, str(path)
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        with suppress(OSError):  # SQLite says why, below
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # of its own it would let everybody read it
        writer = self.writer()
        try:
            with writer.transaction():
                (found,) = writer.connection.execute("PRAGMA user_version").fetchone()
                if found > SCHEMA_VERSION:
                    raise StoreNewerError(self.place, found, SCHEMA_VERSION)
                if found == 0:
                    _create_bookkeeping(writer.connection)
                elif found == 1:
                    writer.connection.execute("ALTER TABLE projections ADD COLUMN policy TEXT NOT NULL DEFAULT ''")
                if found != SCHEMA_VERSION:
                    writer.connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        finally:
            writer.close()

    def writer(self, share: Share = EVERYTHING) -> SqliteWriter:  # noqa: ARG002  # there is but one
        with self._told():
            connection = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            return SqliteWriter(connection, self._told)

    def try_lock(self, purpose: Purpose) -> FileLock | None:
        lock = FileLock(Path(f"{self.path}.{purpose}.lock"))
        return lock if lock.look() is EVERYTHING else None

    def join(self) -> FileLock:
        return FileLock(Path(f"{self.path}.worker.lock"))

    def slices(self) -> list[Share]:
        return [EVERYTHING]

    def holdings(self) -> list[Holding]:
        return []

    def progress(self) -> dict[str, Progress]:
        with self._told():
            return read_progress(self._reader())

    def parked(self, projection: str | None) -> list[Parked]:
        columns = ", ".join(Parked.__struct_fields__)
        with self._told():
            rows = self._reader().execute(
                f"SELECT {columns} FROM parked WHERE ?1 IS NULL OR projection = ?1 ORDER BY position",  # noqa: S608
                [projection],
            )
            return [Parked(*row) for row in rows]

    def rows(self, table: Table, page: Page) -> Iterator[Cells]:
        return self._read(*select(table, page))

    def columns(self, table: Table, names: Sequence[str]) -> Iterator[Cells]:
        return self._read(f'SELECT {", ".join(map(table.known, names))}, evaluated_us FROM "{table.name}"', [])  # noqa: S608

    def scrub(self) -> bool:
        """The file holds nothing of them, for ``secure_delete`` overwrites; this empties the write-ahead log, too."""
        with self._told(), closing(self.writer()) as writer:
            ((busy, _, _),) = writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return not busy

    def close(self) -> None:
        """Close the reading connections of every thread."""
        while self._opened:
            self._opened.pop().close()
        self._local = threading.local()

    def _read(self, sql: str, parameters: Sequence[Any]) -> Iterator[Cells]:
        with self._told():
            yield from self._reader().execute(sql, parameters)

    def _reader(self) -> sqlite3.Connection:
        """This thread's own connection; it cannot write."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
            self._local.connection = connection
            self._opened.append(connection)
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what the file or the disk refuses as an error of the world; what we did wrong stays what it is."""
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            if type(error) not in (sqlite3.OperationalError, sqlite3.DatabaseError):
                raise
            raise StoreUnavailableError(
                f"{self.path}: {error}. Check the disk and who else writes there; when the file is damaged, delete it and it is rebuilt"
            ) from error


def _create_bookkeeping(connection: sqlite3.Connection) -> None:
    db = sqlite_utils.Database(connection)
    counts = dict.fromkeys(("position", "recorded_us", "updated_us", "tick_us", "swept_us", "commits"), int)
    db.table("projections").create({"name": str, "version": int, "build": int, "status": str, "policy": str, **counts}, pk="name")
    texts = dict.fromkeys(("projection", "relationship", "key", "error", "message"), str)
    db.table("parked").create({**texts, "position": int, "first_us": int, "attempts": int}, pk=("projection", "relationship"))
