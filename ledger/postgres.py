"""The ledger in a PostgreSQL database: eventsourcing's recorder, with dense positions, exactly-once appends and a log nobody can change.

A transaction locks the head row first, so commits follow each other in the order of their positions, whoever makes them. Events go in
by binary COPY. All SQL of the PostgreSQL store is here and in the modules beside, ``postgres_*.py``.
"""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing

import eventsourcing.persistence
import psycopg
from eventsourcing.postgres import PostgresProcessRecorder
from psycopg.rows import tuple_row

from ledger import letters, postgres_besides, postgres_copies, postgres_keys
from ledger import postgres_append as append
from ledger import postgres_schema as schema
from ledger.check import Findings
from ledger.interface import Beside, Head, KeptCheckpoint, Take, Tree
from ledger.plan import Outcome, Plan, Request, Row
from ledger.postgres_appender import PAUSE_S, Appender
from ledger.postgres_connections import Connection, Cursor, Datastore, connect, parse, told, why
from ledger.proof.merkle import Frontier
from ledger.recorder import LedgerRecorder
from ledger.vault import KeptKey, Sealer, Vault
from schemas.errors import SettingsError, StoreNewerError, StoreOlderError
from schemas.touchpoint import Stored

POLL_S = 1.0  # how long a waiting reader trusts to be notified: a notification may be lost with its connection


