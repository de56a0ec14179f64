"""What is remembered of the first days of a relationship, and the evidence that there was at the start of any of them.

Evidence, as ``relationships`` weighs it, money and our work are kept by day, so that a touchpoint that arrives late and happened before
all others moves the beginning, and with it which days count.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from projections.acquisition.firsts import FIRSTS, Teller
from projections.scoring import state as scoring
from projections.scoring.cases import Case, book
from projections.scoring.evidence import DAY_US, kept
from projections.scoring.figures import Totals, levels, purchases, quality, summed
from projections.scoring.marks import Mark, mark
from projections.scoring.models import Model, Source
from projections.scoring.policy import AcquisitionPolicy, Policy
from schemas import catalogue as c
from schemas.touchpoint import Recorded

UNKNOWN_DAY = 2**40  # days since 1970: after every day there is
UNTOLD = -1.0  # a quality that was not worked out
WON = ("channel", "segment", "incentive")
"""What an opening tells of how a relationship was won."""


class Day(msgspec.Struct, array_like=True, gc=False):
    """Money of one day in one currency: bought by them, or by us of a partner. ``margins``: of ``count``, how many told their margin."""

    count: int = 0
    amount: float = 0.0
    margin: float = 0.0
    margins: int = 0
    given: float = 0.0  # as incentives by us


class Told(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first word on something, by when it happened."""

    mark: Mark
    word: str
    amount: float = 0.0
    currency: str = ""


