"""From a state to its figures at a moment: levels, quality, intervals.

Quality is the weighted mean of the levels, 0-100; a dimension without evidence stands at the peers' mean.

**Intervals.** A level's is that of a Beta distribution, worth as many events as its evidence is: ten events faded to a half each weigh
as five in the level, but they know as much as ten. The sum of the weights over the sum of their squares says how many more (Kish 1965,
effective sample size): 1 where all is fresh, ``STEADY`` at most. The interval is that of the level with evidence larger by this factor and
the same prior. It holds for a relationship whose truth stands still; where it moves, the level lags behind. The interval of quality is
that of the Beta distribution with the mean and variance of the weighted sum of the levels' distributions.
"""

from collections.abc import Iterable, Sequence
from math import exp2

import msgspec

from projections.scoring.cases import Case
from projections.scoring.commitment import Outlook, outlook
from projections.scoring.evidence import DAY_US, beta_interval, faded, fades
from projections.scoring.models import Model
from projections.scoring.policy import DimensionPolicy
from projections.scoring.state import SLOTS, State

STEADY = 2.0  # weights over squared weights of evidence that came steadily; a pile of old evidence alone would be worth as much as when new


class Total(msgspec.Struct, gc=False):
    """The evidence of one dimension, faded to the moment.

    minus_ours: the part of ``minus`` that is our own conduct. squares: all of it, faded twice.
    """

    plus: float = 0.0
    minus: float = 0.0
    minus_ours: float = 0.0
    squares: float = 0.0


class Purchases(msgspec.Struct, frozen=True, gc=False):
    """What the purchase model says. ``count``: days with a purchase, each faded by its age; ``events`` of evidence they are."""

    count: float
    outlook: Outlook
    events: float


class Totals(msgspec.Struct, gc=False):
    """The evidence of all dimensions, in the model's order."""

    dimensions: list[Total]
    purchases: Purchases | None = None


class Level(msgspec.Struct, frozen=True, gc=False):
    """One dimension. ``level`` 0-1; ``evidence`` in events, 0 where nothing is known; ``events`` the prior's included.

    Where it truly lies is a Beta distribution with mean ``centre`` that is worth ``worth`` events.
    """

    level: float
    evidence: float
    events: float
    centre: float
    worth: float

    def interval(self, mass: float) -> tuple[float, float]:
        """The central interval of this probability; the level is inside, also where the evidence contradicts the prior strongly."""
        low, high = beta_interval(self.centre, self.worth, mass)
        return min(low, self.level), max(high, self.level)


class Figures(msgspec.Struct, gc=False):
    """All figures of a relationship at a moment. ``quality`` and its bounds 0-100; ``evidence`` in events, of the dimensions that weigh.

    totals: the evidence the levels rest on, in the order of ``dimensions``. bounds: the central interval of probability ``mass``, dearest
    of all figures; points: what is lost, and how much of it by our own conduct. Both are worked out when they are first asked for.
    """

    moment_us: int
    levels: tuple[Level, ...]
    quality: float
    evidence: float
    totals: Sequence[Total]
    dimensions: Sequence[DimensionPolicy]
    mass: float
    bounds: tuple[float, float] | None = None
    points: tuple[float, float] | None = None

    @property
    def low(self) -> float:
        return (self.bounds or self._bounded())[0]

    @property
    def high(self) -> float:
        return (self.bounds or self._bounded())[1]

    @property
    def lost(self) -> float:
        """Points below what the relationship would have without anything that speaks against it."""
        return (self.points or self._lost())[0]

    @property
    def lost_ours(self) -> float:
        """Of these, by our own conduct."""
        return (self.points or self._lost())[1]

    def _bounded(self) -> tuple[float, float]:
        middle = variance = 0.0
        for dimension, one in zip(self.dimensions, self.levels, strict=True):
            weight, centre = dimension.weight, one.centre
            middle += weight * centre
            variance += weight * weight * centre * (1.0 - centre) / (one.worth + 1.0)
        low, high = beta_interval(middle, middle * (1.0 - middle) / variance - 1.0, self.mass)
        self.bounds = min(self.quality, 100.0 * low), max(self.quality, 100.0 * high)
        return self.bounds

    def _lost(self) -> tuple[float, float]:
        lost = ours = 0.0
        for dimension, total, one in zip(self.dimensions, self.totals, self.levels, strict=True):
            if total.minus > 0.0 and dimension.weight:
                share = 100.0 * dimension.weight * one.level / one.events  # points of quality one event against costs
                lost += share * total.minus
                if total.minus_ours > 0.0:
                    ours += share * total.minus_ours
        self.points = lost, ours
        return self.points


