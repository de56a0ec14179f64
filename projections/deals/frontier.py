"""The terms that waste nothing, and which of them theory calls fair.

A game is a list of issues of which both sides' ranges are known. What can be agreed on an issue is one of its options or, where it has
none, any value between the two walk-aways (beyond them one side would refuse; where both want the same, up to the further target).
Gains are additive and linear, so the frontier of the continuous issues is exact: start from all that is best for us and concede the
issues in the order of what they gain for the other side per gain lost for us. Options are added one issue at a time, keeping what nothing
else beats. There are no lotteries: with options the frontier is a set of points, or of broken lines, and the solutions are those on it.

Nobody signs below its walk-away: the disagreement point is a gain of 0 for both (Nash 1950).
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
from math import isclose
from operator import add, sub
from typing import NamedTuple

from projections.deals.proposal import DealError
from projections.scoring.gains import SAME, Range

GAIN_MAX = 1e9  # of either side on one issue, above or below 0: beyond, sums and products of gains would lose their digits
COMBINATIONS_MAX = 50_000  # pieces of the frontier, and points looked at for one more issue's options; about a tenth of a second


class Matter(NamedTuple):
    """One issue with both sides known. The weights of a side add up to 1 over the game, or are all 0."""

    ours: Range
    theirs: Range
    weight_ours: float
    weight_theirs: float
    options: tuple[float, ...]


class Point(NamedTuple):
    """Each side's gain and the values that give it, in the order of the game."""

    ours: float
    theirs: float
    values: tuple[float, ...]

    @property
    def product(self) -> float:
        """Nash's product; 0 where a side is below its walk-away."""
        return max(0.0, self.ours) * max(0.0, self.theirs)

    @property
    def joint(self) -> float:
        return self.ours + self.theirs


Segment = tuple[Point, Point]
"""A straight piece of the frontier, or a single point twice; its first end is the better for us, its second for them."""


def frontier(game: Sequence[Matter]) -> list[Segment]:
    """All terms that nothing else beats, and possibly a few that something does.

    Raises:
        DealError: there are more than ``COMBINATIONS_MAX`` pieces, or a gain is beyond ``GAIN_MAX``.
    """
    path = _continuous(game)
    pieces = list(pairwise(path)) or [(path[0], path[0])]
    front = _discrete(game)
    _bounded(len(front) * len(pieces))
    return [(_plus(point, start), _plus(point, end)) for point in front for start, end in pieces]


def measurable(*gains: float) -> None:
    """Refuse gains beyond ``GAIN_MAX``, of which nothing could be told.

    Raises:
        DealError: one is.
    """
    if not all(abs(gain) <= GAIN_MAX for gain in gains):
        raise DealError("bad_deal", "a range between target and reservation is too narrow beside the values: check their units")


def nash(segments: Iterable[Segment]) -> Point | None:
    """The largest product of gains (Nash 1950); None where no terms give both at least their walk-away."""
    return _best(segments, (0.0, 0.0), lambda point: (point.product, point.joint), _turn_of_product)


def kalai_smorodinsky(segments: Sequence[Segment]) -> Point | None:
    """Both sides get the same share of the most they could get (Kalai & Smorodinsky 1975).

    Where no terms give exactly the same share: the largest smaller share, then the largest other one (Imai 1983). None as for ``nash``.
    """
    stretches = [(segment, stretch) for segment in segments if (stretch := _within(segment, (0.0, 0.0))) is not None]
    if not stretches:
        return None
    ideal_ours = max(_between(segment, first).ours for segment, (first, _) in stretches)
    ideal_theirs = max(_between(segment, last).theirs for segment, (_, last) in stretches)

    def shares(point: Point) -> tuple[float, float]:
        ours = point.ours / ideal_ours if ideal_ours > SAME else 1.0  # who can gain nothing has all it could get
        theirs = point.theirs / ideal_theirs if ideal_theirs > SAME else 1.0
        return min(ours, theirs), max(ours, theirs)

    def turn(start: Point, end: Point) -> float:
        """Where the shares are equal."""
        down = (start.ours - end.ours) * ideal_theirs
        up = (end.theirs - start.theirs) * ideal_ours
        return (start.ours * ideal_theirs - start.theirs * ideal_ours) / (down + up) if down + up else 0.0

    return _best(segments, (0.0, 0.0), shares, turn)


def improvement(segments: Iterable[Segment], ours: float, theirs: float) -> Point | None:
    """Of the terms at least as good for both and better for one, those with the largest product of gains; None where there are none."""
    found = _best(segments, (ours, theirs), lambda point: (point.product, point.joint), _turn_of_product)
    return found if found is not None and found.joint > ours + theirs + 3 * SAME else None  # SAME may be lost on each side


