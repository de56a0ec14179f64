"""What a store of views does: the same on SQLite and PostgreSQL, held by one suite of tests.

Rows go in and out as cells: the public columns of a table, then ``evaluated_us``, ``due_us``, ``recorded_us``, ``position`` and ``state``.
Every method may raise ``StoreUnavailableError``: nothing was written, try again.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self

import msgspec

from projections.projection import Projection
from projections.stores.slices import Share, Slice
from projections.tables import Table

ViewStatus = Literal["live", "rebuilding"]
Purpose = Literal["worker", "rebuild"]
Cells = tuple[Any, ...]


class Progress(msgspec.Struct, frozen=True):
    """How far one table is: a row of ``projections``.

    build: counts the tables there have been. commits: counts the writes to this one. A writer that finds others than it left starts over.
    position: of the last event folded; ``recorded_us`` is that event's.
    tick_us: when the newest close of a day up to ``position`` was recorded, 0 for none; of ``swept_us``, the last one for which all rows
        that were due by then are published.
    policy: digest of the policy it follows, empty where it follows none.
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
    policy: str = ""

    def shows(self, projection: Projection) -> bool:
        """Whether the table holds what ``projection`` makes: the same version, under the same policy."""
        return self.version == projection.version and self.policy == projection.policy


MOVED = ("updated_us", "position", "recorded_us", "tick_us", "swept_us")
"""What a commit moves of ``Progress``."""


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
    attempts: int = 1


class StoredState(NamedTuple):
    """What stands beside the public columns of a row."""

    key: str
    state: bytes
    position: int
    recorded_us: int
    due_us: int | None


class Page(msgspec.Struct, frozen=True):
    """Rows of a table in the order of one public column, then of the key; NULLs last.

    where: column -> value, or a list, tuple or set of values of which one must match. order_by: None for the key.
    after: the order column's value and the key of the last row seen. limit: rows at most; None for all.
    """

    where: Mapping[str, Any] = {}
    order_by: str | None = None
    descending: bool = False
    after: tuple[Any, str] | None = None
    limit: int | None = None

    @property
    def tests(self) -> Iterator[tuple[str, list[Any], bool]]:
        """Of each column in ``where``: its name, the values of which one must match, and whether NULL matches too."""
        for column, wanted in self.where.items():
            values = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
            yield column, [value for value in values if value is not None], None in values


class Difference(msgspec.Struct, frozen=True):
    """A row that is not what the log says. ``columns``: those that differ; empty where the row stands on one side alone."""

    key: str
    what: str  # changed, added (missing before), removed (should not have been there)
    columns: tuple[str, ...] = ()


class Comparison(msgspec.Struct, frozen=True):
    """The new table against the old one, row for row, public columns and state."""

    same: int
    changed: int
    added: int
    removed: int
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        return not (self.changed or self.added or self.removed)


DIFFERENCES_MAX = 10  # of each kind, told one by one; all are counted


class UnbindableError(Exception):
    """No column can hold a value of these rows (``keys``), such as an integer of more than 64 bits: their fault, not the store's."""

    def __init__(self, keys: Sequence[str], reason: object) -> None:
        self.keys = keys
        super().__init__(str(reason))


class Part(NamedTuple):
    """Slices whose live tables stand at one position."""

    position: int
    share: Share


class Holding(NamedTuple):
    """A slice of relationships, for people: who writes it (None: nobody who is alive), and how far it is (None: not built yet)."""

    first: int
    beyond: int
    epoch: int
    worker: str | None
    position: int | None


