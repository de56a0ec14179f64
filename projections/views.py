"""views.db: the file the views stand in, its bookkeeping, its locks, and typed reads of the rows.

Rows and the position up to which they are folded are one commit, so the file is consistent at every moment, whoever is killed. Losing its
last commits to a power failure costs only folding them again, and the whole file may be deleted: it is rebuilt from the ledger. That is
why ``synchronous=NORMAL`` is enough here and not for the ledger. Anything that reads SQLite (Datasette) may read it while it is written.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec
import sqlite_utils

from projections.projection import Projection
from projections.tables import Table
from schemas.errors import NotFoundError, StoreNewerError, StoreUnavailableError

SCHEMA_VERSION = 1  # of the two bookkeeping tables; the views' own versions stand in ``projections``
BUSY_TIMEOUT_S = 60  # a rebuild compares and swaps under the write lock: seconds at a million rows
CACHE_KIB = 65_536  # pages of one writer kept in memory
WAL_KEPT_BYTES = 67_108_864  # what the write-ahead log shrinks back to after a large commit

ViewStatus = Literal["live", "rebuilding"]


class Progress(msgspec.Struct, frozen=True):
    """How far one table is: a row of ``projections``.

    build: counts the tables there have been. commits: counts the writes to this one. A writer that finds others than it left starts over.
    position: of the last event folded; ``recorded_us`` is that event's.
    tick_us: when the newest close of a day up to ``position`` was recorded, 0 for none; all rows are published as of ``swept_us``
        at least, 0 for not at all.
    """

    name: str
    version: int
    build: int
    status: ViewStatus
    updated_us: int
    position: int = 0
    recorded_us: int = 0
    tick_us: int = 0
    swept_us: int = 0
    commits: int = 0


class Parked(msgspec.Struct, frozen=True):
    """A relationship whose events wait, in order, because one of them failed in this projection: a row of ``parked``.

    position: of the first event that waits. key: of the row that failed, None when not even the key could be told.
    """

    projection: str
    relationship: str
    key: str | None
    position: int
    error: str
    message: str
    first_us: int
    attempts: int


class Status(msgspec.Struct, frozen=True):
    """One view, for people: ``lag`` is events of the log not folded yet, ``parked`` relationships whose events wait."""

    name: str
    version: int
    status: ViewStatus
    position: int
    lag: int
    parked: int
    updated_us: int
    tick_us: int


class ViewRow(msgspec.Struct, frozen=True):
    """A row as it stands, true as of ``evaluated_us``. ``state`` is None where it was not asked for."""

    row: Any
    state: Any
    position: int
    evaluated_us: int


class Lock:
    """An exclusive lock on a file; the kernel drops it when this process dies."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


