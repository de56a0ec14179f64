"""What a policy would change, before it is adopted: every relationship under both, from the same events, as of the same moment.

It is what adopting would do: the view ``relationships`` is built under either policy by the keeper that builds the real one, in a place
that is thrown away afterwards. The real views are not touched.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing

import msgspec

from ledger.ledger import Ledger
from projections.projection import Projection
from projections.relationships import Row, relationships
from projections.runner import Runner
from projections.scoring.policy import Policy
from projections.views import Views


class Move(msgspec.Struct, frozen=True):
    """How many relationships of a kind go from one standing to another."""

    kind: str
    standing_before: str
    standing_after: str
    relationships: int


class Compared(msgspec.Struct, frozen=True):
    """One relationship under both policies. Quality 0-100, null where nothing is known."""

    relationship: str
    kind: str
    name: str | None
    standing_before: str
    standing_after: str
    quality_before: float | None
    quality_after: float | None

    @property
    def change(self) -> float:
        """Points of quality."""
        return (self.quality_after or 0.0) - (self.quality_before or 0.0)


class Simulation(msgspec.Struct, frozen=True):
    """The whole. before, after: versions of the policies. moved: relationships whose standing changes. quality_change: mean points."""

    before: str
    after: str
    relationships: int
    moved: int
    quality_change: float
    moves: tuple[Move, ...]


def simulate(
    ledger: Ledger, scratch: Views, before: Policy, after: Policy, *, clock: Callable[[], int]
) -> tuple[Simulation, list[Compared]]:
    """The whole, and every relationship: those whose standing changes first, then by how much their quality changes.

    ``scratch``: empty views that nobody else uses.
    """
    both = [msgspec.structs.replace(relationships(one), name=name, index=()) for one, name in ((before, "before"), (after, "after"))]
    with closing(Runner(ledger, scratch, both, clock=clock)) as runner:
        runner.catch_up()
    rows = [_compared(one, other) for one, other in zip(_rows(scratch, both[0]), _rows(scratch, both[1]), strict=True)]
    rows.sort(key=lambda one: (one.standing_before == one.standing_after, -abs(one.change), one.relationship))
    moves = Counter((one.kind, one.standing_before, one.standing_after) for one in rows if one.standing_before != one.standing_after)
    told = tuple(Move(*move, count) for move, count in sorted(moves.items(), key=lambda item: (-item[1], item[0])))
    known = [one.change for one in rows if one.quality_before is not None]
    mean = round(sum(known) / len(known), 2) if known else 0.0
    return Simulation(before.version, after.version, len(rows), moves.total(), mean, told), rows


def _rows(scratch: Views, projection: Projection) -> Iterator[Row]:
    """By relationship."""
    for found in scratch.select(projection):
        yield found.row


def _compared(before: Row, after: Row) -> Compared:
    return Compared(before.relationship, before.kind, before.name, before.standing, after.standing, before.quality, after.quality)
