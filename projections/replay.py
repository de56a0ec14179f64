"""Any view as of any moment in both times, folded again from the log; several moments in one pass, so that they can be compared.

The rows are those the view would have, were only what had happened by ``as_of`` there and only what was recorded by ``known_at`` known,
corrections among it followed. Memory is bounded by ``STATES_MAX`` states, however long the log: where there are more, relationships are
folded a share at a time, each a pass over the log. The events are hashed as they are read, so the answer says on which tree it rests.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from zlib import crc32

import msgspec

from ledger.ledger import READ_LIMIT_MAX, Ledger
from ledger.proof.leaf import hash_row
from ledger.proof.merkle import Frontier
from projections.corrections import REFOLDED, Corrections
from projections.moments import Moments
from projections.projection import Projection
from projections.tables import relationship_of
from schemas.records import recorded
from schemas.touchpoint import Recorded, Stored

STATES_MAX = 200_000  # in memory at once, of all moments together; some 1 GB of relationships, by far the largest states
SHARES = 1 << 32  # relationships are shared out by a hash of so many values


class Folded(msgspec.Struct, frozen=True):
    """The state of a row, and the position of the newest event or correction behind it."""

    state: Any
    position: int


class Side(msgspec.Struct, frozen=True):
    """A view, under the policy of its time, as of moments."""

    projection: Projection
    moments: Moments

    def publish(self, folded: Folded) -> msgspec.Struct:
        """The public columns of a row of this side."""
        return self.projection.publish(folded.state, self.moments.at_us)


class Replay:
    """One view of a ledger at one or more moments, its ``sides``.

    sizes: how many events were known on each side.
    hashed: whether to make the Merkle tree of what is read, which takes a microsecond an event or two. marks: further sizes to tell its
        root at.
    roots: by size, of what was known on each side and at the marks; where hashed, once ``rows`` has given its first, or ended.
    failed: relationships that are left out because an event of theirs cannot be folded, with its position.
    """

    def __init__(self, ledger: Ledger, sides: Sequence[Side], *, upto: int, hashed: bool, marks: Iterable[int] = ()) -> None:
        self._ledger, self.sides, self._hashed = ledger, sides, hashed
        self.sizes = [known_size(ledger, side.moments, upto) for side in sides]
        self._marks = sorted({*self.sizes, *(size for size in marks if size <= max(self.sizes))})
        self.roots: dict[int, bytes] = {}
        self.failed: dict[str, int] = {}

    def rows(self) -> Iterator[tuple[str, tuple[Folded | None, ...]]]:
        """Each key with its row at each of the moments, None where it had none; in the order of keys as long as one pass is enough."""
        low = 0
        while low < SHARES:
            share = _Share(self.sides, self.sizes, low)
            for stored in self._log(hashed=self._hashed and low == 0):
                share.take(stored)
            for relationship in share.corrected_ones():
                share.refold(relationship, self._history(relationship))
            self.failed |= share.failed
            yield from share.rows()
            low = share.high

    def _log(self, *, hashed: bool) -> Iterator[Stored]:
        end, tree, after = max(self.sizes), Frontier(), 0
        if hashed:
            self.roots[0] = tree.root()
        while after < end:
            batch = self._ledger.read_sealed(after=after, limit=min(READ_LIMIT_MAX, end - after))
            if hashed:
                for size in [*(size for size in self._marks if after < size < after + len(batch)), after + len(batch)]:
                    tree = tree.extended(_leaves(batch[tree.size - after : size - after]))
                    self.roots[size] = tree.root()
            after += len(batch)
            yield from self._ledger.opened(batch)

    def _history(self, relationship: str) -> list[Stored]:
        return [stored for stored in self._ledger.history(relationship) if stored.position <= max(self.sizes)]


class _Share:
    """States of the relationships whose hash is from ``low`` up to ``high``, which sinks when there are too many."""

    def __init__(self, sides: Sequence[Side], sizes: Sequence[int], low: int) -> None:
        self.low, self.high = low, SHARES
        self.failed: dict[str, int] = {}
        self._sides: list[tuple[Side, int, dict[str, Folded]]] = [(side, size, {}) for side, size in zip(sides, sizes, strict=True)]
        self._corrected: set[str] = set()

    def take(self, stored: Stored) -> None:
        """Fold one more event, unless its relationship is folded from its history at the end."""
        relationship = stored.relationship
        if relationship in self._corrected or not self._holds(relationship):
            return
        if stored.type in REFOLDED:
            self._corrected.add(relationship)
            self.failed.pop(relationship, None)  # it may be the bad event that is corrected
            return
        if relationship in self.failed:
            return
        try:
            event = recorded(stored)
            for side, size, rows in self._sides:
                if stored.position <= size and side.moments.happened(event):
                    _fold(side, rows, event, event.position)
        except Exception:  # noqa: BLE001  # whatever it is, the view parks the relationship for it, and the others are told
            self.failed[relationship] = stored.position
        if sum(len(rows) for _, _, rows in self._sides) > STATES_MAX and self.high - self.low > 1:
            self.high = self.low + (self.high - self.low) // 2
            self._keep(self._holds)
            self._corrected = set(filter(self._holds, self._corrected))

    def corrected_ones(self) -> list[str]:
        """The relationships that must be folded again, and nothing of them is left."""
        self._keep(lambda relationship: relationship not in self._corrected)
        return sorted(self._corrected)

    def refold(self, relationship: str, history: Sequence[Stored]) -> None:
        """Fold a relationship that was corrected, as each side knows it."""
        position = 0
        try:
            events = []
            for stored in history:
                position = stored.position
                events.append(recorded(stored))
            for side, size, rows in self._sides:
                known = [event for event in events if event.position <= size]
                corrections = Corrections(known)
                for event in known:
                    position = event.position
                    counted = corrections.apply(event)
                    if counted is not None and side.moments.happened(counted):
                        _fold(side, rows, counted, max(position, corrections.upto[0]))
        except Exception:  # noqa: BLE001  # as in take
            self.failed[relationship] = position

    def rows(self) -> Iterator[tuple[str, tuple[Folded | None, ...]]]:
        """Every key with its row on each side."""
        self._keep(lambda relationship: relationship not in self.failed)
        for key in sorted(set().union(*[rows for _, _, rows in self._sides])):
            yield key, tuple(rows.get(key) for _, _, rows in self._sides)

    def _holds(self, relationship: str) -> bool:
        whole = self.low == 0 and self.high == SHARES
        return whole or self.low <= crc32(relationship.encode()) < self.high

    def _keep(self, wanted: Callable[[str], bool]) -> None:
        """Forget the rows of all relationships but those wanted."""
        for _, _, rows in self._sides:
            for key in [key for key in rows if not wanted(relationship_of(key))]:
                del rows[key]


def _fold(side: Side, rows: dict[str, Folded], event: Recorded, position: int) -> None:
    key = side.projection.row_key(event)
    if key is None:
        return
    if event.recorded_us > side.moments.at_us:  # told later of then: a fold must not forget days that are asked about
        event = msgspec.structs.replace(event, recorded_us=side.moments.at_us)
    before = rows[key].state if key in rows else None
    if not (timely := side.projection.in_time(before, event)):
        return
    state = side.projection.fold(before, timely)
    if state is None:
        rows.pop(key, None)
    else:
        rows[key] = Folded(state, position)


def known_size(ledger: Ledger, moments: Moments, upto: int) -> int:
    """How many of the first ``upto`` events were known: the position of the last one recorded by then, 0 for none.

    A binary search, for recorded moments never go backwards in the log.
    """
    if moments.known_us is None:
        return upto
    low, high = 0, upto
    while low < high:
        middle = (low + high + 1) // 2
        (stored,) = ledger.read_sealed(after=middle - 1, limit=1)
        if moments.knew(stored.recorded_us):
            low = middle
        else:
            high = middle - 1
    return low


def _leaves(batch: Iterable[Stored]) -> Iterator[bytes]:
    return (hash_row(*msgspec.structs.astuple(stored)) for stored in batch)
