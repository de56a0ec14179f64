"""Replays for auditors: a view as of any moment in both times, or what differs between two, with the tree it rests on.

Who looked is an event. Reading needs no right to write: where the ledger cannot be written by whoever asks (a copy, a backup, a role that
may only read), the answer is given all the same, says that it was not recorded, and why.
"""

from collections.abc import Iterator
from itertools import chain

import msgspec

from ledger.ledger import Ledger
from ledger.proof.checkpoint import Checkpoint
from ledger.proof.errors import UnprovenError
from ledger.proof.note import Note
from ledger.proof.text import encode_base64
from projections.differences import Change, differences
from projections.moments import Moments
from projections.policies import Policies, policy_of
from projections.registry import projections
from projections.replay import Replay, Side
from schemas.catalogue import Replayed
from schemas.errors import LedgerError, NotFoundError
from schemas.touchpoint import LEDGER_SUBJECT, iso, moment
from service import own
from service.settings import Settings
from service.stores import open_ledger


class Tree(msgspec.Struct, frozen=True):
    """The Merkle tree of the events that were known, hashed as they were read. ``root`` is base64, as in a checkpoint.

    signed: the newest signed checkpoint of a tree not larger than this one, as it was kept; it and all before it agree with what was read.
    """

    origin: str
    size: int
    root: str
    signed: str | None


class Told(msgspec.Struct, frozen=True):
    """For which moments a view is told, under which policy, and on what it rests."""

    as_of: str
    known_at: str
    policy: str
    checkpoint: Tree


class Head(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is answered. ``against``: what it is compared with. ``recorded``: where it stands that somebody looked; null: nowhere."""

    view: str
    version: int
    told: Told
    recorded: int | None
    against: Told | None = None


class Row(msgspec.Struct, frozen=True):
    """A row as it was. ``position``: of the newest event or correction behind it."""

    key: str
    position: int
    row: msgspec.Struct


class Tail(msgspec.Struct, frozen=True):
    """How many lines there were, and relationships left out, each with the position of an event that cannot be folded."""

    rows: int
    left_out: dict[str, int]


Line = Head | Row | Change | Tail


class Question:
    """A view as of the moments ``asked``, or what differs from ``against`` to them; of all that the ledger holds when it is made.

    Raises:
        NotFoundError: there is no such view.
    """

    def __init__(self, ledger: Ledger, view: str, asked: Moments, against: Moments | None) -> None:
        self._ledger, self._policies, self._tree = ledger, Policies(ledger), ledger.tree()
        self.view, self.asked, self.against = view, asked, against
        sides = [self._side(moments) for moments in (against, asked) if moments is not None]
        self._kept = ledger.checkpoints()  # the newest first
        marks = (kept.size for kept in self._kept)
        self._replay = Replay(ledger, sides, upto=self._tree.frontier.size, hashed=True, marks=marks)

    @property
    def data(self) -> Replayed:
        """What is recorded of it."""
        other = None
        if self.against is not None:
            other = self.against.as_of_us if self.asked.known_us is None else self.against.known_us
        as_of, known_at, against = (None if us is None else moment(us) for us in (self.asked.as_of_us, self.asked.known_us, other))
        return Replayed(self.view, self._replay.sizes[-1], as_of, known_at, against)

    def answer(self, recorded: int | None) -> Iterator[Line]:
        """A line each: a head, then rows or differences, then a tail. ``recorded``: where it stands that somebody asked.

        Raises:
            UnprovenError: what was read is not what was appended: the store was changed from outside.
        """
        replay, asked = self._replay, self._replay.sides[-1]
        lines: Iterator[Row | Change]
        if self.against is None:
            lines = (Row(key, one.position, asked.publish(one)) for key, (one,) in replay.rows() if one is not None)
        else:
            lines = differences(self._ledger, replay)
        first = next(lines, None)  # the log was read once by then, and hashed
        self._compare()
        told = [self._told(side.moments, size) for side, size in zip(replay.sides, replay.sizes, strict=True)]
        yield Head(self.view, asked.projection.version, told[-1], recorded, told[0] if self.against is not None else None)
        count = 0
        for line in chain([] if first is None else [first], lines):
            count += 1
            yield line
        yield Tail(count, replay.failed)

    def _side(self, moments: Moments) -> Side:
        known = projections(policy_of(self._policies.when(moments.counts)))
        found = next((one for one in known if one.name == self.view), None)
        if found is None:
            raise NotFoundError(f"there is no view {self.view!r}; there are {', '.join(one.name for one in known)}")
        return Side(found, moments)

    def _compare(self) -> None:
        """Compare what was read with the tree at the end of the log, and with every signed checkpoint that was kept."""
        roots = self._replay.roots
        expected = [Checkpoint.parse(Note.parse(kept.note).text) for kept in self._kept]
        for size, root in [(self._tree.frontier.size, self._tree.root), *((one.size, one.root) for one in expected)]:
            if roots.get(size, root) != root:
                raise UnprovenError(f"the first {size:,} events, as they were read, are not those that were appended: run `rledger verify`")

    def _told(self, moments: Moments, size: int) -> Told:
        signed = next((kept.note.decode() for kept in self._kept if kept.size <= size), None)
        tree = Tree(self._tree.origin, size, encode_base64(self._replay.roots[size]), signed)
        return Told(iso(moments.at_us), iso(moments.knowledge_us), policy_of(self._policies.when(moments.counts)).version, tree)


def recorded_look(settings: Settings, question: Question) -> tuple[int | None, str]:
    """Record that somebody asks. Returns: where, or None and why it cannot be."""
    try:
        with open_ledger(settings) as ledger:
            by, at_us = own.actor(settings), question.asked.now_us
            return own.record(ledger, LEDGER_SUBJECT, question.data, by=by, at_us=at_us).position, ""
    except LedgerError as error:
        return None, str(error)
