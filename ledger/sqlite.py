"""The ledger in one SQLite file: eventsourcing's recorder, with dense positions, exactly-once appends and a log nobody can change.

One connection writes, in ``BEGIN IMMEDIATE`` transactions made durable by ``synchronous=FULL``; other processes may write to the
same file in turn. Readers have connections of their own and never wait for the writer. All SQL of the SQLite store is here and in the
modules beside, ``sqlite_*.py``.
"""

import contextlib
import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from eventsourcing.sqlite import SQLiteCursor, SQLiteDatastore, SQLiteProcessRecorder

from ledger import letters, sqlite_besides, sqlite_copies, sqlite_keys
from ledger import sqlite_append as append
from ledger import sqlite_connections as connections
from ledger import sqlite_schema as schema
from ledger.check import Findings
from ledger.interface import Beside, Head, KeptCheckpoint, Take, Tree
from ledger.newest import Newest
from ledger.plan import Outcome, Plan, Request, Row, plan
from ledger.proof.merkle import Frontier
from ledger.recorder import LedgerRecorder
from ledger.sqlite_connections import make_file, set_up, told, waiting_for_others
from ledger.sqlite_wal import Copier
from ledger.vault import KeptKey, Sealer, Vault
from schemas.errors import ImmutableError, SettingsError, StoreOlderError
from schemas.touchpoint import Stored

POLL_MIN_S, POLL_MAX_S = 0.0003, 0.010  # how often a waiting reader looks for what other processes wrote; a look is 5 us, to wake 25


