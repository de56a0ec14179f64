"""rates: one row per partner and item with its rate now, beside the benchmark and what it was before.

Rates stand in the order they take effect, however they arrived. Of more than ``RATES_KEPT`` the newest are remembered, and how many there
were. A rate in another currency or unit than the one before is told without a change.
"""

from collections.abc import Sequence
from datetime import date

import msgspec

from projections.projection import Projection
from projections.scoring.marks import Mark, mark
from schemas.catalogue import Rate
from schemas.touchpoint import Recorded

RATES_KEPT = 48  # of an item: four years of monthly rates
DIGITS = 4  # of a share


class Told(msgspec.Struct, array_like=True, frozen=True):
    """A rate from a day (proleptic ordinal) on, for one ``unit``."""

    effective_day: int
    mark: Mark
    amount: str
    currency: str
    unit: str
    benchmark: str | None = None  # in the same currency
    quantity: float | None = None


class Point(msgspec.Struct, frozen=True):
    """A rate of the history. ``effective_on``: ISO date; amounts are decimal texts."""

    effective_on: str
    amount: str
    currency: str
    unit: str
    benchmark: str | None
    quantity: float | None


class Row(msgspec.Struct, frozen=True):
    """The table's columns.

    amount, currency, unit, effective_on: the newest rate. above_benchmark: the share it is above its benchmark, below 0 when cheaper.
    change: the share it is above the rate before it. change_all: above the first rate remembered. count: rates there were.
    """

    item_rate: str
    relationship: str
    item: str
    amount: str
    currency: str
    unit: str
    effective_on: str
    benchmark: str | None
    above_benchmark: float | None
    quantity: float | None
    change: float | None
    change_all: float | None
    count: int
    history: tuple[Point, ...]


class State(msgspec.Struct):
    """The rates of one item, in the order they take effect."""

    relationship: str
    item: str
    rates: list[Told] = []
    count: int = 0


def key(event: Recorded) -> str | None:
    """``partner/a#steel`` for the item steel of partner/a."""
    return f"{event.relationship}#{_rate(event).item}" if event.relationship.startswith("partner/") else None


def fold(state: State | None, events: Sequence[Recorded]) -> State:
    """The item after more rates."""
    if state is None:
        state = State(events[0].relationship, _rate(events[0]).item)
    state.rates = sorted([*state.rates, *map(_told, events)], key=_in_order)[-RATES_KEPT:]
    state.count += len(events)
    return state


def publish(state: State, _moment_us: int) -> Row:
    """The same at every moment."""
    now = state.rates[-1]
    return Row(
        item_rate=f"{state.relationship}#{state.item}",
        relationship=state.relationship,
        item=state.item,
        amount=now.amount,
        currency=now.currency,
        unit=now.unit,
        effective_on=_day(now),
        benchmark=now.benchmark,
        above_benchmark=None if now.benchmark is None else _above(now.amount, now.benchmark),
        quantity=now.quantity,
        change=_change(now, state.rates[-2]) if len(state.rates) > 1 else None,
        change_all=_change(now, state.rates[0]) if len(state.rates) > 1 else None,
        count=state.count,
        history=tuple(Point(_day(one), one.amount, one.currency, one.unit, one.benchmark, one.quantity) for one in state.rates),
    )


def _rate(event: Recorded) -> Rate:
    if not isinstance(event.data, Rate):
        raise ValueError(f"{type(event.data).__name__} is no rate")  # noqa: TRY004  # a bug of ours
    return event.data


def _told(event: Recorded) -> Told:
    data = _rate(event)
    benchmark = data.benchmark
    return Told(
        data.effective_on.toordinal(),
        mark(event),
        data.rate.amount,
        data.rate.currency,
        data.unit,
        benchmark.amount if benchmark is not None and benchmark.currency == data.rate.currency else None,
        data.quantity,
    )


def _in_order(rate: Told) -> tuple[int, Mark]:
    return rate.effective_day, rate.mark


def _change(now: Told, before: Told) -> float | None:
    comparable = (now.currency, now.unit) == (before.currency, before.unit)
    return _above(now.amount, before.amount) if comparable else None


def _above(amount: str, reference: str) -> float | None:
    """The share ``amount`` is above ``reference``; None where that is nothing."""
    base = float(reference)
    return round(float(amount) / base - 1.0, DIGITS) if base else None


def _day(rate: Told) -> str:
    return date.fromordinal(rate.effective_day).isoformat()


RATES = Projection(
    "rates",
    version=2,
    row=Row,
    state=State,
    key=key,
    fold=fold,
    publish=publish,
    takes=frozenset({Rate}),
    index=("relationship", "item", "above_benchmark"),
)
