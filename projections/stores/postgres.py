"""The views in the schema ``views`` of a PostgreSQL database, beside the ledger's own schema.

Rows and the position of their slice are one commit. Losing the last commits to a crash of the server costs only folding them again, which
is why ``synchronous_commit=off`` is enough here and not for the ledger. The schema may be dropped: it is made and rebuilt from the ledger.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool

from ledger.postgres_connections import Connection, parse, refused, why
from projections.stores import postgres_schema as schema
from projections.stores.interface import Cells, Holding, Lock, Page, Parked, Progress, Purpose
from projections.stores.leases import Leases, is_kept
from projections.stores.postgres_leases import PostgresRoll
from projections.stores.postgres_session import Session
from projections.stores.postgres_statements import cells, in_schema, select
from projections.stores.postgres_writer import PROGRESS, PostgresWriter
from projections.stores.slices import EVERYTHING, Share, Slice
from projections.tables import Table
from schemas.errors import LedgerError, StoreBusyError, StoreNewerError, StoreUnavailableError

LOCK_TIMEOUT_S = 60  # a rebuild compares and swaps under the locks of all slices: seconds at a million rows
IDLE_TIMEOUT_S = 60  # how long a session may stop in a transaction, say a paused process: others wait for its slices
CONNECT_S = 10  # how long a reader waits for a connection
READERS_MAX = 16  # connections that read at once
READ_ROWS = 2_000  # fetched at once of a long answer
_BOUNDED = {  # no session waits for ever, nor others for it
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_S}s",
}
REBUILD_LOCK = 0x52524542  # "RREB": an advisory lock


class SessionLock(Lock):
    """An advisory lock; the server drops it with its connection, when this process dies.

    It is held by a transaction that stays open and sees nothing, so that it holds behind a pooler, too, and keeps no dead rows.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def look(self) -> Share:
        return EVERYTHING

    def release(self) -> None:
        self._connection.close()


