"""From a state to its figures at a moment: levels, quality, intervals.

Quality is the weighted mean of the levels, 0-100; a dimension without evidence stands at the peers' mean. Its interval is that of the Beta
distribution with the same mean and variance as the weighted sum of the levels, each a Beta distribution of its own.
"""

from math import exp2

import msgspec

from projections.scoring.commitment import probability_at
from projections.scoring.evidence import DAY_US, beta_interval, faded
from projections.scoring.models import Model
from projections.scoring.state import SLOT_BITS, State


class Total(msgspec.Struct):
    """The evidence of one dimension, faded to the moment. ``minus_ours``: the part of ``minus`` that is our own conduct."""

    plus: float = 0.0
    minus: float = 0.0
    minus_ours: float = 0.0


class Purchases(msgspec.Struct, frozen=True):
    """What the purchase model says. ``count``: purchases, each faded by its age; ``probability`` of another within the horizon."""

    count: float
    probability: float


class Totals(msgspec.Struct):
    """The evidence of all dimensions, in the model's order."""

    dimensions: list[Total]
    purchases: Purchases | None = None


class Level(msgspec.Struct, frozen=True):
    """One dimension. ``level`` 0-1; ``evidence`` in events, 0 where nothing is known; ``events`` the prior's included."""

    level: float
    evidence: float
    events: float


class Figures(msgspec.Struct, frozen=True):
    """All figures of a relationship at a moment. ``quality`` and its bounds 0-100; ``evidence`` in events, of the dimensions that weigh."""

    moment_us: int
    levels: tuple[Level, ...]
    quality: float
    low: float
    high: float
    evidence: float
    lost: float  # points below what the relationship would have without anything that speaks against it
    lost_ours: float  # of these, by our own conduct


def totals(state: State, model: Model, moment_us: int) -> Totals:
    """The evidence known to have happened by ``moment_us``.

    ``moment_us`` is not before the newest event of the state, or it is the start of a UTC day within the last ``trend_days``.
    """
    sums = state.sums
    if moment_us < state.last_us and state.recent:
        first = moment_us // DAY_US << SLOT_BITS
        mask = (1 << SLOT_BITS) - 1
        sums = sums.copy()
        for key, amount in state.recent.items():
            if key >= first:
                sums[key & mask] = max(0.0, sums[key & mask] - amount)
    result = []
    for number, dimension in enumerate(model.dimensions):
        fade = faded(moment_us, dimension.half_life_us)
        slot = 3 * number
        result.append(Total(sums[slot] * fade, sums[slot + 1] * fade, sums[slot + 2] * fade))
    for case in state.cases.values():
        for item in case.items(moment_us, model.kind, model.policy):
            number = model.numbers[item.dimension]
            factor = exp2((item.at_us - moment_us) / model.dimensions[number].half_life_us)
            add(result[number], item.plus, item.minus, item.ours, factor)
    bought = state.first_purchase_us
    return Totals(result, None if bought is None or bought > moment_us else purchases(sums[-1], bought, moment_us, model))


def purchases(kept_purchases: float, first_us: int, moment_us: int, model: Model) -> Purchases:
    """The purchase model at a moment, from the forward-decayed number of purchases and the first of them."""
    rule = model.policy.purchases
    return Purchases(kept_purchases * faded(moment_us, rule.half_life_us), probability_at(kept_purchases, first_us, moment_us, rule))


def add(total: Total, plus: float, minus: float, ours: bool, factor: float) -> None:  # noqa: FBT001  # a record's field
    """Add evidence times ``factor`` to a total."""
    total.plus += plus * factor
    total.minus += minus * factor
    if ours:
        total.minus_ours += minus * factor


def level(total: Total, bought: Purchases | None, number: int, model: Model) -> Level:
    """One dimension's level. ``bought`` counts for commitment alone: as evidence of the policy's weight for its probability."""
    dimension = model.dimensions[number]
    plus, minus, evidence = total.plus, max(0.0, total.minus), total.plus + max(0.0, total.minus)
    if bought is not None:
        weight = model.policy.purchases.weight
        plus += weight * bought.probability
        minus += weight * (1.0 - bought.probability)
        evidence += bought.count
    events = plus + minus + dimension.prior_events
    return Level((plus + dimension.prior_events * dimension.prior_mean) / events, evidence, events)


def levels(evidence: Totals, model: Model) -> tuple[Level, ...]:
    """The levels of all dimensions, in the model's order."""
    return tuple(
        level(total, evidence.purchases if name == "commitment" else None, number, model)
        for number, (name, total) in enumerate(zip(model.names, evidence.dimensions, strict=True))
    )


def quality(found: tuple[Level, ...], model: Model) -> float:
    """The weighted mean of the levels, 0-100."""
    return 100.0 * sum(dimension.weight * one.level for dimension, one in zip(model.dimensions, found, strict=True))


def figures(state: State, model: Model, moment_us: int) -> Figures:
    """All figures at ``moment_us``; see ``totals`` for which moments can be told."""
    evidence = totals(state, model, moment_us)
    found = levels(evidence, model)
    mean = quality(found, model) / 100.0
    variance = lost = lost_ours = known = 0.0
    for dimension, total, one in zip(model.dimensions, evidence.dimensions, found, strict=True):
        weight = dimension.weight
        variance += weight * weight * one.level * (1.0 - one.level) / (one.events + 1.0)
        share = 100.0 * weight * one.level / one.events  # points of quality one event against costs
        lost += share * max(0.0, total.minus)
        lost_ours += share * max(0.0, total.minus_ours)
        if weight:
            known += one.evidence
    low, high = beta_interval(mean, mean * (1.0 - mean) / variance - 1.0, model.policy.model.interval_mass)
    return Figures(moment_us, found, 100.0 * mean, 100.0 * low, 100.0 * high, known, lost, lost_ours)
