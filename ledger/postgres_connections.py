"""Connections to a PostgreSQL ledger: how they are made and set up, and what their errors mean to the rest of the house.

A session is as this program needs it, whatever its role, its database and the environment of the process say. Behind a pooler that gives
every transaction another session (``shared``), nothing is kept from one to the next: what a transaction rests on is set within it.
"""

from collections.abc import Callable, Mapping
from typing import Any, LiteralString, cast

import psycopg
import psycopg.pq
from eventsourcing.postgres import PostgresDatastore
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout

from schemas.errors import ImmutableError, LedgerError, SettingsError, StoreUnavailableError

CONNECT_TIMEOUT_S = 5  # unless the URL says otherwise
LOCK_TIMEOUT_S = 30  # how long an append waits for the head row
IDLE_TIMEOUT_S = 10  # how long a session may stop in a transaction, say a paused process: it holds the head row, and others wait
READERS_MAX = 16  # connections that read at once

OURS: Mapping[str, str] = {
    "statement_timeout": "0",  # an upgrade, a comparison and a count of sums take as long as the log is
    "transaction_timeout": "0",
    "idle_session_timeout": "0",  # we listen, and hold the lock of a rebuild
    "default_transaction_isolation": "read committed",  # what others committed while we waited for a lock is what we then see
    "standard_conforming_strings": "on",  # a backslash is one
    "jit": "off",  # compiling a plan takes 40 ms, and none here is worth that
}
"""Of every session. What a server is too old to know is left out."""
BY_INDEX: Mapping[str, str] = {"enable_seqscan": "off"}
"""Plans are kept, and one made while the log was short would read all of it."""
_SET: LiteralString = """
    SELECT set_config(name, value, %s) FROM unnest(%s::text[], %s::text[]) AS ours (name, value)
    WHERE current_setting(name, true) IS NOT NULL
"""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection in autocommit mode; ``set_up`` makes it ours."""

    shared = False
    settings: Mapping[str, str] = {}

    def set_up(self, settings: Mapping[str, str] = {}) -> None:
        """Find out who answers, and set the session up: as all of ours are, and by ``settings``."""
        self.settings = {**OURS, **settings}
        ((pid,),) = self.execute("SELECT pg_backend_pid()")
        self.shared = pid != self.info.backend_pid  # a pooler makes one up
        if self.shared:
            self.prepare_threshold = None  # the next session would not know what this one prepared
        else:
            self._set(of_transaction=False)

    def begin(self) -> None:
        """Begin a transaction, in a pipeline without waiting."""
        self.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        self.settle()

    def settle(self) -> None:
        """At the beginning of a transaction: make it as the session would be, if that is not ours alone."""
        if self.shared:
            self._set(of_transaction=True)

    def _set(self, *, of_transaction: bool) -> None:
        self.execute(_SET, (of_transaction, list(self.settings), list(self.settings.values())))


Cursor = psycopg.Cursor[tuple[Any, ...]]


def parse(url: str) -> tuple[str, str]:
    """The connection parameters that ``url`` and we ask for, and where that is, told to people without the password.

    Raises:
        SettingsError: the URL is wrong.
    """
    try:
        asked = conninfo_to_dict(url)
        wrong = None if all(map(_can_be, asked.items())) else ""
    except psycopg.ProgrammingError as error:
        wrong = str(error).strip() if "parameter" in str(error) else ""  # else it may quote the password
    if wrong is not None:
        raise SettingsError(
            f"the store's URL is wrong{wrong and f' ({wrong})'}: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with libpq's"
            " parameters behind a ?; in user and password write what is no letter or digit as % and its code, such as %40 for @"
        )
    found = {one.keyword.decode(): one.val.decode() for one in psycopg.pq.Conninfo.get_defaults() if one.val is not None} | asked
    place = f"postgresql://{found.get('host', '')}:{found.get('port', 5432)}/{found.get('dbname', found.get('user', ''))}"
    ours: dict[str, str | int | None] = {"application_name": "rledger", "connect_timeout": CONNECT_TIMEOUT_S}
    return make_conninfo("", **(ours | asked | {"client_encoding": "UTF8"})), place


def _can_be(parameter: tuple[str, Any]) -> bool:
    """Whether a parameter is what it seems: an unwritten @ or / of a password moves what follows it into the host or the port."""
    name, value = parameter
    return not (name == "port" and not str(value).replace(",", "").isdigit()) and not (name == "host" and "@" in str(value)[1:])


def connect(conninfo: str) -> Connection:
    """A connection that writes durably, waits ``LOCK_TIMEOUT_S`` for a lock and finds by index."""
    connection = Connection.connect(conninfo, autocommit=True)
    lasting = {
        "synchronous_commit": "on",
        "lock_timeout": f"{LOCK_TIMEOUT_S}s",
        "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_S}s",
    }
    connection.set_up({**BY_INDEX, **lasting})
    return connection


class Datastore(PostgresDatastore):
    """eventsourcing's pool of connections to the schema ``ledger``, opened when first used and checked before each use."""

    def __init__(self, conninfo: str) -> None:
        super().__init__("", "", "", "", "", schema="ledger", originator_id_type="text", max_overflow=READERS_MAX - 1, pre_ping=True)
        self.pool.conninfo = conninfo
        self.pool.kwargs = {"row_factory": dict_row}
        self.pool.connection_class = cast("type[psycopg.Connection[Any]]", Connection)

    def after_connect_func(self) -> Callable[[psycopg.Connection[Any]], None]:
        set_up = super().after_connect_func()

        def after_connect(connection: psycopg.Connection[Any]) -> None:
            set_up(connection)
            cast("Connection", connection).set_up(BY_INDEX)

        return after_connect

    def register_type_adapters(self) -> None:
        """Look for nothing: the composite type is for inserting in eventsourcing's way."""


