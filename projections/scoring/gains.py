"""What a side gains from terms, above its walk-away: the one place where a gain is defined.

On one issue it is (value - reservation) / (target - reservation): 0 at the side's walk-away, 1 at its target, whichever way it wants the
number to go, and not cut off beyond either. Over several issues it is their mean by the side's weights (Raiffa 1982, additive scoring). An
issue whose target is its reservation has no range to gain on: it counts for nothing.

What we think of the other side may be a range. Its ends combine to *corners*; on every issue the gain is monotone in both target and
reservation, so its extremes are at corners. Where we are told nothing of it, we take it to want the opposite, on a range as wide as ours.
It then walks away between our target and the market's benchmark; without one anywhere from our own walk-away to as far beyond our target,
the middle of which is our mirror image.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Literal, NamedTuple

from schemas.catalogue import Issue, Span

SAME = 1e-9  # gains closer than that are the same

Basis = Literal["known", "estimated", "benchmark", "unknown"]
"""What their range on an issue rests on: numbers, ranges, the market's value, or ours alone."""


class Range(NamedTuple):
    """One side on one issue, from the worst it would take to the best it hopes for, in the issue's unit."""

    target: float
    reservation: float

    @property
    def width(self) -> float:
        """Signed: above 0 where the side wants more of it."""
        return self.target - self.reservation

    def gain(self, value: float) -> float:
        """0 at the walk-away, 1 at the target; 0 everywhere on an issue without a range."""
        width = self.target - self.reservation
        return (value - self.reservation) / width if width else 0.0


class Stake(NamedTuple):
    """What is at stake on one issue.

    theirs: the corners of what we think, from asking least to asking most; a single one where there is no doubt.
    weight_ours, weight_theirs: of the issues together 1, or 0 where that side has nothing to gain on any.
    options: the allowed values; empty where every value is.
    """

    issue: str
    ours: Range
    theirs: tuple[Range, ...]
    basis: Basis
    weight_ours: float
    weight_theirs: float
    options: tuple[float, ...]

    @property
    def middle(self) -> Range:
        """The middle of what we think of them."""
        if len(self.theirs) == 1:
            return self.theirs[0]
        count = len(self.theirs)
        return Range(sum(one.target for one in self.theirs) / count, sum(one.reservation for one in self.theirs) / count)


def stakes(issues: Iterable[Issue], terms: Mapping[str, float]) -> tuple[Stake, ...]:
    """The stakes of the issues that have a term, in their order. What the terms leave open is no part of the deal."""
    told = [issue for issue in issues if issue.issue in terms]
    ours = [Range(issue.ours.target, issue.ours.reservation) for issue in told]
    theirs = [_theirs(issue, mine) for issue, mine in zip(told, ours, strict=True)]
    weights_ours = _weights([issue.weight_ours for issue in told], ours)
    weights_theirs = _weights([issue.weight_theirs for issue in told], [corners[0] for corners, _ in theirs])
    return tuple(
        Stake(issue.issue, mine, corners, basis, weight_ours, weight_theirs, issue.options or ())
        for issue, mine, (corners, basis), weight_ours, weight_theirs in zip(told, ours, theirs, weights_ours, weights_theirs, strict=True)
    )


def ours(on: Sequence[Stake], values: Sequence[float]) -> float | None:
    """Our gain from a value an issue; None where no issue tells it."""
    return _mean((stake.weight_ours, stake.ours.gain(value)) for stake, value in zip(on, values, strict=True))


def theirs(on: Sequence[Stake], values: Sequence[float]) -> tuple[float, float] | None:
    """The least and the most the other side may gain, given what we think of it; None where no issue tells it."""
    reach = [[corner.gain(value) for corner in stake.theirs] for stake, value in zip(on, values, strict=True)]
    low = _mean((stake.weight_theirs, min(gains)) for stake, gains in zip(on, reach, strict=True))
    high = _mean((stake.weight_theirs, max(gains)) for stake, gains in zip(on, reach, strict=True))
    return None if low is None or high is None else (low, high)


def theirs_likely(on: Sequence[Stake], values: Sequence[float]) -> float | None:
    """What the other side gains if the middle of each estimate is right, over the issues we know anything about; None if none."""
    return _mean(
        (stake.weight_theirs, stake.middle.gain(value)) for stake, value in zip(on, values, strict=True) if stake.basis != "unknown"
    )


def _mean(weighted: Iterable[tuple[float, float]]) -> float | None:
    total = weights = 0.0
    for weight, gain in weighted:
        total += weight * gain
        weights += weight
    return total / weights if weights else None


def _weights(given: Sequence[float | None], ranges: Sequence[Range]) -> list[float]:
    """Weights that add up to 1. One not given is the mean of the others, so that a scale of 0-100 weighs as one of 0-1."""
    known = [weight for weight in given if weight is not None]
    default = sum(known) / len(known) if known else 1.0
    weights = []
    for weight, range_ in zip(given, ranges, strict=True):
        weights.append(0.0 if range_.target == range_.reservation else default if weight is None else weight)
    total = sum(weights)
    return [weight / total for weight in weights] if total else weights


def _theirs(issue: Issue, ours: Range) -> tuple[tuple[Range, ...], Basis]:
    """The corners of what we think of the other side, and what they rest on."""
    values = issue.theirs
    if values is not None:
        if not isinstance(values.target, Span) and not isinstance(values.reservation, Span):
            return (Range(values.target, values.reservation),), "known"
        corners = [Range(target, reservation) for target, reservation in product(_ends(values.target), _ends(values.reservation))]
        widths = [corner.width for corner in corners]
        if min(widths) > 0.0 or max(widths) < 0.0:  # else they overlap, and do not tell which way they want it: as good as unknown
            return _by_demand(corners), "estimated"
    if not ours.width:
        return (ours,), "unknown"
    ends = {ours.target, issue.benchmark} if issue.benchmark is not None else {ours.target + ours.width, ours.reservation}
    return _by_demand([Range(end - ours.width, end) for end in ends]), "unknown" if issue.benchmark is None else "benchmark"


def _by_demand(corners: Iterable[Range]) -> tuple[Range, ...]:
    """From asking least to asking most."""
    return tuple(sorted(corners, key=lambda one: (one.reservation, one.target) if one.width > 0.0 else (-one.reservation, -one.target)))


def _ends(value: float | Span) -> tuple[float, ...]:
    if isinstance(value, Span):
        return value.low, value.high
    return (value,)
