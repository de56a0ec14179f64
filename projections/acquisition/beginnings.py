"""acquisition: one row per relationship with how it began, and how good it was at two moments after, on the evidence of then.

A relationship begins with its first touchpoint. The days from there to the later moment are folded with the very scoring of
``relationships``, each day kept singly, so that the score at either moment is told as ``show --as-of`` tells it; what happens later changes
nothing. A touchpoint that arrives late and happened earlier moves the beginning to an earlier day, and both moments with it: what was left
out before lies after them still, so the order of arrival changes nothing.
"""

from datetime import date
from functools import cache, partial
from typing import Any

import msgspec

from projections.acquisition.firsts import FIRSTS
from projections.projection import Projection
from projections.scoring import state as scoring
from projections.scoring.cases import ComplaintCase, Mark
from projections.scoring.cases.case import mark
from projections.scoring.evidence import DAY_US
from projections.scoring.figures import figures
from projections.scoring.models import Model, models
from projections.scoring.policy import AcquisitionPolicy, Policy
from schemas import catalogue as c
from schemas.touchpoint import Recorded

EPOCH_DAY = date(1970, 1, 1).toordinal()
UNKNOWN_DAY = 2**40  # days since 1970: after every day there is
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

    scored: as in ``relationships``, of these days alone. won: see ``WON``. firsts: by experience. money: by currency and day.
    traded: days with a purchase, an order or a delivery. served: by day, hours of our work.
    """

    scored: scoring.State
    begun: int = UNKNOWN_DAY
    won: dict[str, Told] = {}
    firsts: dict[str, Told] = {}
    money: dict[str, dict[int, Day]] = {}
    traded: dict[int, int] = {}  # day // 64 -> a bit for each
    served: dict[int, float] = {}


class Row(msgspec.Struct, frozen=True):
    """The table's columns.

    begun_on: the day (UTC) of the first touchpoint. opened: whether an opening was told. channel, segment, incentive: as first told.
    first_...: within the policy's ``first_days``, null where nothing of the kind happened in them.
    near_..., far_...: ``near_days`` and ``far_days`` after the beginning, or as it would be then if nothing more happened: a row counts
    once they have passed. quality: 0-100, null where nothing was known. active: whether they bought, or we ordered, within ``active_days``
    before. value: margin or revenue of a customer, spend with a partner, from the beginning on, in ``currency`` (that of most); cost:
    incentives we gave in that currency, and our work. basis: ``margin`` where every purchase told it, ``revenue``, or ``spend``.
    """

    relationship: str
    kind: str
    begun_on: str
    opened: bool
    channel: str | None
    segment: str | None
    incentive: str | None
    first_purchase: float | None
    first_purchase_currency: str | None
    first_delivery: str | None
    first_complaint: str | None
    first_answer: str | None
    first_payment: str | None
    first_quote: str | None
    first_rate: str | None
    currency: str | None
    basis: str | None
    near_quality: float | None
    near_active: bool
    near_value: float | None
    near_cost: float
    far_quality: float | None
    far_active: bool
    far_value: float | None
    far_cost: float


@cache
def acquisition(policy: Policy) -> Projection:
    """The projection under a policy."""
    # days are kept singly as far back as the later moment looks
    by_kind = models(msgspec.structs.replace(policy, model=msgspec.structs.replace(policy.model, trend_days=policy.acquisition.far_days)))
    return Projection(
        "acquisition",
        version=1,
        policy=policy.digest,
        row=Row,
        state=State,
        key=_key,
        takes=_TYPES,
        over=partial(_over, policy.acquisition.far_days),
        fold=partial(_fold, by_kind),
        publish=partial(_publish, by_kind),
        index=("channel", "segment"),
    )


_TYPES = frozenset(entry.struct for entry in c.CATALOGUE.values() if not entry.type.startswith(c.RESERVED_PREFIX))
_TRADE = frozenset((c.Purchase, c.OrderPlaced, c.Delivery, c.Information))
_MONEY = frozenset((c.Purchase, c.OrderPlaced, c.Incentive))


def _key(event: Recorded) -> str | None:
    return event.relationship if type(event.data) in _TYPES else None


def _over(far_days: int, state: State, event: Recorded) -> bool:
    """Whether the days that are looked at were over when it happened."""
    return event.occurred_us // DAY_US >= state.begun + far_days


def _fold(by_kind: dict[str, Model], state: State | None, event: Recorded) -> State:
    model = by_kind[event.relationship.partition("/")[0]]
    if state is None:
        state = State(scoring.empty(event.relationship, model))
    day, rule = event.occurred_us // DAY_US, model.policy.acquisition
    if _over(rule.far_days, state, event):
        return state
    state.begun = min(day, state.begun)
    scoring.fold(state.scored, event, model, (state.begun + rule.far_days) * DAY_US)
    data = event.data
    if isinstance(data, c.Opened):
        for name in WON:
            if (word := getattr(data, name)) is not None:
                _first(state.won, name, Told(mark(event), word))
    elif type(data) in _TRADE:
        word, bit = divmod(day, scoring.WORD_BITS)
        state.traded[word] = state.traded.get(word, 0) | 1 << bit
    if type(data) in _MONEY:
        _pay(state, data, day)
    if (hours := model.hours.get(type(data))) is not None:
        state.served[day] = state.served.get(day, 0.0) + hours
    teller = FIRSTS[model.kind].get(type(data))
    first = None if teller is None else teller(data, rule)
    if first is not None:
        _first(state.firsts, first.experience, Told(mark(event), *first[1:]))
    return state


def _first(among: dict[str, Told], name: str, told: Told) -> None:
    found = among.get(name)
    if found is None or told.mark < found.mark:
        among[name] = told


def _pay(state: State, data: Any, day: int) -> None:  # noqa: ANN401  # any touchpoint's data
    kind = state.scored.kind
    if isinstance(data, c.Purchase) and kind == "customer":
        found = _day(state, data.amount.currency, day)
        found.count += 1
        found.amount += float(data.amount.amount)
        if data.margin is not None and data.margin.currency == data.amount.currency:
            found.margin += float(data.margin.amount)
            found.margins += 1
    elif isinstance(data, c.OrderPlaced) and kind == "partner":
        found = _day(state, data.amount.currency, day)
        found.count += 1
        found.amount += float(data.amount.amount)
    elif isinstance(data, c.Incentive) and data.by == "us" and data.value is not None:
        _day(state, data.value.currency, day).given += float(data.value.amount)


def _day(state: State, currency: str, day: int) -> Day:
    days = state.money.setdefault(currency, {})
    if day not in days:
        days[day] = Day()
    return days[day]


def _publish(by_kind: dict[str, Model], state: State, _moment_us: int) -> Row:
    """The same at every moment: a row tells of moments that are fixed, and whoever reads it knows whether they have passed."""
    model = by_kind[state.scored.kind]
    rule = model.policy.acquisition
    currency, basis = _currency(state, model.kind, rule)
    near, far = (_stood(state, model, days, currency, basis) for days in (rule.near_days, rule.far_days))
    purchase, incentive = _within(state, "purchase", rule), state.won.get("incentive") or _within(state, "incentive", rule)
    return Row(
        relationship=state.scored.relationship,
        kind=model.kind,
        begun_on=date.fromordinal(state.begun + EPOCH_DAY).isoformat(),
        opened=state.scored.opened is not None,
        **{name: None if (told := state.won.get(name)) is None else told.word for name in WON[:-1]},
        incentive=None if incentive is None else incentive.word,
        first_purchase=None if purchase is None else round(purchase.amount, 2),
        first_purchase_currency=None if purchase is None else purchase.currency,
        first_complaint=_complained(state, rule),
        **{
            f"first_{name}": None if (told := _within(state, name, rule)) is None else told.word
            for name in ("delivery", "answer", "payment", "quote", "rate")
        },
        currency=currency,
        basis=basis,
        near_quality=near[0],
        near_active=near[1],
        near_value=near[2],
        near_cost=near[3],
        far_quality=far[0],
        far_active=far[1],
        far_value=far[2],
        far_cost=far[3],
    )


def _within(state: State, name: str, rule: AcquisitionPolicy) -> Told | None:
    told = state.firsts.get(name)
    return told if told is not None and told.mark.at_us < (state.begun + rule.first_days) * DAY_US else None


def _complained(state: State, rule: AcquisitionPolicy) -> str | None:
    """What became of the first complaint within the first days."""
    told = _within(state, "complaint", rule)
    if told is None:
        return None
    case = state.scored.cases.get(f"complaint/{told.word}")  # of the many that are no longer kept singly all were settled
    still = isinstance(case, ComplaintCase) and case.is_open((state.begun + rule.first_days) * DAY_US)
    return "left open" if still else "settled"


def _currency(state: State, kind: str, rule: AcquisitionPolicy) -> tuple[str | None, str | None]:
    """The currency most was bought in by the later moment, and what the value of it is."""
    end, found = state.begun + rule.far_days, dict[str, tuple[int, int]]()
    for currency, days in state.money.items():
        known = [money for day, money in days.items() if day < end]
        if count := sum(money.count for money in known):
            found[currency] = count, sum(money.margins for money in known)
    if not found:
        return None, None
    main = max(found, key=lambda currency: (found[currency][0], currency))
    count, margins = found[main]
    return main, "spend" if kind == "partner" else "margin" if count == margins else "revenue"


def _days(first: int, end: int) -> int:
    """Bits for the days of a word from ``first`` up to ``end``, as places in the word."""
    return (1 << min(max(end, 0), scoring.WORD_BITS)) - (1 << min(max(first, 0), scoring.WORD_BITS))


def _stood(
    state: State, model: Model, after_days: int, currency: str | None, basis: str | None
) -> tuple[float | None, bool, float | None, float]:
    """Quality, whether active, value and cost so many days after the beginning."""
    end = state.begun + after_days
    found = figures(state.scored, model, end * DAY_US)
    quality = round(found.quality, 2) if found.evidence > 0.0 else None
    since = end - model.policy.acquisition.active_days
    active = any(bits & _days(since - word * scoring.WORD_BITS, end - word * scoring.WORD_BITS) for word, bits in state.traded.items())
    cost = model.policy.serve.hour_cost * sum(hours for day, hours in state.served.items() if day < end)
    if currency is None:
        return quality, active, None, round(cost, 2)
    known = [money for day, money in state.money[currency].items() if day < end]
    value = sum(money.margin if basis == "margin" else money.amount for money in known)
    return quality, active, round(value, 2), round(cost + sum(money.given for money in known), 2)
