"""The ledger: append touchpoints exactly once, in order, for ever, and read them back.

Positions are 1, 2, 3 ... in commit order, so a reader that keeps the last position it handled misses nothing. What ``append``
returned survives the loss of power. The same promises on SQLite and PostgreSQL; nothing here knows which.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from ledger.check import Problem, problems
from ledger.gather import Gatherer
from ledger.interface import Appended, DeadLetter, Delivered, Head, KeptCheckpoint, KeptLetter, LetterFor, Refused, Tree
from ledger.plan import Request
from ledger.recorder import LedgerRecorder
from ledger.sqlite import SQLiteLedgerRecorder
from schemas.errors import NotFoundError, SettingsError
from schemas.identity import identity
from schemas.touchpoint import Stored, Touchpoint

READ_LIMIT_MAX = 10_000  # events a read; about 5 MB at 500 bytes an event


class Ledger:
    """One log. Safe to share between threads; appends made at the same time share a commit.

    Every method may raise ``StoreUnavailableError``: the store cannot be reached or written now; nothing was kept, try again.
    """

    def __init__(self, recorder: LedgerRecorder) -> None:
        self.recorder = recorder
        self._gatherer = Gatherer(recorder.record)

    @classmethod
    def open(cls, url: str, *, clock: Callable[[], int], read_only: bool = False) -> Self:
        """Open the ledger at ``url``, creating it where there is none yet.

        Args:
            url: ``sqlite:///PATH`` (a fourth slash for an absolute path) or ``postgresql://...``.
            clock: returns now, microseconds since 1970 UTC; read once a commit.
            read_only: create nothing and refuse to append; for those who only read.

        Raises:
            SettingsError: the URL is wrong, or what it names is not a ledger.
            StoreNewerError: a newer version of this program wrote it.
        """
        parts = urlsplit(url)
        if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
            return cls(SQLiteLedgerRecorder(Path(unquote(parts.path[1:])), clock=clock, read_only=read_only))
        if parts.scheme in {"postgresql", "postgres"}:
            from ledger.postgres import PostgresLedgerRecorder  # noqa: PLC0415  # takes 0.2 s, which a command on SQLite need not wait

            return cls(PostgresLedgerRecorder(url, clock=clock, read_only=read_only))
        raise SettingsError(f"{parts.scheme or url!r} names no store: expected sqlite:///PATH or postgresql://...")

    def append(
        self,
        touchpoints: Sequence[Touchpoint],
        *,
        delivered: Sequence[Delivered] = (),
        dead_letters: Sequence[DeadLetter] = (),
        letter_for: LetterFor | None = None,
    ) -> list[Appended | Refused]:
        """Append ``touchpoints`` in one commit, all that are new, and return once they are durable.

        Args:
            touchpoints: valid ones, of any relationships.
            delivered: the source's next offsets, recorded in the same commit; makes a redelivery harmless.
            dead_letters: what could not become a touchpoint, kept in the same commit; a redelivered one is kept once.
            letter_for: makes the dead letter of a touchpoint that is refused here, kept in the same commit.

        Returns: one entry per touchpoint, in order. A repeat of an earlier ``source`` and ``id`` with the same content has its first
            position; with other content it is ``Refused``.

        Raises:
            OvertakenError: another consumer owns the stream now; nothing was kept. Drop the batch and poll again.
        """
        identities = [identity(touchpoint.source, touchpoint.id) for touchpoint in touchpoints]
        return self._gatherer.submit(Request(touchpoints, identities, delivered, dead_letters, letter_for))

    def replay(self, number: int, touchpoint: Touchpoint) -> Appended | Refused:
        """Append the corrected form of dead letter ``number`` and mark the letter, in one commit; a second time changes nothing.

        Raises:
            NotFoundError: there is no such letter.
        """
        request = Request((touchpoint,), (identity(touchpoint.source, touchpoint.id),), replays=number)
        return self._gatherer.submit(request)[0]

    def head(self) -> Head:
        """The end of the log."""
        return self.recorder.head()

    def tree(self) -> Tree:
        """The Merkle tree over all events, as the newest append left it.

        Raises:
            MalformedError: somebody altered it; ``rledger verify`` says more.
        """
        return self.recorder.tree()

    def read(self, *, after: int, limit: int) -> list[Stored]:
        """Up to ``limit`` (1 to ``READ_LIMIT_MAX``) events behind position ``after`` (0: from the beginning), in order."""
        if not 1 <= limit <= READ_LIMIT_MAX:
            raise ValueError(f"limit is {limit}, expected 1 to {READ_LIMIT_MAX}")
        return self.recorder.read(after, limit)

    def history(self, relationship: str, *, after_version: int = 0, limit: int | None = None) -> list[Stored]:
        """The events of one relationship behind ``after_version``, oldest first; empty when it is unknown."""
        return self.recorder.history(relationship, after_version, limit)

    def find(self, source: str, id: str) -> Stored | None:  # noqa: A002  # CloudEvents' own names
        """The event that ``source`` and ``id`` identify, or None."""
        return self.recorder.find(identity(source, id))

    def next_offsets(self, streams: Sequence[str]) -> dict[str, int]:
        """Where to go on reading each of ``streams``; a stream never read is absent."""
        return self.recorder.next_offsets(streams)

    def streams(self, prefix: str) -> dict[str, int]:
        """The next offset of every stream whose name begins with ``prefix``."""
        return self.recorder.streams(prefix)

    def dead_letters(self, *, after: int = 0, limit: int, waiting: bool | None = None) -> list[KeptLetter]:
        """Up to ``limit`` dead letters with a number over ``after``, in order; ``waiting``: only those not replayed, or replayed."""
        return self.recorder.dead_letters(after, limit, waiting)

    def unmarked_letters(self) -> list[int]:
        """Numbers of dead letters whose mark is not that of what they hold: somebody altered them. Reads them all."""
        return self.recorder.unmarked_letters()

    def dead_letter(self, number: int) -> KeptLetter:
        """Dead letter ``number``.

        Raises:
            NotFoundError: there is no such letter.
        """
        letter = self.recorder.dead_letter(number)
        if letter is None:
            raise NotFoundError(f"there is no dead letter {number}; `rledger deadletters list` shows them")
        return letter

    def keep_checkpoint(self, size: int, note: bytes) -> None:
        """Keep a signed checkpoint that was seen, for ever: what the log must agree with from now on."""
        self.recorder.keep_checkpoint(size, note)

    def checkpoints(self, *, newest: int | None = None) -> list[KeptCheckpoint]:
        """Every checkpoint kept, the newest first; ``newest``: that many at most."""
        return self.recorder.checkpoints(newest)

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until the log is longer than ``after``, whoever makes it so; False after ``timeout_s`` seconds."""
        return self.recorder.wait_beyond(after, timeout_s)

    def check(self) -> list[Problem]:
        """Promises the store no longer keeps, the gravest first, with what to do; about a second a million events."""
        return list(problems(self.recorder.inspect()))

    def close(self) -> None:
        """Release the store. An append still on its way in another thread fails."""
        self.recorder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
