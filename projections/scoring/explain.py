"""Every score taken apart into the events behind it, with two figures each.

*Contribution*, in points of quality: from level - m = sum over events of (w+ (1 - m) - w- m) / (R + S + k), so base + contributions +
others is the score. The purchase model is not additive: what purchases lift the probability above that of silence since the first of
them is shared among them by their faded weights; what silence itself takes away is nobody's event and stands in ``others``.

*Effect*: the score with the event less the score had it never happened, by taking the event out of the sums (of a case: by telling the
case again without it).
"""

from collections import Counter
from collections.abc import Sequence

import msgspec

from projections.scoring.cases import Case, Item
from projections.scoring.evidence import DAY_US, Evidence, faded, kept
from projections.scoring.figures import Purchases, Total, Totals, add, levels, purchases, quality
from projections.scoring.marks import mark
from projections.scoring.models import Model
from schemas.catalogue import Purchase
from schemas.touchpoint import Recorded


class Part(msgspec.Struct, frozen=True):
    """One event's part in a score, in points of quality. ``dimensions``: its contribution by dimension."""

    event: Recorded
    contribution: float
    effect: float
    dimensions: dict[str, float]


class Parts(msgspec.Struct, frozen=True):
    """A score taken apart: ``quality`` = ``base`` + the contributions + ``others``. Parts with the largest contribution first."""

    base: float
    quality: float | None
    parts: tuple[Part, ...]
    others: float


class _Case(msgspec.Struct):
    """A case, what of it happened, and the evidence it gives at the moment."""

    members: list[Recorded]
    items: list[Item]


def explain(events: Sequence[Recorded], model: Model, moment_us: int) -> Parts:
    """Take the score at ``moment_us`` apart. ``events``: all of the relationship that count, none after the moment."""
    book = _Book(events, model, moment_us)
    found = levels(book.totals, model)
    base, total = model.base, quality(found, model)
    if not any(one.evidence > 0.0 for one, dimension in zip(found, model.dimensions, strict=True) if dimension.weight):
        return Parts(base, None, tuple(Part(event, 0.0, 0.0, {}) for event in events), 0.0)
    points = [100.0 * dimension.weight / one.events for dimension, one in zip(model.dimensions, found, strict=True)]
    parts = []
    for event in events:
        gains: dict[str, float] = {}
        for number, plus, minus in book.evidence_of(event):
            mean = model.dimensions[number].prior_mean
            gain = points[number] * (plus * (1.0 - mean) - minus * mean)
            gains[model.names[number]] = gains.get(model.names[number], 0.0) + gain
        effect = total - quality(levels(book.without(event), model), model) if book.speaks(event) else 0.0
        parts.append(Part(event, sum(gains.values()), effect, gains))
    parts.sort(key=lambda part: (-abs(part.contribution), part.event.position))
    return Parts(base, total, tuple(parts), total - base - sum(part.contribution for part in parts))


