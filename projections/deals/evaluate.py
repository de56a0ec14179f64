"""The answer to a proposed deal: what each side gains, whether both could have more, what to offer instead, what it would do.

Where the other side is an estimate, its figures are ranges: from the least to the most its gain may be. What rests on the whole game
(efficiency, verdict, whether the deal is dominated) is told for three readings of the estimates: that they ask least, the middle, that
they ask most. The points are those of the middle reading.
"""

from collections.abc import Sequence
from math import isclose
from typing import Literal, NamedTuple

import msgspec

from projections.deals.cautions import cautions
from projections.deals.effects import Balance, Effects, effects
from projections.deals.frontier import Matter, Point, frontier, improvement, kalai_smorodinsky, measurable, nash
from projections.deals.proposal import DealError, Proposal
from projections.scoring import gains
from projections.scoring.gains import SAME, Range, Stake, stakes
from projections.scoring.models import Model
from projections.scoring.policy import DealPolicy

Verdict = Literal["balanced", "tilted_to_us", "tilted_to_them", "unequal", "no_zone", "cannot_tell"]


class Between(msgspec.Struct, frozen=True):
    """A figure that rests on an estimate."""

    low: float
    high: float


Figure = float | Between


class Side(msgspec.Struct, frozen=True):
    """One side of the deal.

    gain: 0 at its walk-away, 1 at its target. share: of the joint gain, a loss counted as none; None where nobody gains.
    reservation, target: by issue, in the issue's unit.
    """

    gain: Figure
    share: Figure | None
    reservation: dict[str, Figure]
    target: dict[str, Figure]


class Offer(msgspec.Struct, frozen=True):
    """Terms, and what each side would gain from them."""

    terms: dict[str, float]
    ours: float
    theirs: Figure


class Evaluation(msgspec.Struct, frozen=True):
    """A deal judged.

    nash_product: of the two gains, 0 where a side is below its walk-away. nash_efficiency: its share of the largest there is, 0-1; None
    where nobody can gain. pareto_dominated: both could have at least as much and one more; None where that hangs on the estimates.
    counter_offer: the terms that would give it, with the largest product of gains among them.
    """

    ours: Side
    theirs: Side
    joint_gain: Figure
    nash_product: Figure
    nash_efficiency: Figure | None
    pareto_dominated: bool | None
    verdict: Verdict
    nash_point: Offer | None
    ks_point: Offer | None
    counter_offer: Offer | None
    effects: Effects


class _Reading(NamedTuple):
    """What the game is if their ranges are these. ``better``: than the deal, for both."""

    theirs: float
    nash: Point | None
    ks: Point | None
    better: Point | None


