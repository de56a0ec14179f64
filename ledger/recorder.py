"""What a store must do to stand behind the ledger, on top of what eventsourcing's recorders do.

The reading methods of eventsourcing read the same log, so its tools work on it. Its writing methods are refused: they know neither
identities nor the head, and what they wrote would break the promises.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from eventsourcing.persistence import NotSupportedError, StoredEvent, Tracking

from ledger import letters
from ledger.check import Findings
from ledger.interface import Beside, Head, KeptCheckpoint, Take, Tree
from ledger.plan import Outcome, Request, Row
from ledger.proof.merkle import Frontier
from ledger.vault import KeptKey
from schemas.touchpoint import Stored


class LedgerRecorder(ABC):
    """A store. ``record`` is called by one thread at a time, everything else by any. For what each does, see ``Ledger``."""

    @abstractmethod
    def record(self, requests: Sequence[Request], committing: Callable[[], None]) -> list[Outcome]:
        """Carry out ``requests`` in one durable commit and answer each; a refused one leaves no trace and the others alone.

        Args:
            requests: in the order they came.
            committing: is called, once or more, where the store is about to work for long and other threads may have Python.

        Raises:
            StoreUnavailableError: locked, full or down; nothing of any request was kept, unless the message says it may have been.
        """

    @abstractmethod
    def head(self) -> Head: ...

    @abstractmethod
    def tree(self) -> Tree: ...

    @abstractmethod
    def read(self, after: int, limit: int) -> list[Stored]: ...

    @abstractmethod
    def rows(self, after: int, limit: int) -> list[Row]:
        """Events as they stand, with their identities: what ``scan`` reads."""

    @abstractmethod
    def history(self, relationship: str, after_version: int, limit: int | None) -> list[Stored]: ...

    @abstractmethod
    def histories(self, after: tuple[str, int], upto: int, limit: int) -> list[Stored]: ...

    @abstractmethod
    def find(self, identity: bytes) -> Stored | None: ...

    @abstractmethod
    def next_offsets(self, streams: Sequence[str]) -> dict[str, int]: ...

    @abstractmethod
    def streams(self, prefix: str) -> dict[str, int]: ...

    @abstractmethod
    def dead_letters(self, after: int, limit: int, waiting: bool | None) -> list[letters.Row]: ...  # noqa: FBT001

    @abstractmethod
    def plain_letters(self, limit: int) -> list[letters.Row]:
        """Letters that stand as they came."""

    @abstractmethod
    def seal_letters(self, limit: int) -> int:
        """Seal up to ``limit`` letters that stand as they came, in one commit. Returns: how many; 0: none are left, or there is no key."""

    @abstractmethod
    def keep_checkpoint(self, size: int, note: bytes) -> None: ...

    @abstractmethod
    def checkpoints(self, newest: int | None) -> list[KeptCheckpoint]: ...

    @abstractmethod
    def keys(self, numbers: Collection[int]) -> list[KeptKey]: ...

    @abstractmethod
    def key_of(self, relationship: str) -> KeptKey | None: ...

    @abstractmethod
    def rewrap(self, master: str, rewrapped: Callable[[KeptKey], KeptKey], limit: int) -> int:
        """Wrap up to ``limit`` keys anew that are not under ``master``, in one commit. Returns: how many; 0: none are left."""

    @abstractmethod
    def erase_letters(self, numbers: Sequence[int], key_number: int) -> None:
        """Erase what dead letters hold, in one commit. ``key_number``: of the destroyed key of their relationship."""

    @abstractmethod
    def scrub(self) -> bool:
        """Overwrite what the store still has of destroyed keys. Returns: whether nothing hindered it."""

    @abstractmethod
    def wait_beyond(self, after: int, timeout_s: float) -> bool: ...

    @abstractmethod
    def inspect(self) -> Findings: ...

    @abstractmethod
    def differing(self) -> list[str]:
        """Tables of ``sums.TABLES`` whose rows are not those that were written: somebody altered them past the ledger. Reads them all."""

    @abstractmethod
    def index_sums(self) -> tuple[int, int] | None:
        """What the indexes of identities and of versions hold: the sum of each one's CRCs of key and position.

        Equal to the same sums over the rows, or an index differs from its table. None where that is left to the database's own tools.
        """

    @abstractmethod
    def besides(self, take: Take) -> Tree:
        """Hand over every row that is no event, and return the tree of the events of the same moment: what a backup is made of."""

    @abstractmethod
    def take_origin(self, origin: str) -> None:
        """Become the log ``origin``, while there is no event yet.

        Raises:
            NotEmptyError: there is one.
        """

    @abstractmethod
    def load(self, rows: Sequence[Row], tree: Frontier) -> None:
        """Write events as they once stood, behind the newest one, in one durable commit; ``tree`` is the tree with them.

        Raises:
            NotEmptyError: the newest one is not the one in front of the first row.
        """

    @abstractmethod
    def put_besides(self, rows: Iterable[Beside]) -> None:
        """Put rows back that ``besides`` handed over, in one commit; into tables that are empty, and offsets where there is none.

        Raises:
            StoreNewerCopyError: they are of a table that a later version made.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the store, after the commit on its way."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:  # noqa: ANN401, ARG002
        """Refuse eventsourcing's own way of writing events.

        Raises:
            NotSupportedError: always.
        """
        raise NotSupportedError("events are appended through Ledger.append, which keeps identities unique and positions dense")

    def insert_tracking(self, tracking: Tracking) -> None:  # noqa: ARG002
        """Refuse eventsourcing's own way of writing offsets.

        Raises:
            NotSupportedError: always.
        """
        raise NotSupportedError("offsets are committed through Ledger.append, together with what was read")
