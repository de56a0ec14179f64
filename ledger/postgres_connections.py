"""Connections to a PostgreSQL ledger: how they are made and set up, and what their errors mean to the rest of the house."""

from collections.abc import Callable
from typing import Any, LiteralString

import psycopg
from eventsourcing.postgres import PostgresDatastore
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from schemas.errors import ImmutableError, LedgerError, SettingsError, StoreUnavailableError

CONNECT_TIMEOUT_S = 5  # unless the URL says otherwise
LOCK_TIMEOUT_S = 30  # how long an append waits for the head row
IDLE_TIMEOUT_S = 10  # how long a session may stop in a transaction, say a paused process: it holds the head row, and others wait
READERS_MAX = 16  # connections that read at once

# Plans are kept, and one made while the log was short would read all of it; the compiler takes 40 ms a plan, and none here is worth that.
_BY_INDEX: LiteralString = "SET enable_seqscan = off; SET jit = off"

Connection = psycopg.Connection[tuple[Any, ...]]
Cursor = psycopg.Cursor[tuple[Any, ...]]


def parse(url: str) -> tuple[str, str]:
    """The connection parameters that ``url`` and we ask for, and where that is, told to people without the password.

    Raises:
        SettingsError: the URL is wrong.
    """
    try:
        asked = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise SettingsError(f"the store's URL is wrong: {error}") from error
    place = f"postgresql://{asked.get('host', '')}:{asked.get('port', 5432)}/{asked.get('dbname', '')}"
    ours: dict[str, str | int | None] = {"application_name": "rledger", "connect_timeout": CONNECT_TIMEOUT_S}
    return make_conninfo("", **(ours | asked)), place


def connect(conninfo: str) -> Connection:
    """A connection in autocommit mode that writes durably, waits ``LOCK_TIMEOUT_S`` for a lock and finds by index."""
    connection = psycopg.connect(conninfo, autocommit=True)
    connection.execute(_BY_INDEX)
    connection.execute("SET synchronous_commit = on")
    connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_TIMEOUT_S}s'")
    return connection


class Datastore(PostgresDatastore):
    """eventsourcing's pool of connections to the schema ``ledger``, opened when first used and checked before each use."""

    def __init__(self, conninfo: str) -> None:
        super().__init__("", "", "", "", "", schema="ledger", originator_id_type="text", max_overflow=READERS_MAX - 1, pre_ping=True)
        self.pool.conninfo = conninfo
        self.pool.kwargs = {"row_factory": dict_row}

    def after_connect_func(self) -> Callable[[psycopg.Connection[Any]], None]:
        set_up = super().after_connect_func()

        def after_connect(connection: psycopg.Connection[Any]) -> None:
            set_up(connection)
            connection.execute(_BY_INDEX)

        return after_connect

    def register_type_adapters(self) -> None:
        """Look for nothing: the composite type is for inserting in eventsourcing's way."""


def told(place: str, error: Exception) -> LedgerError | None:
    """The error of ours for ``error``, or None where it is a bug."""
    cause = error.__cause__ or error  # eventsourcing wraps psycopg's
    match cause:
        case psycopg.errors.RaiseException() if cause.diag.message_primary and cause.diag.message_primary.startswith("immutable: "):
            return ImmutableError(cause.diag.message_primary)
        case psycopg.errors.LockNotAvailable():
            return StoreUnavailableError(
                f"the head of the ledger in {place} has been locked by another session for {LOCK_TIMEOUT_S} s; nothing was appended: "
                "end that session (pg_stat_activity shows it), then try again"
            )
        case psycopg.OperationalError() | psycopg.InterfaceError() | psycopg.errors.IdleInTransactionSessionTimeout():
            return StoreUnavailableError(
                f"{place} cannot be used now ({str(cause).strip()}): check the server, then try again; "
                "should the last append have come through after all, appending it again changes nothing"
            )
        case psycopg.errors.InsufficientPrivilege() | psycopg.errors.ReadOnlySqlTransaction():
            return StoreUnavailableError(f"{place} refuses us ({str(cause).strip()}): grant the rights, or connect to the primary")
    return None