def evaluate(proposal: Proposal, model: Model, balance: Balance | None = None) -> Evaluation:
    """Judge a proposed deal.

    Args:
        proposal: the issues and the terms on the table.
        model: of the relationship's kind; its policy says what is a low gain and what is tilted.
        balance: the relationship's balance as it stands; None: nothing is known of it.

    Raises:
        DealError: the terms do not fit the issues, or a side has nothing to gain on any.
    """
    on, values = _fitted(proposal)
    ours, theirs = gains.ours(on, values), gains.theirs(on, values)
    if ours is None or theirs is None:
        raise DealError("no_range", f"{'we' if ours is None else 'they'} gain nothing from any term: give ranges, and weights above 0")
    measurable(ours, *theirs)
    readings = [_read(on, values, ours, ranges) for ranges in _assumed(on)]
    middle = readings[len(readings) // 2]
    counter = _counter_offer(on, values, readings)
    low, high = theirs
    product_low, product_high = (max(0.0, ours) * max(0.0, one) for one in theirs)
    share_low, share_high = _share(ours, high), _share(ours, low)
    shared = None if share_low is None or share_high is None else (share_low, share_high)
    return Evaluation(
        ours=Side(
            _clean(ours),
            None if shared is None else _figure(*shared),
            {stake.issue: stake.ours.reservation for stake in on},
            {stake.issue: stake.ours.target for stake in on},
        ),
        theirs=Side(
            _figure(low, high),
            None if shared is None else _figure(1.0 - shared[1], 1.0 - shared[0]),
            {stake.issue: _over([corner.reservation for corner in stake.theirs]) for stake in on},
            {stake.issue: _over([corner.target for corner in stake.theirs]) for stake in on},
        ),
        joint_gain=_figure(ours + low, ours + high),
        nash_product=_figure(product_low, product_high),
        nash_efficiency=_efficiency(ours, readings),
        pareto_dominated=True if counter is not None else None if any(one.better for one in readings) else False,
        verdict=_verdict(ours, (high, middle.theirs, low), readings, model.policy.deal),
        nash_point=_offer(on, middle.nash),
        ks_point=_offer(on, middle.ks),
        counter_offer=_offer(on, counter),
        effects=effects(on, values, model, balance, cautions(proposal.issues, on, values, (ours, theirs), model.policy.deal)),
    )


def _fitted(proposal: Proposal) -> tuple[tuple[Stake, ...], list[float]]:
    """The stakes of the deal and their terms."""
    names = [issue.issue for issue in proposal.issues]
    for name in proposal.terms:
        if name not in names:
            raise DealError("unknown_issue", f"terms names {name!r}, which is none of the issues: {', '.join(names)}")
    on = stakes(proposal.issues, proposal.terms)
    if not on:
        raise DealError("no_terms", f"terms is empty: give a number for at least one of {', '.join(names)}")
    values = [proposal.terms[stake.issue] for stake in on]
    for stake, value in zip(on, values, strict=True):
        if stake.options and not any(isclose(value, option, rel_tol=SAME) for option in stake.options):
            options = ", ".join(f"{option:g}" for option in stake.options)
            raise DealError("not_an_option", f"{stake.issue} {value:g} is none of its options: {options}")
    return on, values


def _assumed(on: Sequence[Stake]) -> list[list[Range]]:
    """Their ranges: as we know them, or as they are if they ask least, the middle, and if they ask most."""
    middle = [stake.middle for stake in on]
    if all(len(stake.theirs) == 1 for stake in on):
        return [middle]
    return [[stake.theirs[0] for stake in on], middle, [stake.theirs[-1] for stake in on]]


def _read(on: Sequence[Stake], values: Sequence[float], ours: float, ranges: Sequence[Range]) -> _Reading:
    theirs = sum(stake.weight_theirs * range_.gain(value) for stake, range_, value in zip(on, ranges, values, strict=True))
    game = [
        Matter(stake.ours, range_, stake.weight_ours, stake.weight_theirs, stake.options) for stake, range_ in zip(on, ranges, strict=True)
    ]
    segments = frontier(game)
    return _Reading(theirs, nash(segments), kalai_smorodinsky(segments), improvement(segments, ours, theirs))


def _counter_offer(on: Sequence[Stake], values: Sequence[float], readings: Sequence[_Reading]) -> Point | None:
    """The first of the better terms, the middle reading's first, that is better whatever in our estimates is true."""
    middle = len(readings) // 2
    for reading in (readings[middle], *readings[:middle], *readings[middle + 1 :]):
        point = reading.better
        if point is None:
            continue
        change = sum(
            stake.weight_theirs * min(corner.gain(new) - corner.gain(old) for corner in stake.theirs)
            for stake, old, new in zip(on, values, point.values, strict=True)
        )
        if change >= -2 * SAME:
            return point
    return None


def _verdict(ours: float, theirs: Sequence[float], readings: Sequence[_Reading], policy: DealPolicy) -> Verdict:
    """The verdict, where it is the same whatever they gain. ``theirs``: their gain at its most, in the middle, at its least."""
    pairs = zip(theirs, readings, strict=False)  # a single reading has a single gain
    found = {(_judged(ours, gain, reading, policy), ours > gain) for gain, reading in pairs}
    verdicts = {verdict for verdict, _ in found}
    if len(verdicts) > 1 or ("unequal" in verdicts and len(found) > 1):  # unequal either way: in between it is not
        return "cannot_tell"
    return verdicts.pop()


def _judged(ours: float, theirs: float, reading: _Reading, policy: DealPolicy) -> Verdict:
    least, most = min(ours, theirs), max(ours, theirs)
    if least < -SAME:
        return "no_zone" if reading.nash is None else "unequal"
    if most <= policy.tilted_share * (ours + theirs) + SAME:
        return "balanced"
    if least < policy.low_gain - SAME:
        return "unequal"
    return "tilted_to_us" if ours > theirs else "tilted_to_them"


def _efficiency(ours: float, readings: Sequence[_Reading]) -> Figure | None:
    """The deal's product of gains beside the largest. Never above 1: terms past a walk-away may beat all that both sides would take."""
    found = []
    for reading in readings:
        if reading.nash is None or min(reading.nash.ours, reading.nash.theirs) <= SAME:
            return None
        found.append(min(1.0, max(0.0, ours) * max(0.0, reading.theirs) / reading.nash.product))
    return _figure(min(found), max(found))


def _share(one: float, other: float) -> float | None:
    gained = max(0.0, one) + max(0.0, other)
    return max(0.0, one) / gained if gained > SAME else None


def _offer(on: Sequence[Stake], point: Point | None) -> Offer | None:
    if point is None:
        return None
    theirs = gains.theirs(on, point.values)
    if theirs is None:
        raise ValueError("a deal whose sides have gains has offers with gains")
    terms = {stake.issue: value if stake.options else float(f"{value:.12g}") for stake, value in zip(on, point.values, strict=True)}
    return Offer(terms, _clean(point.ours), _figure(*theirs))


def _over(values: Sequence[float]) -> Figure:
    return values[0] if min(values) == max(values) else Between(min(values), max(values))


def _figure(low: float, high: float) -> Figure:
    return _clean(low) if high - low <= SAME else Between(_clean(low), _clean(high))


def _clean(figure: float) -> float:
    """Without the last bits, which only show how it was added up."""
    return round(figure, 12) + 0.0