def totals(state: State, model: Model, moment_us: int) -> Totals:
    """The evidence known to have happened by ``moment_us``.

    ``moment_us`` is not before the newest event of the state, or it is the start of a UTC day within the last ``trend_days``.
    """
    sums = state.sums if moment_us >= state.last_us else state.sums_before(moment_us // DAY_US)
    return Totals(summed(sums, state.cases.values(), model, moment_us), _bought(state, sums[-1], model, moment_us))


def summed(sums: Sequence[float], cases: Iterable[Case], model: Model, moment_us: int) -> list[Total]:
    """The evidence of each dimension in forward-decayed ``sums``, as a ``State`` has them, and in cases, faded to the moment."""
    result, slot = [], 0
    for fade in fades(moment_us, model.half_lives):
        result.append(Total(sums[slot] * fade, sums[slot + 1] * fade, sums[slot + 2] * fade, sums[slot + 3] * fade * fade))
        slot += SLOTS
    numbers, half_lives, kind, policy = model.numbers, model.half_lives, model.kind, model.policy
    for case in cases:
        for item in case.items(moment_us, kind, policy):
            number = numbers[item.dimension]
            total, factor = result[number], exp2((item.at_us - moment_us) / half_lives[number])
            plus, minus = item.plus * factor, item.minus * factor
            total.plus += plus
            total.minus += minus
            if item.ours:
                total.minus_ours += minus
            total.squares += (plus + minus) * factor
    return result


def _bought(state: State, kept_purchases: float, model: Model, moment_us: int) -> Purchases | None:
    first, last = state.first_bought, state.last_bought
    if first is None or last is None:
        return None
    if moment_us < state.last_us:
        last = state.last_bought_before(moment_us // DAY_US)
        if last is None:
            return None
    return purchases(kept_purchases, first, last, moment_us, model)


def purchases(kept_purchases: float, first: int, last: int, moment_us: int, model: Model) -> Purchases:
    """The purchase model at a moment, from the forward-decayed number of days with a purchase, and the first and last of these."""
    rule = model.policy.purchases
    count = kept_purchases * faded(moment_us, rule.half_life_us) if kept_purchases > 0.0 else 0.0
    found = outlook(count, moment_us / DAY_US - first, moment_us / DAY_US - last, rule)
    return Purchases(count, found, min(rule.weight, found.worth))


def add(total: Total, plus: float, minus: float, ours: bool, factor: float) -> None:  # noqa: FBT001  # a record's field
    """Add evidence times ``factor`` to a total."""
    total.plus += plus * factor
    total.minus += minus * factor
    if ours:
        total.minus_ours += minus * factor


def level(total: Total, bought: Purchases | None, dimension: DimensionPolicy) -> Level:
    """One dimension's level. ``bought`` counts for commitment alone: what the purchases say stands in the place of the prior."""
    plus, minus, squares = total.plus, total.minus, total.squares
    said = plus + minus if minus > 0.0 else plus
    more = said / squares if squares > 0.0 else 1.0
    if more < 1.0:
        more = 1.0
    elif more > STEADY:
        more = STEADY
    if bought is None:
        prior, prior_mean = dimension.prior_events, dimension.prior_mean
        worth, events = said * more + prior, said + prior
        return Level((plus + prior * prior_mean) / events, said, events, (plus * more + prior * prior_mean) / worth, worth)
    events = said + bought.events
    centre, worth = _mixed(plus * more, said * more, bought)
    return Level((plus + bought.events * bought.outlook.probability) / events, said + bought.count, events, centre, worth)


def _mixed(plus: float, said: float, bought: Purchases) -> tuple[float, float]:
    """Mean and worth of what purchases and other evidence say together: a mean of two weighted by events, and its variance.

    Purchases may be surer than the events they count for; then their share is that of the events, their variance their own.
    """
    mean, worth = bought.outlook.centre, bought.outlook.worth
    share = bought.events / (bought.events + said)
    centre = (plus + bought.events * mean) / (said + bought.events)
    spread = centre * (1.0 - centre)
    variance = share * share * mean * (1.0 - mean) / (worth + 1.0) + (1.0 - share) ** 2 * spread / (said + 1.0)
    return centre, spread / variance - 1.0


def levels(evidence: Totals, model: Model) -> tuple[Level, ...]:
    """The levels of all dimensions, in the model's order."""
    found = []
    for name, dimension, total in zip(model.names, model.dimensions, evidence.dimensions, strict=True):
        found.append(level(total, evidence.purchases if name == "commitment" else None, dimension))
    return tuple(found)


def quality(found: tuple[Level, ...], model: Model) -> float:
    """The weighted mean of the levels, 0-100."""
    return 100.0 * sum([dimension.weight * one.level for dimension, one in zip(model.dimensions, found, strict=True)])


def figures(state: State, model: Model, moment_us: int) -> Figures:
    """All figures at ``moment_us``; see ``totals`` for which moments can be told."""
    evidence = totals(state, model, moment_us)
    found = levels(evidence, model)
    known = 0.0
    for dimension, one in zip(model.dimensions, found, strict=True):
        if dimension.weight:
            known += one.evidence
    mass = model.policy.model.interval_mass
    return Figures(moment_us, found, quality(found, model), known, evidence.dimensions, model.dimensions, mass)