class State(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of the first days. Days are counted from 1970 UTC.

    seen_us: the newest touchpoint. near: quality at the nearer moment, worked out once, before the first touchpoint that happened after it
    is heard of; ``UNTOLD`` where none was, or one that happened before it was heard of since. opened: whether an opening was told. won: see
    ``WON``. firsts: by experience. said: by day and dimension (``scoring.on_day``) evidence for and against, forward-decayed, of cases too
    once they are no longer kept singly. money: by currency and day. traded: days with a purchase, an order or a delivery. served: by day,
    hours of our work.
    """

    relationship: str
    kind: str
    begun: int = UNKNOWN_DAY
    seen_us: int = 0
    near: float | None = UNTOLD
    opened: bool = False
    won: dict[str, Told] = {}
    firsts: dict[str, Told] = {}
    said: dict[int, list[float]] = {}
    cases: dict[str, Case] = {}
    settled: dict[int, int] = {}
    money: dict[str, dict[int, Day]] = {}
    traded: dict[int, int] = {}  # day // 64 -> a bit for each
    served: dict[int, float] = {}


Step = Callable[[State, Recorded, int], None]
"""Something that is remembered of a touchpoint, which happened on a day."""


class Kind(NamedTuple):
    """How relationships of one kind are folded. ``steps``: of every type there may be."""

    model: Model
    steps: Mapping[type, Sequence[Step]]


def steps(model: Model, type_: type) -> tuple[Step, ...]:
    """All that is remembered of touchpoints of one type, found once and not at every event."""
    policy, found = model.policy, list[Step]()
    if sources := model.simple.get(type_):
        found.append(partial(_hear, sources, policy))
    if case_type := model.cases.get(type_):
        found.append(partial(_follow, case_type, model))
    if pay := PAY[model.kind].get(type_):
        found.append(pay)
    if type_ in TRADE:
        found.append(_trade)
    if hours := model.hours.get(type_):
        found.append(partial(_serve, hours))
    if told := FIRSTS[model.kind].get(type_):
        found.append(partial(_experience, told, policy.acquisition))
    if type_ is c.Opened:
        found.append(_open)
    return tuple(found)


def timely(far_days: int, state: State | None, events: Sequence[Recorded]) -> list[Recorded]:
    """The touchpoints that happened before the days that are looked at were over, as far as is known when each arrives."""
    begun, found = UNKNOWN_DAY if state is None else state.begun, []
    for event in events:
        day = event.occurred_us // DAY_US
        if day < begun + far_days:
            found.append(event)
            if day < begun:
                begun = day
    return found


def fold(by_kind: Mapping[str, Kind], state: State | None, events: Sequence[Recorded]) -> State:
    """The state after timely touchpoints, whatever the order in which they arrive."""
    if state is None:
        relationship = events[0].relationship
        state = State(relationship, relationship.partition("/")[0])
    model, steps_of = by_kind[state.kind]
    near_days, begun = model.policy.acquisition.near_days, state.begun
    for event in events:
        day = event.occurred_us // DAY_US
        if day < begun:
            begun = state.begun = day
        if event.occurred_us > state.seen_us:
            state.seen_us = event.occurred_us
        if day < begun + near_days:
            state.near = UNTOLD
        elif state.near == UNTOLD:
            state.near = quality_at(state, model, begun + near_days)
        for step in steps_of[type(event.data)]:
            step(state, event, day)
    return state


def _hear(sources: Sequence[tuple[int, float, Source]], policy: Policy, state: State, event: Recorded, day: int) -> None:
    for number, half_life, source in sources:
        evidence = source(event.data, policy)
        if evidence is not None:
            factor = kept(event.occurred_us, half_life)
            _say(state, day, number, evidence.plus * factor, evidence.minus * factor)


def _follow(case_type: type[Case], model: Model, state: State, event: Recorded, _: int) -> None:
    """Tell the touchpoint's case; of more than are kept let the closed one that ended first be plain evidence."""
    book.tell(state.cases, state.settled, case_type, event, model.policy)
    if len(state.cases) > model.policy.model.cases_kept and (found := book.settle(state.cases, state.settled)) is not None:
        case, ended = found
        for item in case.items(ended, model.kind, model.policy):
            number = model.numbers[item.dimension]
            factor = kept(item.at_us, model.dimensions[number].half_life_us)
            _say(state, item.since_us // DAY_US, number, item.plus * factor, item.minus * factor)


def _say(state: State, day: int, number: int, plus: float, minus: float) -> None:
    at = scoring.on_day(day, scoring.SLOTS * number)
    found = state.said.get(at)
    if found is None:
        state.said[at] = [plus, minus]
    else:
        found[0] += plus
        found[1] += minus


def _bought(state: State, event: Recorded, day: int) -> None:
    assert isinstance(event.data, c.Purchase)  # noqa: S101  # as ``PAY`` has it
    margin = event.data.margin
    found = _spend(state, event.data.amount, day)
    if margin is not None and margin.currency == event.data.amount.currency:
        found.margin += float(margin.amount)
        found.margins += 1


def _ordered(state: State, event: Recorded, day: int) -> None:
    assert isinstance(event.data, c.OrderPlaced)  # noqa: S101
    _spend(state, event.data.amount, day)


def _gave(state: State, event: Recorded, day: int) -> None:
    assert isinstance(event.data, c.Incentive)  # noqa: S101
    if event.data.by == "us" and event.data.value is not None:
        _day(state, event.data.value.currency, day).given += float(event.data.value.amount)


PAY: Mapping[str, Mapping[type, Step]] = {
    "customer": {c.Purchase: _bought, c.Incentive: _gave},
    "partner": {c.OrderPlaced: _ordered, c.Incentive: _gave},
}
TRADE = frozenset((c.Purchase, c.OrderPlaced, c.Delivery, c.Information))


def _spend(state: State, amount: c.Money, day: int) -> Day:
    found = _day(state, amount.currency, day)
    found.count += 1
    found.amount += float(amount.amount)
    return found


def _day(state: State, currency: str, day: int) -> Day:
    days = state.money.setdefault(currency, {})
    found = days.get(day)
    if found is None:
        found = days[day] = Day()
    return found


def _trade(state: State, _: Recorded, day: int) -> None:
    word = day // scoring.WORD_BITS
    state.traded[word] = state.traded.get(word, 0) | 1 << day % scoring.WORD_BITS


def _serve(hours: float, state: State, _: Recorded, day: int) -> None:
    state.served[day] = state.served.get(day, 0.0) + hours


def _open(state: State, event: Recorded, _: int) -> None:
    state.opened = True
    for name in WON:
        if (word := getattr(event.data, name)) is not None and _earlier(event, state.won.get(name)):
            state.won[name] = Told(mark(event), word)


def _experience(told: tuple[str, Teller], rule: AcquisitionPolicy, state: State, event: Recorded, day: int) -> None:
    """Note a first experience, unless the first days were over or one that happened earlier is known."""
    experience, tell = told
    if day >= state.begun + rule.first_days or not _earlier(event, state.firsts.get(experience)):
        return
    if (first := tell(event.data, rule)) is not None:
        state.firsts[experience] = Told(mark(event), *first)


def _earlier(event: Recorded, told: Told | None) -> bool:
    return told is None or event.occurred_us < told.mark.at_us or mark(event) < told.mark


def quality_at(state: State, model: Model, end: int) -> float | None:
    """Quality at the start of day ``end``, had nothing happened since, 0-100; None where nothing was known."""
    found = levels(_as_of(state, model, end), model)
    told = [one.evidence > 0.0 for one, dimension in zip(found, model.dimensions, strict=True) if dimension.weight]
    return round(quality(found, model), 2) if True in told else None


def _as_of(state: State, model: Model, end: int) -> Totals:
    """The evidence at the start of day ``end``, had nothing happened since, as ``scoring.figures.totals`` would tell it."""
    moment_us, first = end * DAY_US, scoring.on_day(end, 0)
    sums = [0.0] * (scoring.SLOTS * len(model.names))
    for at, (plus, minus) in state.said.items():
        if at < first:
            slot = at & scoring.SLOT_MASK
            sums[slot] += plus
            sums[slot + 1] += minus
    dimensions = summed(sums, state.cases.values(), model, moment_us)
    if model.kind != "customer":
        return Totals(dimensions)
    bought = {day for days in state.money.values() for day, money in days.items() if money.count and day < end}
    if not bought:
        return Totals(dimensions)
    half_life = model.policy.purchases.half_life_us
    kept_purchases = sum([kept(day * DAY_US, half_life) for day in bought])
    return Totals(dimensions, purchases(kept_purchases, min(bought), max(bought), moment_us, model))