def _continuous(game: Sequence[Matter]) -> list[Point]:
    """The frontier of the issues without options, from best for us to best for them: the corners of a concave line."""
    start = _nothing(game)
    moves: list[tuple[float, Point]] = []  # what they gain per gain we lose, and the concession
    for number, matter in enumerate(game):
        if matter.options:
            continue
        low, high = (_at(game, number, value) for value in _zone(matter))
        if low.ours <= high.ours and low.theirs <= high.theirs:
            start = _plus(start, high)
        elif low.ours >= high.ours and low.theirs >= high.theirs:
            start = _plus(start, low)
        else:
            best, concession = (low, _minus(high, low)) if low.ours > high.ours else (high, _minus(low, high))
            start = _plus(start, best)
            moves.append((concession.theirs / -concession.ours, concession))
    moves.sort(key=lambda move: -move[0])
    together: list[tuple[float, Point]] = []
    for ratio, concession in moves:  # issues of one ratio are conceded side by side, so that neither side's order shows
        if together and isclose(together[-1][0], ratio):
            together[-1] = ratio, _plus(together[-1][1], concession)
        else:
            together.append((ratio, concession))
    return list(accumulate((concession for _, concession in together), _plus, initial=start))


def _discrete(game: Sequence[Matter]) -> list[Point]:
    """The combinations of options that nothing else beats; the rest of the game counts as nothing."""
    front = [_nothing(game)]
    for number, matter in enumerate(game):
        if not matter.options:
            continue
        _bounded(len(front) * len(matter.options))
        additions = [_at(game, number, option) for option in matter.options]
        candidates = [_plus(point, addition) for point in front for addition in additions]
        candidates.sort(key=lambda point: (-point.ours, -point.theirs, point.values))
        front = []
        for point in candidates:
            if not front or point.theirs > front[-1].theirs:
                front.append(point)
    return front


def _bounded(combinations: int) -> None:
    if combinations > COMBINATIONS_MAX:
        reason = f"the options combine in over {COMBINATIONS_MAX:,} ways worth a look: give fewer, or none where any value will do"
        raise DealError("too_many_options", reason)


def _zone(matter: Matter) -> tuple[float, float]:
    """The lowest and the highest value an issue without options may take."""
    ours, theirs = matter.ours, matter.theirs
    if not ours.width or not theirs.width:  # who has no range insists on its value
        fixed = [side.target for side in (ours, theirs) if not side.width]
        return min(fixed), max(fixed)
    if ours.width * theirs.width < 0.0:
        return min(ours.reservation, theirs.reservation), max(ours.reservation, theirs.reservation)
    if ours.width > 0.0:
        return max(ours.reservation, theirs.reservation), max(ours.target, theirs.target)
    return min(ours.target, theirs.target), min(ours.reservation, theirs.reservation)


def _best(
    segments: Iterable[Segment],
    least: tuple[float, float],
    worth: Callable[[Point], tuple[float, ...]],
    turn: Callable[[Point, Point], float],
) -> Point | None:
    """The point of largest worth, both gains at least ``least``. ``turn``: where on a segment's line the worth has its peak.

    Among points worth the same the one with the largest values: the same from either side.
    """
    found: Point | None = None
    key: tuple[float, ...] = ()
    for segment in segments:
        stretch = _within(segment, least)
        if stretch is None:
            continue
        first, last = stretch
        places = {first, last, min(max(turn(*segment), first), last)}
        for point in (_between(segment, place) for place in places):
            rank = (*worth(point), *point.values)
            if found is None or rank > key:
                found, key = point, rank
    return found


def _within(segment: Segment, least: tuple[float, float]) -> tuple[float, float] | None:
    """The stretch of a segment on which both gain at least that, as places from 0 (its start) to 1."""
    start, end = segment
    ours, theirs = least
    if start.ours < ours - SAME or end.theirs < theirs - SAME:
        return None
    fall, rise = start.ours - end.ours, end.theirs - start.theirs
    last = min(1.0, max(0.0, (start.ours - ours) / fall)) if fall > 0.0 else 1.0
    first = min(1.0, max(0.0, (theirs - start.theirs) / rise)) if rise > 0.0 else 0.0
    if first <= last:
        return first, last
    return (first, first) if _between(segment, first).ours >= ours - SAME else None


def _turn_of_product(start: Point, end: Point) -> float:
    """Where on the line through both the product of gains has its peak."""
    fall, rise = start.ours - end.ours, end.theirs - start.theirs
    return (start.ours * rise - start.theirs * fall) / (2.0 * fall * rise) if fall * rise else 0.0


def _between(segment: Segment, place: float) -> Point:
    start, end = segment
    if place in (0.0, 1.0):
        return start if place == 0.0 else end
    values = tuple(a + place * (b - a) for a, b in zip(start.values, end.values, strict=True))
    return Point(start.ours + place * (end.ours - start.ours), start.theirs + place * (end.theirs - start.theirs), values)


def _nothing(game: Sequence[Matter]) -> Point:
    return Point(0.0, 0.0, (0.0,) * len(game))


def _at(game: Sequence[Matter], number: int, value: float) -> Point:
    """What one issue at a value gives."""
    matter = game[number]
    ours, theirs = matter.weight_ours * matter.ours.gain(value), matter.weight_theirs * matter.theirs.gain(value)
    measurable(ours, theirs)
    return Point(ours, theirs, tuple(value if place == number else 0.0 for place in range(len(game))))


def _plus(one: Point, other: Point) -> Point:
    return Point(one.ours + other.ours, one.theirs + other.theirs, tuple(map(add, one.values, other.values)))


def _minus(one: Point, other: Point) -> Point:
    return Point(one.ours - other.ours, one.theirs - other.theirs, tuple(map(sub, one.values, other.values)))