def why(conninfo: str, error: Exception) -> Exception:
    """``error``, or what hinders a connection, which a pool that waited for one in vain does not say."""
    if isinstance(error.__cause__ or error, PoolTimeout):
        try:
            Connection.connect(conninfo).close()
        except psycopg.OperationalError as hindrance:
            return hindrance
    return error


def told(place: str, error: Exception, *, appending: bool = False) -> LedgerError | None:
    """The error of ours for ``error``, or None where it is a bug. ``appending``: something may have been written."""
    cause = error.__cause__ or error  # eventsourcing wraps psycopg's
    said = str(cause).strip()
    match cause:
        case psycopg.errors.RaiseException() if cause.diag.message_primary and cause.diag.message_primary.startswith("immutable: "):
            return ImmutableError(cause.diag.message_primary)
        case psycopg.errors.LockNotAvailable():
            return StoreUnavailableError(
                f"the head of the ledger in {place} has been locked by another session for {LOCK_TIMEOUT_S} s; nothing was appended: "
                "end that session (pg_stat_activity shows it), then try again"
            )
        case psycopg.OperationalError() | psycopg.InterfaceError() | psycopg.errors.IdleInTransactionSessionTimeout():
            after = "; should the last append have come through after all, appending it again changes nothing" if appending else ""
            return StoreUnavailableError(f"{place} cannot be used now ({said}): check the server and RLEDGER_STORE, then try again{after}")
    return refused(place, cause)


def refused(place: str, error: BaseException) -> LedgerError | None:
    """The error of ours where the server does not let us do what ``error`` says; None where it is another."""
    said = str(error).strip()
    match error:
        case psycopg.errors.InsufficientPrivilege():
            return StoreUnavailableError(
                f"{place} refuses us ({said}): let the role create schemas in the database, or create the schemas ledger and views with"
                " it as their owner; docs/postgresql.md has the commands"
            )
        case psycopg.errors.ReadOnlySqlTransaction():
            return StoreUnavailableError(
                f"{place} refuses us ({said}): connect to the primary if this is a standby, or set default_transaction_read_only off"
                " for the role if it shall write"
            )
    return None