class Views:
    """The views of one ledger. Reads may come from any thread; writing is the business of ``keeper.py`` and ``rebuild.py``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tables: dict[Projection, Table] = {}
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file, making it when it is not there.

        Raises:
            StoreNewerError: a newer program made it.
            StoreUnavailableError: it cannot be made or read.
        """
        views = cls(path)
        connection = views.connect()
        try:
            with views.transaction(connection):
                (found,) = connection.execute("PRAGMA user_version").fetchone()
                if found > SCHEMA_VERSION:
                    raise StoreNewerError(str(path), found, SCHEMA_VERSION)
                if found < SCHEMA_VERSION:
                    _create_bookkeeping(connection)
        finally:
            connection.close()
        return views

    def connect(self) -> sqlite3.Connection:
        """Open a connection for a writer; the caller closes it."""
        with self._told():
            connection = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"cache_size=-{CACHE_KIB}", f"journal_size_limit={WAL_KEPT_BYTES}"):
                connection.execute(f"PRAGMA {pragma}")
            return connection

    @contextmanager
    def transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Commit what is done inside, or nothing of it; inside another transaction of the connection, be part of that one.

        Raises:
            StoreUnavailableError: the file is locked, full or damaged. Nothing was written.
        """
        if connection.in_transaction:
            yield
            return
        with self._told():
            connection.execute("BEGIN IMMEDIATE")  # not at the first write: two writers would meet and neither could go on
            try:
                yield
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def try_lock(self, purpose: Literal["worker", "rebuild"] = "worker") -> Lock | None:
        """Take the lock of the one worker (or the one rebuild) until it is released; None while another process has it."""
        descriptor = os.open(f"{self.path}.{purpose}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return Lock(descriptor)

    def get(self, projection: Projection, key: str) -> ViewRow | None:
        """Read the row of ``key`` with its state; None when there is none.

        Raises:
            StoreUnavailableError: the view is not there in the version this program knows, or the file cannot be read.
        """
        table = self._readable(projection)
        return next(self._rows(table, *table.select(where={table.key: key}), state=True), None)

    def select(
        self,
        projection: Projection,
        *,
        where: Mapping[str, Any] | None = None,
        order_by: str | None = None,
        descending: bool = False,
        after: str | None = None,
        limit: int | None = None,
        state: bool = False,
    ) -> Iterator[ViewRow]:
        """Read rows as they are asked for, from one snapshot, in the order of one column, then of the key; NULLs last.

        Args:
            where: public column -> the value it must have, or a list, tuple or set of values.
            projection: the view.
            order_by: a public column; the key by default.
            descending: largest first.
            after: key of the last row of the page before.
            limit: rows at most; None for all.
            state: read and decode the state too.

        Raises:
            SettingsError: a column the view does not have.
            NotFoundError: ``after`` is no row.
            StoreUnavailableError: as in ``get``.
        """
        table = self._readable(projection)
        order = order_by or table.key
        last = None
        if after is not None:
            found = self.get(projection, after)
            if found is None:
                raise NotFoundError(f"{projection.name} has no row {after!r} to go on from: start from the first page")
            last = (table.cell(found.row, order), after)
        sql, parameters = table.select(where=where or {}, order_by=order, descending=descending, after=last, limit=limit)
        return self._rows(table, sql, parameters, state=state)

    def columns(self, projection: Projection, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Read some public columns of every row, in no order, and after them the moment (microseconds UTC) they are true for.

        For sums over all rows: some five times as fast as ``select``.

        Raises:
            SettingsError: a column the view does not have.
            StoreUnavailableError: as in ``get``.
        """
        sql, decoders = self._readable(projection).columns(names)
        with self._told():
            for cells in self._reader().execute(sql):
                if decoders:
                    values = list(cells)
                    for at, decode in decoders:
                        if values[at] is not None:
                            values[at] = decode(values[at])
                    yield tuple(values)
                else:
                    yield cells

    def progress(self, connection: sqlite3.Connection | None = None) -> dict[str, Progress]:
        """How far each table is, by its name; ``connection`` to read inside its transaction."""
        columns = ", ".join(Progress.__struct_fields__)
        with self._told():
            rows = (connection or self._reader()).execute(f"SELECT {columns} FROM projections")  # noqa: S608
            return {row[0]: Progress(*row) for row in rows}

    def parked(self, projection: str | None = None) -> list[Parked]:
        """Relationships whose events wait, oldest first; of one projection, or of all."""
        columns = ", ".join(Parked.__struct_fields__)
        with self._told():
            rows = self._reader().execute(
                f"SELECT {columns} FROM parked WHERE ?1 IS NULL OR projection = ?1 ORDER BY position",  # noqa: S608
                [projection],
            )
            return [Parked(*row) for row in rows]

    def status(self, head: int) -> list[Status]:
        """Every view and every build under way, by name; ``head`` is the position of the log's last event."""
        with self._told():
            parked = dict(self._reader().execute("SELECT projection, count(*) FROM parked GROUP BY projection").fetchall())
        return [
            Status(name, at.version, at.status, at.position, max(0, head - at.position), parked.get(name, 0), at.updated_us, at.tick_us)
            for name, at in sorted(self.progress().items())
        ]

    def close(self) -> None:
        """Close the reading connections of every thread."""
        while self._opened:
            self._opened.pop().close()
        self._local = threading.local()

    def _reader(self) -> sqlite3.Connection:
        """This thread's own connection; it cannot write."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
            self._local.connection = connection
            self._opened.append(connection)
        return connection

    def _readable(self, projection: Projection) -> Table:
        """The table, when it stands in the version this program knows."""
        at = self.progress().get(projection.name)
        if at is None or at.version != projection.version:
            found = "was never built" if at is None else f"is at version {at.version}"
            raise StoreUnavailableError(
                f"{self.path}: view {projection.name} {found}, this program reads version {projection.version}: "
                "`rledger project --once` brings it there"
            )
        if projection not in self._tables:
            self._tables[projection] = Table(projection)
        return self._tables[projection]

    def _rows(self, table: Table, sql: str, parameters: list[Any], *, state: bool) -> Iterator[ViewRow]:
        width = len(table.public)
        with self._told():
            for cells in self._reader().execute(sql, parameters):
                evaluated_us, _recorded_us, position, blob = cells[width:]
                yield ViewRow(table.decode(cells[:width]), table.decode_state(cells[0], blob) if state else None, position, evaluated_us)

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
    db.table("projections").create({"name": str, "version": int, "build": int, "status": str, **counts}, pk="name")
    texts = dict.fromkeys(("projection", "relationship", "key", "error", "message"), str)
    db.table("parked").create({**texts, "position": int, "first_us": int, "attempts": int}, pk=("projection", "relationship"))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
