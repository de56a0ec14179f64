"""Where time and money leak with a partner: what each thing that goes wrong costs a month, how sure that is, and what a remedy would do.

A cost is goods lost plus hours of work times what an hour costs; the policy's ``leaks`` section has every figure. Costs are told of the
last full months, each month a sample of what a month costs: the mean, and an interval from a Gamma distribution with the mean's own mean
and variance, which is never below nothing and leans to the right as costs do.

A remedy takes away the policy's share of a leak. It spares both sides work; asking for a better rate gives us what it takes from them, and
the counter (``prices.py``) leaves them a fair gain. What it does to the relationship is recomputed: the dimension's evidence with that
share of what speaks against them gone, or, where the same would still be done, speaking for them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
from scipy.special import gammaincinv

from projections.answers import Interval
from projections.months import month_name
from projections.partners.prices import Ask, Price
from projections.partners.scorecards import Card
from projections.scoring.figures import Totals, levels, quality
from projections.scoring.models import Model
from projections.scoring.policy import LeaksPolicy, Policy


class Kind(NamedTuple):
    """One way to leak.

    dimension: of the partner's quality it weighs on. remedied: what went wrong is done, and well; or it no longer happens.
    """

    name: str
    what: str
    remedy: str
    dimension: str | None
    remedied: Literal["better", "fewer"]


KINDS = (
    Kind(
        "deliveries",
        "late or partial deliveries",
        "agree a delivery plan with dates both can keep, and weekly status",
        "delivery",
        "better",
    ),
    Kind(
        "defects", "defects and information that was wrong", "agree a corrective action plan; inspect where it begins", "quality", "better"
    ),
    Kind("rates", "rates above the market", "ask about these rates with a counter that leaves them a fair gain", "cost", "better"),
    Kind("answers", "slow answers and quotes that never came", "agree answering times and one named contact", "responsiveness", "better"),
    Kind("disputes", "invoices we had to dispute", "agree one price list and match orders before invoicing", "trust", "fewer"),
    Kind("renewals", "renewals left to the last days", "put notice periods in the calendar; talk two months ahead", None, "fewer"),
)
BY_NAME = {kind.name: kind for kind in KINDS}


class Effect(msgspec.Struct, frozen=True):
    """What the remedy would do: money a month for us and for them, and points of the relationship's quality (null: none told)."""

    ours: float
    theirs: float
    quality: float | None = None


class Leak(msgspec.Struct, frozen=True):
    """One leak. cost: ours a month in ``currency``, with its interval. times: how often it happened in ``months`` full months."""

    leak: str
    what: str
    cost: float
    interval: Interval
    currency: str
    times: int
    months: int
    remedy: str
    effect: Effect


class _Month(NamedTuple):
    """What one kind of leak cost in a month: goods in money, hours of ours and of theirs, how often."""

    goods: float
    ours: float
    theirs: float
    times: int


def leaks(
    cards: Mapping[int, Card],
    window: range,
    *,
    currency: str,
    prices: Iterable[Price],
    rushed: Mapping[str, int],
    asks: Iterable[Ask],
    policy: Policy,
) -> list[Leak]:
    """The leaks of one partner, the dearest first; those that never happened are left out.

    Args:
        cards: by month.
        window: full months to tell the costs from; empty: nothing can be told.
        currency: the partner's main one; money in others is left out.
        prices: what was paid in the window.
        rushed: by month name, renewals left to the last days.
        asks: rates worth asking about.
        policy: what each thing costs.
    """
    if not window:
        return []
    rule = policy.leaks
    above = dict.fromkeys(window, 0.0)
    dearer = dict.fromkeys(window, 0)
    for price in prices:
        if price.currency == currency and price.month in above and price.paid > price.standard:
            above[price.month] += price.paid - price.standard
            dearer[price.month] += 1
    found_cards = [cards.get(month, Card("", "", "")) for month in window]
    order, piece = _worth(found_cards, currency)
    months = [
        _costs(card, order, piece, rule)
        | {
            "rates": _Month(above[month], 0.0, 0.0, dearer[month]),
            "renewals": _hours(rule.rush_hours, rushed.get(month_name(month), 0)),
        }
        for month, card in zip(window, found_cards, strict=True)
    ]
    saving = sum(ask.saving or 0.0 for ask in asks if ask.currency == currency)
    found = [leak for kind in KINDS if (leak := _leak(kind, [month[kind.name] for month in months], currency, saving, policy)) is not None]
    return sorted(found, key=lambda leak: -leak.cost)