class PostgresLedgerRecorder(LedgerRecorder, PostgresProcessRecorder):
    """Records events, source offsets and dead letters in the database at ``url``, and reads them.

    Args:
        url: ``postgresql://...``, with any of libpq's parameters.
        clock: returns now, microseconds since 1970 UTC.
        vault: what is personal is sealed with.
        read_only: create nothing, append nothing.

    Raises:
        SettingsError: the URL is wrong, or ``read_only`` and there is no ledger.
        StoreNewerError: a newer version of this program wrote it.
        StoreOlderError: an older version wrote it, and ``read_only``; opened for writing, it is brought up to date.
        StoreUnavailableError: the server cannot be reached or refuses us.
    """

    def __init__(self, url: str, *, clock: Callable[[], int], vault: Vault, read_only: bool = False) -> None:
        self._clock, self._vault, self._read_only = clock, vault, read_only
        self._conninfo, self.place = parse(url)
        self._appender = Appender(self._conninfo, clock, vault)
        self._listener: Connection | None = None
        self._writing, self._listening = threading.Lock(), threading.Lock()
        super().__init__(Datastore(self._conninfo), events_table_name="stored_events", tracking_table_name="tracking")
        with self._telling():
            self._recognise()

    # Writing

    def record(self, requests: Sequence[Request], committing: Callable[[], None]) -> list[Outcome]:
        if self._read_only:
            raise ValueError(f"{self.place} was opened read-only")
        committing()  # the server works from the first question on
        with self._writing, self._telling(appending=True):
            return self._appender.record(requests)

    def keep_checkpoint(self, size: int, note: bytes) -> None:
        with self._changing() as cursor:
            postgres_besides.keep_checkpoint(cursor, size, self._clock(), note)

    def take_origin(self, origin: str) -> None:
        with self._changing() as cursor:
            postgres_copies.take_origin(cursor, origin)

    def load(self, rows: Sequence[Row], tree: Frontier) -> None:
        with self._changing() as cursor:
            postgres_copies.expect_end(cursor, rows[0][0] - 1)
            append.write_events(cursor, Plan(rows[-1][4], tree, list(rows)))
            cursor.execute("NOTIFY " + append.CHANNEL)

    def put_besides(self, rows: Iterable[Beside]) -> None:
        with self._changing() as cursor:
            cursor.execute("SELECT FROM ledger.ledger_head FOR UPDATE")  # what is counted then stays as it is
            postgres_copies.put_besides(cursor, rows)
            postgres_besides.count(cursor.connection)

    def rewrap(self, master: str, rewrapped: Callable[[KeptKey], KeptKey], limit: int) -> int:
        with self._changing() as cursor:
            cursor.execute("SELECT FROM ledger.ledger_head FOR UPDATE")  # new keys are wrapped by what the ledger's own is wrapped by
            found = postgres_keys.under_others(cursor, master, limit)
            postgres_keys.rewrap(cursor, found, list(map(rewrapped, found)))
            return len(found)

    def seal_letters(self, limit: int) -> int:
        with self._changing() as cursor:
            cursor.execute("SELECT FROM ledger.ledger_head FOR UPDATE")  # nobody makes keys meanwhile
            rows = postgres_besides.plain_letters(cursor, limit)
            asked = letters.sealing_for(rows)
            keys = [KeptKey(*row) for row in cursor.execute(postgres_keys.OF, (asked,)).fetchall()]
            ((last,),) = cursor.execute(postgres_keys.LAST).fetchall()
            sealer = Sealer(self._vault, asked, keys, last=last, now_us=self._clock())
            changes = letters.sealings(rows, sealer)
            postgres_keys.add(cursor, sealer.made)
            postgres_besides.change_letters(cursor, changes)
            return len(changes)

    def erase_letters(self, numbers: Sequence[int], key_number: int) -> None:
        with self._changing() as cursor:
            cursor.execute("SELECT FROM ledger.ledger_head FOR UPDATE")  # nobody replays one meanwhile
            rows = postgres_besides.numbered_letters(cursor, numbers)
            postgres_besides.change_letters(cursor, letters.erasures(rows, key_number))

    def scrub(self) -> bool:
        """Dead rows of keys and dead letters are removed; where an old snapshot still sees them, by a later vacuum."""
        if self._read_only:
            raise ValueError(f"{self.place} was opened read-only")
        with self._telling(), closing(connect(self._conninfo)) as connection:
            connection.execute("VACUUM ledger.keys, ledger.dead_letters")
        return True

    # Reading

    def keys(self, numbers: Collection[int]) -> list[KeptKey]:
        with self._reading() as cursor:
            return list(itertools.starmap(KeptKey, cursor.execute(postgres_keys.NUMBERED, (list(numbers),)).fetchall()))

    def key_of(self, relationship: str) -> KeptKey | None:
        with self._reading() as cursor:
            row = cursor.execute(postgres_keys.OF, ([relationship],)).fetchone()
            return None if row is None else KeptKey(*row)

    def besides(self, take: Take) -> Tree:
        with self._telling(), closing(connect(self._conninfo)) as connection:
            return postgres_copies.besides(connection, take)

    def head(self) -> Head:
        with self._reading() as cursor:
            cursor.execute("SELECT position, recorded_us FROM ledger.ledger_head")
            ((position, recorded_us),) = cursor
            return Head(position, recorded_us)

    def tree(self) -> Tree:
        with self._reading() as cursor:
            cursor.execute("SELECT origin, frontier, root FROM ledger.ledger_head")
            ((origin, frontier, root),) = cursor
            return Tree(origin, Frontier.decode(frontier), root)

    def read(self, after: int, limit: int) -> list[Stored]:
        with self._reading() as cursor:
            cursor.execute("SELECT * FROM ledger.events WHERE position > %s ORDER BY position LIMIT %s", (after, limit))
            return list(itertools.starmap(Stored, cursor.fetchall()))

    def rows(self, after: int, limit: int) -> list[Row]:
        with self._reading() as cursor:
            cursor.execute(
                "SELECT notification_id, originator_id, originator_version, topic, recorded_us, state, identity"
                " FROM ledger.stored_events WHERE notification_id > %s ORDER BY notification_id LIMIT %s",
                (after, limit),
            )
            return cursor.fetchall()

    def history(self, relationship: str, after_version: int, limit: int | None) -> list[Stored]:
        with self._reading() as cursor:
            cursor.execute(
                "SELECT * FROM ledger.events WHERE relationship = %s AND version > %s ORDER BY version LIMIT %s",
                (relationship, after_version, limit),
            )
            return list(itertools.starmap(Stored, cursor.fetchall()))

    def histories(self, after: tuple[str, int], upto: int, limit: int) -> list[Stored]:
        with self._reading() as cursor:
            cursor.execute(
                "SELECT * FROM ledger.events WHERE (relationship, version) > (%s, %s) AND position <= %s"
                " ORDER BY relationship, version LIMIT %s",
                (*after, upto, limit),
            )
            return list(itertools.starmap(Stored, cursor.fetchall()))

    def find(self, identity: bytes) -> Stored | None:
        with self._reading() as cursor:
            cursor.execute(
                "SELECT * FROM ledger.events WHERE position = (SELECT notification_id FROM ledger.stored_events WHERE identity = %s)",
                (identity,),
            )
            row = cursor.fetchone()
            return None if row is None else Stored(*row)

    def next_offsets(self, streams: Sequence[str]) -> dict[str, int]:
        with self._reading() as cursor:
            return dict(cursor.execute(append.OFFSETS, (list(streams),)).fetchall())

    def streams(self, prefix: str) -> dict[str, int]:
        with self._reading() as cursor:
            cursor.execute(
                "SELECT application_name, notification_id FROM ledger.tracking WHERE starts_with(application_name, %s)", (prefix,)
            )
            return dict(cursor.fetchall())

    def dead_letters(self, after: int, limit: int, waiting: bool | None) -> list[letters.Row]:  # noqa: FBT001
        with self._reading() as cursor:
            cursor.execute(
                "SELECT * FROM ledger.dead_letters WHERE number > %s AND (replayed_us IS NULL) = coalesce(%s, replayed_us IS NULL)"
                " ORDER BY number LIMIT %s",
                (after, waiting, limit),
            )
            return list(map(letters.Row._make, cursor.fetchall()))

    def plain_letters(self, limit: int) -> list[letters.Row]:
        with self._reading() as cursor:
            return postgres_besides.plain_letters(cursor, limit)

    def checkpoints(self, newest: int | None) -> list[KeptCheckpoint]:
        with self._reading() as cursor:
            cursor.execute("SELECT * FROM ledger.checkpoints ORDER BY number DESC LIMIT %s", (newest,))
            return list(itertools.starmap(KeptCheckpoint, cursor.fetchall()))

    def wait_beyond(self, after: int, timeout_s: float) -> bool:
        """Wait until the log is longer than ``after``; woken by the commit that makes it so, or within ``POLL_S``."""
        deadline = time.monotonic() + timeout_s
        while self.head().position <= after:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._listen(min(left, POLL_S))
        return True

    def _listen(self, timeout_s: float) -> None:
        """Wait for a notification. One thread listens; while it does, others only wait for it to return."""
        if not self._listening.acquire(blocking=False):
            if self._listening.acquire(timeout=timeout_s):
                self._listening.release()
            return
        try:
            if self._listener is None:
                self._listener = connect(self._conninfo)
                if not self._listener.shared:
                    self._listener.execute("LISTEN " + append.CHANNEL)
                return  # what was committed before has not been heard: look again first
            for _ in self._listener.notifies(timeout=timeout_s, stop_after=1):
                pass
        except psycopg.OperationalError:
            if self._listener is not None:
                self._listener.close()
                self._listener = None
            time.sleep(min(timeout_s, PAUSE_S))
        finally:
            self._listening.release()

    def differing(self) -> list[str]:
        with self._telling(), closing(connect(self._conninfo)) as connection:
            return postgres_besides.differing(connection)

    def index_sums(self) -> None:
        return None

    def inspect(self) -> Findings:
        with self._reading() as cursor:
            return schema.inspect(cursor, self.place)

    def close(self) -> None:
        with self._writing:
            self._appender.close()
        with self._listening:
            if self._listener is not None:
                self._listener.close()
        self.datastore.close()

    # Connections

    def _recognise(self) -> None:
        """Read the schema's version, creating the tables where there are none yet."""
        with closing(connect(self._conninfo)) as connection, connection.transaction():
            connection.settle()
            version = schema.version(connection)
            if version is None:
                if self._read_only:
                    raise SettingsError(f"there is no ledger in {self.place}: append something first, or correct the URL")
                schema.create(connection)
            elif version > schema.SCHEMA_VERSION:
                raise StoreNewerError(self.place, version, schema.SCHEMA_VERSION)
            elif version < schema.SCHEMA_VERSION:
                if self._read_only:
                    raise StoreOlderError(self.place)
                schema.upgrade(connection)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Cursor]:
        """One writing transaction on a connection of its own; what appends do has one that stays."""
        if self._read_only:
            raise ValueError(f"{self.place} was opened read-only")
        with (
            self._telling(),
            closing(connect(self._conninfo)) as connection,
            connection.transaction(),
            connection.cursor(binary=True) as cursor,
        ):
            connection.settle()
            yield cursor

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Cursor]:
        with (
            self._telling(),
            self.datastore.get_connection() as connection,
            connection.cursor(binary=True, row_factory=tuple_row) as cursor,
        ):
            yield cursor

    @contextlib.contextmanager
    def _telling(self, *, appending: bool = False) -> Iterator[None]:
        """Turn PostgreSQL's errors into ours; those that only a bug of ours can cause stay as they are."""
        try:
            yield
        except (psycopg.Error, eventsourcing.persistence.PersistenceError) as error:
            raise told(self.place, why(self._conninfo, error), appending=appending) or error from error