class Lock(ABC):
    """A lock that the process's death releases, or a worker's part in the work; released at the end of a ``with``."""

    @abstractmethod
    def look(self) -> Share:
        """What is ours to write now: nothing, where it is ``()``. A worker asks between commits; it may change then only.

        Raises:
            NotFoundError: what we kept was deleted. End, and begin anew.
        """

    @abstractmethod
    def release(self) -> None:
        """Give up what is held, so that others need not wait."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


class Writer(Protocol):
    """One connection that writes. One thread at a time."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit what is done inside, or nothing of it; inside another transaction of this writer, be part of that one.

        Writers of the same rows wait for each other's transactions.
        """

    def within(self, share: Share) -> "Writer":
        """A writer of some slices that is part of this one's transactions."""

    def holds(self, relationship: str) -> bool:
        """Whether the relationship is in the share that is written here."""

    def close(self) -> None: ...

    # How far tables are, and who waits

    def progress(self, names: Collection[str] | None = None) -> dict[str, Progress]:
        """How far each table (of ``names``) is in this writer's share, by its name, as the transaction under way sees it.

        Within a transaction, others that write these tables in this share wait from now on.
        """

    def parts(self, names: Collection[str]) -> list[Part]:
        """This writer's share by the position at which the live tables ``names`` stand, the lowest first; none where none of them is."""

    def forget(self) -> None:
        """Somebody else may have written rows of this share: what was read or written of them here no longer counts.

        Until this is said, a writer takes the rows it knows to stand as it left them.
        """

    def undisturbed(self) -> bool:
        """Within a transaction: whether nobody has written to this store since this writer's last commit, as far as that is known."""

    def add_progress(self, at: Progress) -> None:
        """Write how far a table is that was just made."""

    def put_progress(self, reached: Sequence[Progress]) -> list[Progress]:
        """Write how far tables are now, which counts as one more commit to each. Returns: the same as they are read from now on."""

    def revoke(self) -> None:
        """End every lease, in the transaction under way: nobody who holds one commits anything more."""

    def reslice(self, slices: Sequence[Slice]) -> None:
        """Put ``slices`` in the place of those there are, each as far as those that it overlaps, which stand at one position."""

    def waiting(self, projection: str) -> list[str]:
        """The parked relationships of a projection."""

    def waits(self, projection: str, relationship: str) -> tuple[str | None, int] | None:
        """The key that failed and the first position that waits, of a parked relationship; None: it is not parked."""

    def park(self, parked: Parked) -> None:
        """Keep events of a relationship waiting; one that waits already has made one more attempt."""

    def unpark(self, projection: str, relationship: str) -> None:
        """Its events flow again."""

    # Rows

    def load(self, table: Table, keys: Sequence[str]) -> Iterable[tuple[str, bytes]]:
        """Keys and states of those rows of ``keys`` that are there."""

    def load_one(self, table: Table, key: str) -> StoredState | None:
        """The row of ``key``."""

    def put(self, table: Table, rows: Sequence[Cells]) -> None:
        """Write whole rows, each in the place of one of the same key.

        Raises:
            UnbindableError: roll back; where it was one row alone, nothing happened.
        """

    def delete(self, table: Table, keys: Sequence[str]) -> None:
        """Remove rows."""

    def delete_relationship(self, table: Table, relationship: str) -> None:
        """Remove all rows of a relationship."""

    def due(self, table: Table, cursor: Any, by_us: int, limit: int) -> tuple[list[StoredState], Any]:  # noqa: ANN401
        """Up to ``limit`` rows behind ``cursor`` (None: from the start) that are due by a moment.

        Returns: the rows, and the cursor to go on from.
        """

    # Tables

    def create(self, table: Table) -> None:
        """Make the empty table, without its indexes."""

    def index(self, table: Table, build: int) -> None:
        """Make the indexes; ``build`` keeps their names apart from those of the table this one will replace."""

    def drop(self, name: str) -> None:
        """Remove a table and all that is known of it."""

    def replace(self, table: Table) -> int:
        """Give a table built beside the place of the live one, which was dropped. Returns: relationships parked in it."""

    def compare(self, table: Table) -> Comparison | None:
        """Compare a table built beside with the live one; only states where that is not published as of the last close of a day yet.

        None where somebody has taken the live table or columns of it away.
        """


class Store(Protocol):
    """Where the views of one ledger stand. Safe to share between threads.

    place: for people, without a password.
    """

    place: str

    def writer(self, share: Share) -> Writer:
        """A connection to write some slices with; the caller closes it."""

    def try_lock(self, purpose: Purpose) -> Lock | None:
        """Take all slices (or the one rebuild) until they are released; None while a worker that is alive has any (or another rebuilds)."""

    def join(self) -> Lock:
        """Take part in the work of keeping the views, with whoever else does."""

    def slices(self) -> list[Share]:
        """Each slice there is, as a share of its own; under no lease."""

    def holdings(self) -> list[Holding]:
        """Who writes which slice."""

    def progress(self) -> dict[str, Progress]:
        """How far each table is, by its name: as far as its last slice."""

    def parked(self, projection: str | None) -> list[Parked]:
        """Relationships whose events wait, oldest first; of one projection, or of all."""

    def rows(self, table: Table, page: Page) -> Iterator[Cells]:
        """All cells of the rows of a page, read as they are asked for, from one snapshot.

        Raises:
            SettingsError: at once: a column the table does not have.
        """

    def columns(self, table: Table, names: Sequence[str]) -> Iterator[Cells]:
        """Some public columns of every row and its ``evaluated_us``, in no order."""

    def scrub(self) -> bool:
        """Overwrite what is left of rows that were removed or written anew. Returns: whether nothing hindered it."""

    def close(self) -> None: ...
