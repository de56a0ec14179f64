"""Scorecards of a period: the sums of its months, and the figures purchasing people know made of them."""

import re
from collections.abc import Iterable

import msgspec

from projections.answers import Interval
from projections.months import YEAR_MONTHS, month_of
from projections.partners.prices import Price
from projections.partners.scorecards import MILLION, Card, Ordered
from projections.scoring.evidence import beta_interval
from projections.scoring.policy import Policy
from schemas.errors import SettingsError

QUARTER_MONTHS = 3
COUNTS = tuple(field.name for field in msgspec.structs.fields(Card) if field.type in (int, float))
PERIOD = re.compile(r"(\d{4})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?")
JEFFREYS = 0.5  # events for and against before any delivery: the interval of a share that is right also near 0 and 1


class Period(msgspec.Struct, frozen=True):
    """Months from ``first`` to ``last``, both included, as numbers (``months.py``)."""

    name: str
    first: int
    last: int

    @property
    def months(self) -> range:
        return range(self.first, self.last + 1)


class Scorecard(msgspec.Struct, frozen=True):
    """A partner in a period. Figures are null where there is nothing to divide by.

    spend: ordered, by currency. otif_percent: of deliveries, on time and in full, with its interval. days_late: mean of late deliveries.
    defect_ppm: defective pieces a million looked at. price_variance_percent: what was paid above (below: negative) the benchmarks.
    response_hours: mean to an answer. refuted_percent: of information supplied.
    """

    period: str
    orders: int
    spend: dict[str, float]
    deliveries: int
    otif_percent: float | None
    otif_interval: Interval | None
    on_time_percent: float | None
    in_full_percent: float | None
    days_late: float | None
    defect_ppm: float | None
    checked: float
    price_variance_percent: float | None
    response_hours: float | None
    answered: int
    unanswered: int
    returns: int
    disputes: int
    complaints: int
    refuted_percent: float | None
    supplied: int
    disruptions: int


def period(text: str | None, now_us: int) -> Period:
    """The period called ``2026``, ``2026-Q2`` or ``2026-05``; None: this month and the eleven before.

    Raises:
        SettingsError: it is called otherwise.
    """
    if text is None:
        last = month_of(now_us)
        return Period("12 months", last - YEAR_MONTHS + 1, last)
    found = PERIOD.fullmatch(text)
    if found is None:
        raise SettingsError(f"{text!r} is no period: expected a year, quarter or month such as 2026, 2026-Q2 or 2026-05")
    year, quarter, month = found.groups()
    start = int(year) * YEAR_MONTHS
    if quarter:
        start += (int(quarter) - 1) * QUARTER_MONTHS
        return Period(text, start, start + QUARTER_MONTHS - 1)
    if month:
        return Period(text, start + int(month) - 1, start + int(month) - 1)
    return Period(text, start, start + YEAR_MONTHS - 1)


def summed(cards: Iterable[Card], name: str = "") -> Card:
    """One card with all counts of ``cards``."""
    total = Card("", "", name)
    for card in cards:
        for count in COUNTS:
            setattr(total, count, getattr(total, count) + getattr(card, count))
        for currency, ordered in card.ordered.items():
            found = total.ordered.setdefault(currency, Ordered())
            found.orders += ordered.orders
            found.amount += ordered.amount
    return total


def scorecard(card: Card, prices: Iterable[Price], policy: Policy) -> Scorecard:
    """The figures of the summed card of a period. ``prices``: what was paid in it."""
    paid = standard = 0.0
    for price in prices:
        paid += price.paid
        standard += price.standard
    return Scorecard(
        period=card.month,
        orders=sum(ordered.orders for ordered in card.ordered.values()),
        spend={currency: round(ordered.amount, 2) for currency, ordered in sorted(card.ordered.items())},
        deliveries=card.deliveries,
        otif_percent=_percent(card.otif, card.deliveries),
        otif_interval=_interval(card.otif, card.deliveries, policy),
        on_time_percent=_percent(card.on_time, card.deliveries),
        in_full_percent=_percent(card.in_full, card.deliveries),
        days_late=_share(card.days_late, card.deliveries - card.on_time),
        defect_ppm=_share(MILLION * card.defective, card.checked),
        checked=card.checked,
        price_variance_percent=_percent(paid - standard, standard),
        response_hours=_share(card.answer_hours, card.answered),
        answered=card.answered,
        unanswered=card.unanswered,
        returns=card.returns,
        disputes=card.disputes,
        complaints=card.complaints,
        refuted_percent=_percent(card.refuted, card.supplied),
        supplied=card.supplied,
        disruptions=card.disruptions,
    )


def _interval(good: int, all_: int, policy: Policy) -> Interval | None:
    if not all_:
        return None
    events = all_ + 2.0 * JEFFREYS
    low, high = beta_interval((good + JEFFREYS) / events, events, policy.model.interval_mass)
    return round(100.0 * low, 1), round(100.0 * high, 1)


def _percent(part: float, whole: float) -> float | None:
    return _share(100.0 * part, whole)


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 2) if whole else None
