"""The ledger: append touchpoints exactly once, in order, for ever, and read them back.

Positions are 1, 2, 3 ... in commit order, so a reader that keeps the last position it handled misses nothing. What ``append``
returned survives the loss of power. The same promises on SQLite and PostgreSQL; nothing here knows which.

What the catalogue marks as personal or secret is sealed before it is written and opened when it is read: whoever appends and reads sees
what was said, the store and all that leaves it (``read_sealed``: leaves, the relay) has ciphertext.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from ledger import letters, sealing
from ledger.check import Problem, problems
from ledger.gather import Gatherer
from ledger.interface import Appended, DeadLetter, Delivered, Head, KeptCheckpoint, KeptLetter, LetterFor, Refused, Tree
from ledger.plan import Erasure, Request
from ledger.recorder import LedgerRecorder
from ledger.sealing import DataKey
from ledger.sqlite import SQLiteLedgerRecorder
from ledger.sums import TABLES
from ledger.vault import KeptKey, Vault
from schemas.errors import AlteredError, NotFoundError, SettingsError, StoreUnavailableError
from schemas.identity import identity
from schemas.touchpoint import LEDGER_SUBJECT, Stored, Touchpoint

READ_LIMIT_MAX = 10_000  # events a read; about 5 MB at 500 bytes an event
REWRAP_KEYS = 5_000  # keys a commit of a rotation
LETTERS_PAGE = 100  # dead letters read at once, of 256 KiB at most


class Ledger:
    """One log. Safe to share between threads; appends made at the same time share a commit.

    Every method may raise ``StoreUnavailableError``: the store cannot be reached or written now; nothing was kept, try again.
    ``KeyUnavailableError`` is one: something is sealed, and the master key is not here.
    """

    def __init__(self, recorder: LedgerRecorder, vault: Vault) -> None:
        self.recorder, self.vault = recorder, vault
        self._gatherer = Gatherer(recorder.record)

    @classmethod
    def open(cls, url: str, *, clock: Callable[[], int], vault: Vault | None = None, read_only: bool = False) -> Self:
        """Open the ledger at ``url``, creating it where there is none yet.

        Args:
            url: ``sqlite:///PATH`` (a fourth slash for an absolute path) or ``postgresql://...``.
            clock: returns now, microseconds since 1970 UTC; read once a commit.
            vault: what is personal is sealed with; None: a ledger without keys stays without, one that has keys cannot use them.
            read_only: create nothing and refuse to append; for those who only read.

        Raises:
            SettingsError: the URL is wrong, or what it names is not a ledger.
            StoreNewerError: a newer version of this program wrote it.
        """
        vault = vault or Vault()
        opened = cls(_recorder(url, clock, vault, read_only=read_only), vault)
        if not read_only:
            with contextlib.suppress(StoreUnavailableError, SettingsError):  # then another time: who needs the key will be told
                opened.seal_letters()
        return opened

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

    def erase(self, relationship: str, version: int, touchpoint: Touchpoint) -> Appended | Refused:
        """Destroy the key of a relationship for ever and append ``touchpoint``, which says so, in one commit.

        From then on its personal values are read as erased, everywhere and also those of touchpoints yet to come; nothing else changes.

        Args:
            relationship: whose key.
            version: of its newest event, as it was looked at.
            touchpoint: a ``ledger.subject-erased.v1`` of it.

        Raises:
            ChangedError: it has other events by now. Look again.
        """
        request = Request((touchpoint,), (identity(touchpoint.source, touchpoint.id),), erases=Erasure(relationship, version))
        (answer,) = self._gatherer.submit(request)
        self.vault.forget()
        return answer

    def key_of(self, relationship: str) -> KeptKey | None:
        """The key of a relationship, or of the ledger's own secrets (LEDGER_SUBJECT), as it is kept; None: it has none yet."""
        return self.recorder.key_of(relationship)

    def erase_letters(self, relationship: str) -> int:
        """Erase what dead letters about a relationship hold, whose key is destroyed; why each was refused stays. Returns: how many.

        Those that its key sealed are known by that. Others are read, as far as their key is here, and may be about it, too.
        """
        kept = self.recorder.key_of(relationship)
        if kept is None:
            return 0
        about = [row.number for row, keys in self._letters() if letters.concerns(row, relationship, kept.number, keys)]
        if about:
            self.recorder.erase_letters(about, kept.number)
        return len(about)

    def seal_letters(self) -> int:
        """Seal the dead letters that came before there was a key. Returns: how many; none where there still is no master key."""
        total = 0
        if self.recorder.plain_letters(1) and self.vault.seals():
            while count := self.recorder.seal_letters(LETTERS_PAGE):
                total += count
        return total

    def require_key(self) -> None:
        """Fail now, where appending would wait for the master key.

        Raises:
            KeyUnavailableError: what is personal is sealed here, and the master key is not at hand.
        """
        kept = self.recorder.key_of(LEDGER_SUBJECT)
        if kept is not None:
            self.vault.master(kept.master)

    def scrub(self) -> bool:
        """Overwrite what the store still has of destroyed keys. Returns: whether nothing hindered it; if not, try again later."""
        return self.recorder.scrub()

    def rewrap(self) -> int:
        """Wrap every key by the newest master key that is here; cut off, a second call goes on. Returns: how many were wrapped anew.

        Raises:
            KeyUnavailableError: the master key that they are wrapped by is not here.
        """
        master, total = self.vault.newest(), 0
        while count := self.recorder.rewrap(master.id, lambda kept: self.vault.rewrapped(kept, master), REWRAP_KEYS):
            total += count
        return total

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
        return self.opened(self.read_sealed(after=after, limit=limit))

    def read_sealed(self, *, after: int, limit: int) -> list[Stored]:
        """As ``read``, each event as it stands in the store: what leaves are made of, and what may leave the house."""
        if not 1 <= limit <= READ_LIMIT_MAX:
            raise ValueError(f"limit is {limit}, expected 1 to {READ_LIMIT_MAX}")
        return self.recorder.read(after, limit)

    def opened(self, events: list[Stored]) -> list[Stored]:
        """Events with their sealed values in place, those whose key was destroyed marked as erased; ``events`` is used up.

        One that somebody altered is ``UNREADABLE`` and hinders no other: ``recorded`` raises an AlteredError for it.
        """
        sealed = [at for at, one in enumerate(events) if one.event.startswith(sealing.SEALED)]
        if sealed:
            apart = [sealing.apart(events[at].event) for at in sealed]
            keys = self._keys({number for parts in apart for number in sealing.asked(parts)})
            for at, parts in zip(sealed, apart, strict=True):
                events[at] = sealing.opened(events[at], parts, keys)
        return events

    def _keys(self, numbers: Collection[int], missing: set[str] | None = None) -> dict[int, DataKey]:
        """Those keys, but for any that somebody altered.

        ``missing``: and but for those whose master key is not here; collects which these are, so that none is looked for twice.
        """
        found = {}
        for kept in self.recorder.keys(numbers):
            try:
                if missing is None or kept.master not in missing:
                    found[kept.number] = self.vault.open(kept)
            except AlteredError:
                continue
            except (StoreUnavailableError, SettingsError):
                if missing is None:
                    raise
                missing.add(kept.master)
        return found

    def history(self, relationship: str, *, after_version: int = 0, limit: int | None = None) -> list[Stored]:
        """The events of one relationship behind ``after_version``, oldest first; empty when it is unknown."""
        return self.opened(self.recorder.history(relationship, after_version, limit))

    def histories(self, *, after: tuple[str, int] = ("", 0), upto: int, limit: int) -> list[Stored]:
        """Up to ``limit`` events up to position ``upto``, one relationship after the other, each in order.

        Those behind ``after``, a relationship and a version of it; which relationship comes when is the store's own affair.
        """
        return self.opened(self.recorder.histories(after, upto, limit))

    def history_sealed(self, relationship: str, *, limit: int | None = None) -> list[Stored]:
        """As ``history``, each event as it stands in the store: what can be told of it without any key."""
        return self.recorder.history(relationship, 0, limit)

    def find(self, source: str, id: str) -> Stored | None:  # noqa: A002  # CloudEvents' own names
        """The event that ``source`` and ``id`` identify, or None."""
        found = self.recorder.find(identity(source, id))
        return None if found is None else self.opened([found])[0]

    def next_offsets(self, streams: Sequence[str]) -> dict[str, int]:
        """Where to go on reading each of ``streams``; a stream never read is absent."""
        return self.recorder.next_offsets(streams)

    def streams(self, prefix: str) -> dict[str, int]:
        """The next offset of every stream whose name begins with ``prefix``."""
        return self.recorder.streams(prefix)

    def dead_letters(self, *, after: int = 0, limit: int, waiting: bool | None = None) -> list[KeptLetter]:
        """Up to ``limit`` dead letters with a number over ``after``, in order; ``waiting``: only those not replayed, or replayed."""
        rows = self.recorder.dead_letters(after, limit, waiting)
        keys = self._keys({row.key_number for row in rows if row.key_number is not None and row.is_sealed})
        return [letters.opened(row, keys) for row in rows]

    def dead_letters_sealed(self, *, after: int = 0, limit: int, waiting: bool | None = None) -> list[KeptLetter]:
        """As ``dead_letters``, each as it stands in the store: what can be told of it without any key."""
        return list(map(letters.from_row, self.recorder.dead_letters(after, limit, waiting)))

    def unmarked_letters(self) -> list[int]:
        """Numbers of dead letters whose mark is not that of what they hold, as far as keys are here: somebody altered them. Reads all."""
        return [row.number for row, keys in self._letters() if not letters.is_marked(row, keys)]

    def _letters(self) -> Iterator[tuple[letters.Row, Mapping[int, DataKey]]]:
        """Every dead letter, with the keys that are here."""
        after, missing = 0, set[str]()
        while rows := self.recorder.dead_letters(after, LETTERS_PAGE, None):
            after = rows[-1].number
            keys = self._keys({row.key_number for row in rows if row.key_number is not None}, missing)
            yield from ((row, keys) for row in rows)

    def altered(self) -> list[str]:
        """What stands beside the events and is not as it was written, for people: offsets, dead letters, checkpoints. Reads them all."""
        return [TABLES[table] for table in self.recorder.differing()]

    def dead_letter(self, number: int) -> KeptLetter:
        """Dead letter ``number``.

        Raises:
            NotFoundError: there is no such letter.
        """
        kept = self.dead_letters(after=number - 1, limit=1)
        if not kept or kept[0].number != number:
            raise NotFoundError(f"there is no dead letter {number}; `rledger deadletters list` shows them")
        return kept[0]

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


def _recorder(url: str, clock: Callable[[], int], vault: Vault, *, read_only: bool) -> LedgerRecorder:
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        return SQLiteLedgerRecorder(Path(unquote(parts.path[1:])), clock=clock, vault=vault, read_only=read_only)
    if parts.scheme in {"postgresql", "postgres"}:
        from ledger.postgres import PostgresLedgerRecorder  # noqa: PLC0415  # takes 0.2 s, which a command on SQLite need not wait

        return PostgresLedgerRecorder(url, clock=clock, vault=vault, read_only=read_only)
    raise SettingsError(f"{parts.scheme or url!r} names no store: expected sqlite:///PATH or postgresql://...")