def better(kind: Kind, evidence: Totals, model: Model, share: float) -> float | None:
    """Points of quality the relationship would have more with a share of what speaks against them in the leak's dimension gone."""
    if kind.dimension is None:
        return None
    number = model.numbers[kind.dimension]
    total = evidence.dimensions[number]
    gone = share * max(0.0, total.minus - total.minus_ours)
    changed = msgspec.structs.replace(total, minus=total.minus - gone, plus=total.plus + (gone if kind.remedied == "better" else 0.0))
    dimensions = [*evidence.dimensions[:number], changed, *evidence.dimensions[number + 1 :]]
    after = quality(levels(Totals(dimensions, evidence.purchases), model), model)
    return round(after - quality(levels(evidence, model), model), 2)


def interval(costs: Sequence[float], times: int, mass: float) -> Interval:
    """The interval of the mean of some months' costs, none below 0 and one above. ``times``: how often something cost.

    The variance is at least that of events that come by chance and vary as an exponential distribution does; what one more of them would
    cost is added above (Fay & Feuer 1997, on sums of weighted counts).
    """
    count = len(costs)
    mean = sum(costs) / count
    one = mean / times
    variance = sum((cost - mean) ** 2 for cost in costs) / (count - 1) / count if count > 1 else 0.0
    variance = max(variance, 2.0 * times * one * one)
    tail = (1.0 - mass) / 2.0
    return round(_gamma(mean, variance, tail), 2), round(_gamma(mean + one, variance + one * one, 1.0 - tail), 2)


def _gamma(mean: float, variance: float, share: float) -> float:
    """The quantile of the Gamma distribution with this mean and variance."""
    return float(gammaincinv(mean * mean / variance, share)) * variance / mean


def _leak(kind: Kind, months: Sequence[_Month], currency: str, saving: float, policy: Policy) -> Leak | None:
    rule, count = policy.leaks, len(months)
    costs = [month.goods + month.ours * rule.hour_cost for month in months]
    cost = sum(costs) / count
    if cost <= 0.0:
        return None
    theirs = sum(month.theirs for month in months) / count * rule.hour_cost
    times = sum(month.times for month in months)
    ours, theirs = (saving, -saving) if kind.name == "rates" else (rule.remedied * cost, rule.remedied * theirs)
    return Leak(
        leak=kind.name,
        what=kind.what,
        cost=round(cost, 2),
        interval=interval(costs, times, policy.model.interval_mass),
        currency=currency,
        times=times,
        months=count,
        remedy=kind.remedy,
        effect=Effect(round(ours, 2), round(theirs, 2)),
    )


def _costs(card: Card, order: float, piece: float, rule: LeaksPolicy) -> dict[str, _Month]:
    """What a month's card tells. ``order`` and ``piece``: what one is worth."""
    missed = card.deliveries - card.otif
    late = order * (rule.late_day_share * card.days_late + rule.short_share * card.short)
    bad = rule.defect_share * order * card.refuted
    if card.checked:
        bad += rule.defect_share * card.defective / card.checked * card.delivered * piece
    wrong = card.bad_lots + card.refuted
    waited = rule.wait_hours * card.slow_hours + rule.unanswered_hours * card.unanswered
    return {
        "deliveries": _Month(late, rule.late_hours * missed, rule.late_hours * missed, missed),
        "defects": _Month(bad, rule.defect_hours * wrong, rule.defect_hours * wrong, wrong),
        "answers": _Month(0.0, waited, 0.0, card.slow + card.unanswered),
        "disputes": _hours(rule.dispute_hours, card.disputes),
    }


def _hours(hours: float, times: int) -> _Month:
    """Work for both sides."""
    return _Month(0.0, hours * times, hours * times, times)


def _worth(cards: Iterable[Card], currency: str) -> tuple[float, float]:
    """What an order and a delivered piece are worth; 0 where nothing was ordered or delivered."""
    orders = amount = delivered = 0.0
    for card in cards:
        delivered += card.delivered
        if currency in card.ordered:
            orders += card.ordered[currency].orders
            amount += card.ordered[currency].amount
    return amount / orders if orders else 0.0, amount / delivered if delivered else 0.0