class SQLiteLedgerRecorder(LedgerRecorder, SQLiteProcessRecorder):
    """Records events, source offsets and dead letters in the file at ``path``, and reads them.

    Args:
        path: of the file; created with its folder, readable by its owner alone, unless ``read_only``.
        clock: returns now, microseconds since 1970 UTC.
        vault: what is personal is sealed with.

    Raises:
        SettingsError: the file is not a ledger, or ``read_only`` and there is none.
        StoreNewerError: a newer version of this program wrote it.
        StoreOlderError: an older version wrote it, and ``read_only``; opened for writing, it is brought up to date.
        StoreUnavailableError: it cannot be opened or is locked.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int], vault: Vault, read_only: bool = False) -> None:
        self.path, self._clock, self._vault = path, clock, vault
        self._uri = f"file:{quote(str(path.absolute()))}" + ("?mode=ro" if read_only else "")
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._grown = threading.Condition()
        self._writing = threading.Lock()
        self._copier = Copier(path, connections.CHECKPOINT_PAGES)
        super().__init__(SQLiteDatastore(self._uri, originator_id_type="text"))
        self._writer: sqlite3.Connection | None = None
        self._newest = Newest()
        if read_only:
            found = self._version() if path.exists() else 0
            if not found:
                raise SettingsError(f"there is no ledger at {path}: append something first, or correct the path")
            if found < schema.SCHEMA_VERSION:
                raise StoreOlderError(str(path))
        else:
            make_file(path)
            with self._telling():
                self._writer = self._open_writer()

    # Writing

    def record(self, requests: Sequence[Request], committing: Callable[[], None]) -> list[Outcome]:
        made = None
        while made is None:
            made = self._attempt(requests, committing)
        if made.rows:
            with self._grown:
                self._grown.notify_all()
        return made.outcomes

    def _attempt(self, requests: Sequence[Request], committing: Callable[[], None]) -> Plan | None:
        """Carry out ``requests`` in one commit. None: what was supposed is wrong, or may be, and nothing was kept; suppose no more."""
        supposing = self._newest.supposing
        try:
            with self._changing() as writer:
                supposing = supposing and schema.refuses_repeats(writer)
                known = append.look_up(writer, requests, self._newest, supposing=supposing)
                made = plan(requests, known, self._vault, now_us=self._clock())
                # Where one identity came again, the next append looks for more; where none did, it supposes again.
                self._newest.supposing = len(made.rows) == sum(len(request.touchpoints) for request in requests)
                if supposing and not self._newest.supposing:
                    return None
                append.write(writer, made)
                committing()
        except ImmutableError:
            if not supposing:
                raise
            self._newest.refused()
            return None
        self._newest.left(known.position)
        return made

    def keep_checkpoint(self, size: int, note: bytes) -> None:
        with self._changing() as writer:
            sqlite_besides.keep_checkpoint(writer, size, self._clock(), note)

    def take_origin(self, origin: str) -> None:
        with self._changing() as writer:
            sqlite_copies.take_origin(writer, origin)

    def load(self, rows: Sequence[Row], tree: Frontier) -> None:
        with self._changing() as writer:
            sqlite_copies.expect_end(writer, rows[0][0] - 1)
            append.write(writer, Plan(rows[-1][4], tree, list(rows)))

    def put_besides(self, rows: Iterable[Beside]) -> None:
        with self._changing() as writer:
            sqlite_copies.put_besides(writer, rows)
            sqlite_besides.count(writer)

    def rewrap(self, master: str, rewrapped: Callable[[KeptKey], KeptKey], limit: int) -> int:
        with self._changing() as writer:
            found = sqlite_keys.under_others(writer, master, limit)
            sqlite_keys.rewrap(writer, found, list(map(rewrapped, found)))
            return len(found)

    def seal_letters(self, limit: int) -> int:
        with self._changing() as writer:
            rows = sqlite_besides.plain_letters(writer, limit)
            asked = letters.sealing_for(rows)
            keys = append.keys(writer, sqlite_keys.OF, asked)
            sealer = Sealer(self._vault, asked, keys, last=sqlite_keys.last(writer), now_us=self._clock())
            changes = letters.sealings(rows, sealer)
            sqlite_keys.add(writer, sealer.made)
            sqlite_besides.change_letters(writer, changes)
            return len(changes)

    def erase_letters(self, numbers: Sequence[int], key_number: int) -> None:
        with self._changing() as writer:
            rows = map(letters.Row._make, append.lookup(writer, sqlite_besides.NUMBERED, numbers))
            sqlite_besides.change_letters(writer, letters.erasures({row.number: row for row in rows}.values(), key_number))

    def scrub(self) -> bool:
        """The file holds no destroyed key any more, for ``secure_delete`` overwrites; this empties the write-ahead log, too."""
        if self._writer is None:
            raise ValueError(f"{self.path} was opened read-only")
        with self._writing, self._copier.idle, self._telling():
            ((busy, _, _),) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return not busy

    # Reading

    def keys(self, numbers: Collection[int]) -> list[KeptKey]:
        with self._reading() as reader:
            return append.keys(reader, sqlite_keys.NUMBERED, list(numbers))

    def key_of(self, relationship: str) -> KeptKey | None:
        with self._reading() as reader:
            return next(iter(append.keys(reader, sqlite_keys.OF, [relationship])), None)

    def besides(self, take: Take) -> Tree:
        with self._reading() as reader:
            return sqlite_copies.besides(reader, take)

    def head(self) -> Head:
        with self._reading() as reader:
            return Head(*reader.execute("SELECT position, recorded_us FROM ledger_head").fetchone())

    def tree(self) -> Tree:
        with self._reading() as reader:
            ((origin, frontier, root),) = reader.execute("SELECT origin, frontier, root FROM ledger_head")
            return Tree(origin, Frontier.decode(frontier), root)

    def read(self, after: int, limit: int) -> list[Stored]:
        with self._reading() as reader:
            rows = reader.execute("SELECT * FROM events WHERE position > ? ORDER BY position LIMIT ?", (after, limit))
            return list(itertools.starmap(Stored, rows))

    def rows(self, after: int, limit: int) -> list[Row]:
        with self._reading() as reader:
            columns = "rowid, originator_id, originator_version, topic, recorded_us, state, identity"
            rows = reader.execute(f"SELECT {columns} FROM stored_events WHERE rowid > ? ORDER BY rowid LIMIT ?", (after, limit))  # noqa: S608
            return rows.fetchall()

    def history(self, relationship: str, after_version: int, limit: int | None) -> list[Stored]:
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT * FROM events WHERE relationship = ? AND version > ? ORDER BY version LIMIT ?",
                (relationship, after_version, -1 if limit is None else limit),
            )
            return list(itertools.starmap(Stored, rows))

    def histories(self, after: tuple[str, int], upto: int, limit: int) -> list[Stored]:
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT * FROM events WHERE (relationship, version) > (?, ?) AND position <= ? ORDER BY relationship, version LIMIT ?",
                (*after, upto, limit),
            )
            return list(itertools.starmap(Stored, rows))

    def find(self, identity: bytes) -> Stored | None:
        with self._reading() as reader:
            row = reader.execute(
                "SELECT * FROM events WHERE position = (SELECT rowid FROM stored_events WHERE identity = ?)", (identity,)
            ).fetchone()
            return None if row is None else Stored(*row)

    def next_offsets(self, streams: Sequence[str]) -> dict[str, int]:
        with self._reading() as reader:
            return dict(append.lookup(reader, append.OFFSETS, streams))

    def streams(self, prefix: str) -> dict[str, int]:
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT application_name, notification_id FROM tracking WHERE substr(application_name, 1, length(?1)) = ?1", (prefix,)
            )
            return dict(rows.fetchall())

    def dead_letters(self, after: int, limit: int, waiting: bool | None) -> list[letters.Row]:  # noqa: FBT001
        with self._reading() as reader:
            rows = reader.execute(
                "SELECT * FROM dead_letters WHERE number > ?1 AND (?3 IS NULL OR (replayed_us IS NULL) = ?3) ORDER BY number LIMIT ?2",
                (after, limit, waiting),
            )
            return list(map(letters.Row._make, rows))

    def plain_letters(self, limit: int) -> list[letters.Row]:
        with self._reading() as reader:
            return sqlite_besides.plain_letters(reader, limit)

    def checkpoints(self, newest: int | None) -> list[KeptCheckpoint]:
        with self._reading() as reader:
            rows = reader.execute("SELECT * FROM checkpoints ORDER BY number DESC LIMIT ?", (-1 if newest is None else newest,))
            return list(itertools.starmap(KeptCheckpoint, rows))

    def wait_beyond(self, after: int, timeout_s: float) -> bool:
        """Wait until the log is longer than ``after``; woken at once by this process, within ``POLL_MAX_S`` by another."""
        started = time.monotonic()
        while self.head().position <= after:
            waited = time.monotonic() - started
            if waited >= timeout_s:
                return False
            pause = min(max(waited / 50, POLL_MIN_S), POLL_MAX_S, timeout_s - waited)
            with self._grown:
                self._grown.wait(pause)
        return True

    def inspect(self) -> Findings:
        with self._reading() as reader:
            return schema.inspect(reader, str(self.path))

    def differing(self) -> list[str]:
        with self._reading() as reader:
            return sqlite_besides.differing(reader)

    def index_sums(self) -> tuple[int, int]:
        with self._reading() as reader:
            return schema.index_sums(reader)

    def close(self) -> None:
        """Close every connection, after the commit on its way; the last process to do so folds the write-ahead log into the file."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        self.datastore.close()
        with self._writing:
            self._copier.close()
            if self._writer is not None:
                self._writer.close()

    # Connections

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, uri=True, isolation_level=None, check_same_thread=False, timeout=connections.LOCK_TIMEOUT_S)

    def _open_writer(self) -> sqlite3.Connection:
        writer = self._connect()
        try:
            schema.version(writer, self.path)  # before anything is set up in a file that is none of ours
            set_up(writer, self.path)
            with self._transaction(writer):
                if not (found := schema.version(writer, self.path)):
                    self._create_table(SQLiteCursor(writer.cursor()))
                    sqlite_besides.count(writer)
                else:
                    schema.upgrade(writer, found)
                schema.sign(writer)
        except BaseException:
            writer.close()
            raise
        return writer

    def construct_create_table_statements(self) -> list[str]:
        """Our tables in place of eventsourcing's; its ``_create_table`` marks ``tracking`` as being of its current form."""
        return list(schema.CREATE)

    def _version(self) -> int:
        with self._reading() as reader:
            return schema.version(reader, self.path)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One writing transaction of one thread."""
        if self._writer is None:
            raise ValueError(f"{self.path} was opened read-only")
        with self._writing, self._telling(), self._transaction(self._writer) as writer:
            yield writer
        self._copier.look()

    @contextlib.contextmanager
    def _transaction(self, writer: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        """One writing transaction, waiting for other processes' at its beginning only."""
        waiting_for_others(writer, "BEGIN IMMEDIATE")
        try:
            yield writer
            writer.execute("COMMIT")
        except BaseException:
            if writer.in_transaction:  # a full disk may have rolled it back already
                writer.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """An idle reading connection, or a new one: as many as there are threads that read at once."""
        with self._telling():
            try:
                reader = self._idle.pop()
            except IndexError:
                reader = self._connect()
                reader.execute("PRAGMA query_only = ON")
            try:
                yield reader
            finally:
                if self._closed:
                    reader.close()
                else:
                    self._idle.append(reader)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn SQLite's errors into ours; those that only a bug of ours can cause stay as they are."""
        try:
            yield
        except sqlite3.Error as error:
            raise told(self.path, error) or error from error
