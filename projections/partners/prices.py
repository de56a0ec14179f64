"""What was paid against the market: price variance, and the rates worth asking about with a counter that keeps balance.

The *standard* of an item in a month is the benchmark told with the newest rate in force; where none was ever told, the item's first
known rate. Purchase price variance is (paid - standard) / standard over all that was bought (Monczka et al., *Purchasing and Supply Chain
Management*, on price performance).

A **counter** leaves the other side a fair gain. The market's range runs from ``spread`` below the reference to ``spread`` above (the
policy's, as in the cost dimension): its low end stands for their walk-away, its high end for ours, which is what an equal partner would
guess with nothing but the market's rate in hand. At the counter they keep ``fair_gain`` of the range.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

import msgspec

from projections.months import YEAR_MONTHS, month_name, month_number, month_of
from projections.partners.supply import Item, Rate
from projections.scoring.policy import Policy
from schemas.touchpoint import moment

Basis = Literal["benchmark", "peers", "own past"]
PEERS_MIN = 2  # other partners whose rates for an item make a reference


class Price(NamedTuple):
    """What one item cost in one month, and what it would have cost at the standard, in units of ``currency``."""

    month: int
    currency: str
    quantity: float
    paid: float
    standard: float


class Ask(msgspec.Struct, frozen=True):
    """A rate worth asking about. Amounts in units of ``currency`` for one ``unit``.

    reference: the rate it is held against, and what that rests on. above_percent: of the rate over it. counter: what to offer;
    their_gain: what it leaves them, as a share of the market's range from their walk-away (0) to ours (1). volume: units a month, as
    bought in the last twelve months or as agreed. saving: a month, and as much a month less for them.
    """

    item: str
    unit: str
    currency: str
    rate: float
    since: str
    reference: float
    basis: Basis
    above_percent: float
    counter: float
    their_gain: float
    volume: float | None
    saving: float | None


def prices(items: Iterable[Item], months: range) -> list[Price]:
    """What was bought in the months, of items that have a standard."""
    found = []
    for item in items:
        for currency, bought in item.bought.items():
            told = [rate for rate in item.rates if rate.currency == currency]
            for name, (quantity, paid) in bought.items():
                month = month_number(name)
                standard = _standard(told, month) if month in months and quantity else None
                if standard:
                    found.append(Price(month, currency, quantity, paid, quantity * standard))
    return found


def asks(items: Iterable[Item], now_us: int, policy: Policy, peers: Mapping[tuple[str, str, str], Sequence[float]]) -> list[Ask]:
    """Rates above their reference by more than the policy lets pass, the largest saving first.

    ``peers``: by item, unit and currency what other partners take.
    """
    found = [ask for item in items if (ask := _ask(item, now_us, policy, peers)) is not None]
    return sorted(found, key=lambda ask: (-(ask.saving or 0.0), -ask.above_percent, ask.item))


def in_force(item: Item, now_us: int) -> Rate | None:
    """The newest rate that has taken effect."""
    today = moment(now_us).date().isoformat()
    return next((rate for rate in reversed(item.rates) if rate.effective_on <= today), None)


def _ask(item: Item, now_us: int, policy: Policy, peers: Mapping[tuple[str, str, str], Sequence[float]]) -> Ask | None:
    now = in_force(item, now_us)
    if now is None:
        return None
    found = _reference(item, now, now_us, peers)
    if found is None or now.rate <= found[0] * (1.0 + policy.supply.ask_above):
        return None
    reference, basis = found
    low, width = reference * (1.0 - policy.rate.spread), 2.0 * reference * policy.rate.spread
    counter = min(now.rate, low + policy.deal.fair_gain * width)
    volume = _volume(item, now, now_us)
    return Ask(
        item=item.item,
        unit=now.unit,
        currency=now.currency,
        rate=now.rate,
        since=now.effective_on,
        reference=round(reference, 4),
        basis=basis,
        above_percent=round(100.0 * (now.rate / reference - 1.0), 1),
        counter=round(counter, 4),
        their_gain=round((counter - low) / width, 2),
        volume=None if volume is None else round(volume, 1),
        saving=None if volume is None else round((now.rate - counter) * volume, 2),
    )


def _reference(item: Item, now: Rate, now_us: int, peers: Mapping[tuple[str, str, str], Sequence[float]]) -> tuple[float, Basis] | None:
    """What a rate is held against: the market, else what others take, else what they themselves took a year ago."""
    if now.benchmark:
        return now.benchmark, "benchmark"
    others = peers.get((item.item, now.unit, now.currency), ())
    if len(others) >= PEERS_MIN:
        return median(others), "peers"
    year_ago = moment(now_us).date()
    year_ago = year_ago.replace(year=year_ago.year - 1, day=min(year_ago.day, 28))
    before = [rate for rate in item.rates if (rate.currency, rate.unit) == (now.currency, now.unit)]
    then = next((rate for rate in reversed(before) if rate.effective_on <= year_ago.isoformat()), before[0])
    return (then.rate, "own past") if then.rate else None


def _volume(item: Item, now: Rate, now_us: int) -> float | None:
    """Units a month: as bought in the last twelve months, else as agreed for a year."""
    last = month_of(now_us)
    bought = item.bought.get(now.currency, {})
    quantity = sum(bought.get(month_name(month), (0.0, 0.0))[0] for month in range(last - YEAR_MONTHS + 1, last + 1))
    return (quantity or now.quantity or 0.0) / YEAR_MONTHS or None


def _standard(rates: Sequence[Rate], month: int) -> float | None:
    """What a unit should have cost in a month, by rates of one currency."""
    next_month = month_name(month + 1)
    known = next((rate.benchmark for rate in reversed(rates) if rate.effective_on < next_month and rate.benchmark), None)
    return known or (rates[0].rate if rates else None)