class PostgresStore:
    """The views in the database at ``url``, made when they are not there.

    who: the name under which slices are taken, for people.

    Raises:
        SettingsError: the URL is wrong.
        StoreNewerError: a newer program made them.
        StoreUnavailableError: the server cannot be reached or refuses us.
    """

    def __init__(self, url: str, who: str) -> None:
        self._conninfo, self.place = parse(url)
        self._who = who
        with self._told(), closing(self._connect()) as connection, connection.transaction():
            connection.settle()
            found = schema.version(connection)
            if found > schema.SCHEMA_VERSION:
                raise StoreNewerError(self.place, found, schema.SCHEMA_VERSION)
            if found < schema.SCHEMA_VERSION:
                schema.migrate(connection)
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            self._conninfo,
            min_size=0,
            max_size=READERS_MAX,
            connection_class=Connection,
            kwargs={"autocommit": True},
            configure=lambda connection: connection.set_up(_BOUNDED),
            check=ConnectionPool.check_connection,
            timeout=CONNECT_S,
            name="views",
            open=True,
        )

    @staticmethod
    def exists(url: str) -> bool:
        """Whether there are views in the database.

        Raises:
            StoreUnavailableError: it cannot be reached, or refuses us.
        """
        conninfo, place = parse(url)
        try:
            with Connection.connect(conninfo) as connection:
                return schema.version(connection) > 0
        except psycopg.Error as error:
            raise _told(place, error) or error from error

    def writer(self, share: Share = EVERYTHING) -> PostgresWriter:
        with self._told():
            return PostgresWriter(Session(self._connect, self._told), self._told, share)

    def try_lock(self, purpose: Purpose) -> SessionLock | Leases | None:
        if purpose == "worker":
            return None if is_kept(self.holdings()) else Leases.alone(PostgresRoll(self._pooled, self._who))
        with self._told():
            connection = self._connect()
            connection.begin()
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            ((locked,),) = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (REBUILD_LOCK,))
            if locked:
                return SessionLock(connection)
            connection.close()
            return None

    def join(self) -> Leases:
        return Leases(PostgresRoll(self._pooled, self._who))

    def slices(self) -> list[Share]:
        with self._pooled() as connection:
            return [(Slice(*row),) for row in connection.execute("SELECT first, beyond FROM views.slices ORDER BY first")]

    def holdings(self) -> list[Holding]:
        with self._pooled() as connection:
            found = connection.execute(
                "SELECT first, beyond, epoch, workers.name,"
                " (SELECT min(position) FROM views.progress WHERE slice = first AND status = 'live')"
                " FROM views.slices LEFT JOIN views.workers ON workers.name = worker AND until > now() ORDER BY first"
            )
            return [Holding(*row) for row in found]

    def progress(self) -> dict[str, Progress]:
        with self._pooled() as connection:
            rows = connection.execute(PROGRESS.format("").encode(), {"names": None, "slices": None})
            return {row[0]: Progress(*row) for row in rows}

    def parked(self, projection: str | None) -> list[Parked]:
        columns = ", ".join(Parked.__struct_fields__)
        with self._pooled() as connection:
            sql = f"SELECT {columns} FROM views.parked WHERE projection = coalesce(%s, projection) ORDER BY position"  # noqa: S608
            return [Parked(*row) for row in connection.execute(sql.encode(), (projection,))]

    def rows(self, table: Table, page: Page) -> Iterator[Cells]:
        return self._read(*select(table, page), whole=page.limit is not None)

    def columns(self, table: Table, names: Sequence[str]) -> Iterator[Cells]:
        for name in names:
            table.known(name)
        return self._read(f"SELECT {cells(table, [*names, 'evaluated_us'])} FROM {in_schema(table.name)}", {}, whole=False)  # noqa: S608

    def scrub(self) -> bool:
        """Dead rows are removed; where an old snapshot still sees them, by a later vacuum."""
        with self._told(), closing(self._connect()) as connection:
            tables = connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'views'::regnamespace AND relkind = 'r'"
            ).fetchall()
            for (table,) in tables:
                connection.execute(sql.SQL("VACUUM views.{}").format(sql.Identifier(table)))
        return True

    def close(self) -> None:
        """Close the connections that read."""
        self._pool.close()

    def _read(self, sql: str, parameters: dict[str, Any], *, whole: bool) -> Iterator[Cells]:
        """The rows of one statement; ``whole`` fetches them at once, so that the connection is free again."""
        if whole:
            with self._pooled() as connection:
                found = connection.cursor(binary=True).execute(sql.encode(), parameters).fetchall()
            yield from found
            return
        with self._pooled() as connection, connection.transaction(), connection.cursor(name="rows") as cursor:
            cursor.itersize = READ_ROWS
            yield from cursor.execute(sql.encode(), parameters, binary=True)

    @contextmanager
    def _pooled(self) -> Iterator[Connection]:
        with self._told(), self._pool.connection() as connection:
            yield connection

    def _connect(self) -> Connection:
        connection = Connection.connect(self._conninfo, autocommit=True)
        connection.set_up(_BOUNDED | {"synchronous_commit": "off"})
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn PostgreSQL's errors into ours; those that only a bug of ours can cause stay as they are."""
        try:
            yield
        except psycopg.Error as error:
            raise _told(self.place, why(self._conninfo, error)) or error from error


def _told(place: str, error: Exception) -> LedgerError | None:
    """The error of ours for ``error``, or None where it is a bug."""
    said = str(error).strip()
    match error:
        case psycopg.errors.DeadlockDetected():
            return StoreBusyError(f"{place}: another writer was in the way ({said}): nothing was written; try again")
        case psycopg.OperationalError() | psycopg.InterfaceError() | psycopg.errors.IdleInTransactionSessionTimeout():
            return StoreUnavailableError(f"{place} cannot be used now ({said}): nothing was written; check the server, then try again")
        case psycopg.errors.UndefinedTable() | psycopg.errors.InvalidSchemaName():
            return StoreUnavailableError(f"{place} lacks a table ({said}): start again, and it is rebuilt")
    return refused(place, error)
