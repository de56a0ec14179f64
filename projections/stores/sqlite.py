"""views.db: a SQLite file with the views of one ledger, its bookkeeping and its locks.

Rows and the position up to which they are folded are one commit, so the file is consistent at every moment, whoever is killed. Losing its
last commits to a power failure costs only folding them again, and the whole file may be deleted: it is rebuilt from the ledger. That is
why ``synchronous=NORMAL`` is enough here and not for the ledger. Anything that reads SQLite (Datasette) may read it while it is written.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from ledger.sqlite_wal import PATIENCE, Copier
from projections.stores import sqlite_schema as schema
from projections.stores.interface import Cells, Holding, Page, Parked, Progress, Purpose
from projections.stores.leases import Leases, is_kept
from projections.stores.slices import EVERYTHING, Share, Slice, bucket
from projections.stores.sqlite_leases import FileLock, SqliteRoll, alive, held
from projections.stores.sqlite_statements import select
from projections.stores.sqlite_writer import SqliteWriter, read_progress
from projections.tables import Table, relationship_of
from schemas.errors import StoreNewerError, StoreUnavailableError

BUSY_TIMEOUT_S = 60  # a rebuild compares and swaps under the write lock: seconds at a million rows
CACHE_KIB = 65_536  # pages of one writer kept in memory
WAL_KEPT_BYTES = 67_108_864  # what the write-ahead log shrinks back to after a large commit
WAL_PAGES = 3_072  # (12 MiB) written before they are copied into the file: with more, the disk is busy so long that the ledger waits
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    f"cache_size=-{CACHE_KIB}",
    f"journal_size_limit={WAL_KEPT_BYTES}",
    f"wal_autocheckpoint={WAL_PAGES * PATIENCE}",  # where the Copier does not come to it
    "secure_delete=ON",  # of a row that was erased nothing stays in the file
)


class SqliteStore:
    """The file at ``path``, made when it is not there.

    who: the name under which slices are taken, for people.

    Raises:
        StoreNewerError: a newer program made it.
        StoreUnavailableError: it cannot be made or read.
    """

    def __init__(self, path: Path, who: str) -> None:
        self.path, self.place, self._who = path, str(path), who
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._copier = Copier(path, WAL_PAGES)
        self._told = Told(path)
        with suppress(OSError):  # SQLite says why, below
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # of its own it would let everybody read it
        with closing(self.writer()) as writer, self._told:
            found = schema.version(writer.connection)
            if found > schema.SCHEMA_VERSION:
                raise StoreNewerError(self.place, found, schema.SCHEMA_VERSION)
            if found < schema.SCHEMA_VERSION:  # else nobody who writes need be waited for
                with writer.transaction():
                    schema.migrate(writer.connection)

    def writer(self, share: Share = EVERYTHING) -> SqliteWriter:
        with self._told:
            connection = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            connection.create_function("bucket", 1, _bucket, deterministic=True)
            return SqliteWriter(connection, self._told, share, committed=self._copier.look)

    def try_lock(self, purpose: Purpose) -> FileLock | Leases | None:
        if purpose == "rebuild":
            return FileLock.take(Path(f"{self.path}.rebuild.lock"))
        return None if is_kept(self.holdings()) else Leases.alone(self._signed_on())

    def join(self) -> Leases:
        return Leases(self._signed_on())

    def slices(self) -> list[Share]:
        with self._reading() as connection:
            return [(Slice(one.first, one.beyond),) for one in held(connection)]

    def holdings(self) -> list[Holding]:
        with self._reading() as connection:
            positions = dict(connection.execute("SELECT slice, min(position) FROM progress WHERE status = 'live' GROUP BY slice"))
            slices, workers = held(connection), alive(self.path)
        return [
            Holding(one.first, one.beyond, one.epoch, one.worker if one.worker in workers else None, positions.get(one.first))
            for one in slices
        ]

    def progress(self) -> dict[str, Progress]:
        with self._reading() as connection:
            return read_progress(connection)

    def parked(self, projection: str | None) -> list[Parked]:
        columns = ", ".join(Parked.__struct_fields__)
        with self._reading() as connection:
            rows = connection.execute(
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
        with self._told, closing(self.writer()) as writer, self._copier.idle:
            ((busy, _, _),) = writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return not busy

    def close(self) -> None:
        """Close the reading connections of every thread."""
        self._copier.close()
        while self._opened:
            self._opened.pop().close()
        self._local = threading.local()

    def _signed_on(self) -> SqliteRoll:
        return SqliteRoll(self.path, self._who, self._reading, self.writer)

    def _read(self, sql: str, parameters: Sequence[Any]) -> Iterator[Cells]:
        with self._reading() as connection:
            yield from connection.execute(sql, parameters)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._told:
            yield self._reader()

    def _reader(self) -> sqlite3.Connection:
        """This thread's own connection; it cannot write."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
            self._local.connection = connection
            self._opened.append(connection)
        return connection


class Told(AbstractContextManager[None]):
    """Tells what the file at ``path`` or its disk refuses as an error of the world; what we did wrong stays what it is.

    One serves all who ask at once: a commit asks some forty times, and a generator for each would take longer than all else they do.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is sqlite3.OperationalError or kind is sqlite3.DatabaseError:
            raise StoreUnavailableError(
                f"{self._path}: {error}. Check the disk and who else writes there; when the file is damaged, delete it and it is rebuilt"
            ) from error


def _bucket(key: str) -> int:
    """The bucket of a row by its key."""
    return bucket(relationship_of(key))