class _Book:
    """The evidence of every event, faded to the moment, and its totals."""

    def __init__(self, events: Sequence[Recorded], model: Model, moment_us: int) -> None:
        self.model, self.moment_us = model, moment_us
        self._fades = [faded(moment_us, dimension.half_life_us) for dimension in model.dimensions]
        self._simple: dict[int, list[tuple[int, Evidence]]] = {}  # by position: dimension number, evidence faded to the moment
        self._cases: dict[str, _Case] = {}
        self._case_of: dict[int, str] = {}  # position -> key of its case
        self._given: dict[int, list[tuple[int, Evidence]]] = {}  # tie of a touchpoint -> what its case puts down to it
        self._bought: dict[int, int] = {}  # purchases by position: their day since 1970 UTC
        for event in events:
            self._enter(event)
        for case in self._cases.values():
            case.items = self._tell(case.members)
            for item in case.items:
                self._given.setdefault(item.by, []).append(self._faded(item))
        self._on = Counter(self._bought.values())  # purchases by day
        self._days = sorted(self._on)
        half_life = model.policy.purchases.half_life_us
        self._weights = {day: kept(day * DAY_US, half_life) for day in self._on}  # of a day with purchases, forward-decayed
        self._weight = sum(self._weights.values())
        self.totals = self._totals()
        self._shared = self._share_of_purchases()

    def speaks(self, event: Recorded) -> bool:
        """Whether the event is evidence of anything, alone or with others."""
        return event.position in self._simple or event.position in self._case_of or event.position in self._bought

    def evidence_of(self, event: Recorded) -> list[tuple[int, float, float]]:
        """What is put down to an event: (dimension number, evidence for, evidence against), faded to the moment."""
        given = self._simple.get(event.position, [])
        if event.position in self._case_of:
            given = self._given.get(mark(event).tie, [])
        found = [(number, one.plus, one.minus) for number, one in given]
        share = self._shared.get(event.position)
        if share is not None:
            found.append((self.model.numbers["commitment"], share, -share))  # moves the level, adds no evidence
        return found

    def without(self, event: Recorded) -> Totals:
        """The totals had the event never happened."""
        totals = Totals([Total(one.plus, one.minus, one.minus_ours) for one in self.totals.dimensions], self.totals.purchases)
        for number, one in self._simple.get(event.position, []):
            add(totals.dimensions[number], one.plus, one.minus, one.ours, -1.0)
        key = self._case_of.get(event.position)
        if key is not None:
            case = self._cases[key]
            for items, sign in ((case.items, -1.0), (self._tell([one for one in case.members if one is not event]), 1.0)):
                for item in items:
                    number, one = self._faded(item)
                    add(totals.dimensions[number], one.plus, one.minus, one.ours, sign)
        if event.position in self._bought:
            totals.purchases = self._purchases(event.position)
        return totals

    def _enter(self, event: Recorded) -> None:
        model, data = self.model, event.data
        for number, half_life, source in model.simple.get(type(data), ()):
            evidence = source(data, model.policy)
            if evidence is not None:
                factor = kept(event.occurred_us, half_life) * self._fades[number]
                faded_ = Evidence(evidence.plus * factor, evidence.minus * factor, evidence.ours)
                self._simple.setdefault(event.position, []).append((number, faded_))
        case_type = model.cases.get(type(data))
        if case_type is not None:
            key = case_type.key(data)  # type: ignore[arg-type]  # the table pairs each data with its case
            self._cases.setdefault(key, _Case([], [])).members.append(event)
            self._case_of[event.position] = key
        elif isinstance(data, Purchase) and model.kind == "customer":
            self._bought[event.position] = event.occurred_us // DAY_US

    def _tell(self, members: Sequence[Recorded]) -> list[Item]:
        """The evidence of a case with these touchpoints."""
        case: Case | None = None
        for event in members:
            if case is None:
                case = self.model.cases[type(event.data)]()
            case.take(event, event.data, self.model.policy)  # type: ignore[arg-type]
        return [] if case is None else case.items(self.moment_us, self.model.kind, self.model.policy)

    def _faded(self, item: Item) -> tuple[int, Evidence]:
        number = self.model.numbers[item.dimension]
        factor = kept(item.at_us, self.model.dimensions[number].half_life_us) * self._fades[number]
        return number, Evidence(item.plus * factor, item.minus * factor, item.ours)

    def _totals(self) -> Totals:
        result = [Total() for _ in self.model.names]
        for given in (*self._simple.values(), *self._given.values()):
            for number, one in given:
                add(result[number], one.plus, one.minus, one.ours, 1.0)
        return Totals(result, self._purchases())

    def _purchases(self, without: int | None = None) -> Purchases | None:
        """The purchase model, of all purchases or of all but the one at a position: alone on its day it takes the day away."""
        day = None if without is None else self._bought[without]
        if day is None or self._on[day] > 1:
            left, weight = self._days, self._weight
        else:
            left = [one for one in (*self._days[:2], *self._days[-2:]) if one != day]
            weight = self._weight - self._weights[day]
        return purchases(weight, left[0], left[-1], self.moment_us, self.model) if left else None

    def _share_of_purchases(self) -> dict[int, float]:
        """By position: how much of the commitment's evidence (its events times the probability) each purchase lifted above silence."""
        bought = self.totals.purchases
        if bought is None or bought.count <= 0.0:
            return {}
        lifted = bought.events * (bought.outlook.probability - bought.outlook.silent) / bought.count
        fade = faded(self.moment_us, self.model.policy.purchases.half_life_us)
        return {position: lifted * self._weights[day] * fade / self._on[day] for position, day in self._bought.items()}
