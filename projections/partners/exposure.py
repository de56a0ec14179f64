"""How dependent we are on a partner: share of spend, sole source, disruptions, and the quadrant of Kraljic's portfolio.

Kraljic (1983, *Purchasing must become supply management*, Harvard Business Review) sorts what is bought by its impact on profit and by
supply risk: strategic (both high), leverage (impact), bottleneck (risk), routine (neither). Impact is high for the largest partners that
together have the policy's share of the spend (class A of an ABC analysis); risk where a category has no other qualified source, or where
the level of the exposure dimension is high.
"""

from collections.abc import Mapping
from datetime import date
from typing import Literal, NamedTuple

import msgspec

from projections.partners.supply import Row
from projections.scoring.policy import Policy
from schemas.touchpoint import moment

YEAR_DAYS = 365
Quadrant = Literal["strategic", "leverage", "bottleneck", "routine"]
QUADRANTS: Mapping[tuple[bool, bool], Quadrant] = {  # (high impact, high risk)
    (True, True): "strategic",
    (True, False): "leverage",
    (False, True): "bottleneck",
    (False, False): "routine",
}
DO: Mapping[Quadrant, str] = {
    "strategic": "work as partners: plan together, share forecasts, have a second source ready",
    "leverage": "use the volume: compare offers, bundle, negotiate",
    "bottleneck": "secure supply first: stock, longer notice, qualify another source",
    "routine": "make it simple: frame contracts, few orders, automatic",
}


class Exposure(msgspec.Struct, frozen=True):
    """How dependent we are.

    spend: ordered in the last twelve months, in ``currency``, the one most was ordered in by count. share_percent: of all that was ordered
    in that currency. high_impact: see above. sole_source: categories without another source. risk: level of the exposure dimension, 0-1,
    null where nothing was told. disruptions: begun in the last twelve months; disrupted_days of them, those not over yet until now.
    """

    spend: float
    currency: str | None
    share_percent: float | None
    high_impact: bool
    sole_source: tuple[str, ...]
    risk: float | None
    disruptions: int
    disrupted_days: int
    quadrant: Quadrant
    advice: str


class Spend(msgspec.Struct, frozen=True):
    """What was ordered from one partner in twelve months, in its main currency."""

    currency: str | None
    amount: float


class Share(NamedTuple):
    """A partner among all: its share (0-1) of what was ordered in its currency, None where nothing was; whether among the largest."""

    of_all: float | None
    high_impact: bool


def shares(spends: Mapping[str, Spend], policy: Policy) -> dict[str, Share]:
    """By partner: where it stands among all."""
    found = dict.fromkeys(spends, Share(None, high_impact=False))
    for currency in {spend.currency for spend in spends.values()}:
        largest = sorted((name for name in spends if spends[name].currency == currency), key=lambda name: (-spends[name].amount, name))
        total = sum(spends[name].amount for name in largest)
        before = 0.0
        for name in largest:
            if total > 0.0:
                found[name] = Share(spends[name].amount / total, high_impact=before < policy.supply.impact_share * total)
            before += spends[name].amount
    return found


def exposure(row: Row | None, spend: Spend, share: Share, *, risk: float | None, now_us: int, policy: Policy) -> Exposure:
    """One partner's exposure. ``risk``: the level of its exposure dimension."""
    of_all, high_impact = share
    sole_source = () if row is None else row.sole_source
    high_risk = bool(sole_source) or (risk is not None and risk >= policy.supply.risk_high)
    quadrant = QUADRANTS[high_impact, high_risk]
    disruptions, days = _disrupted(row, now_us)
    return Exposure(
        spend=round(spend.amount, 2),
        currency=spend.currency,
        share_percent=None if of_all is None else round(100.0 * of_all, 2),
        high_impact=high_impact,
        sole_source=sole_source,
        risk=risk,
        disruptions=disruptions,
        disrupted_days=days,
        quadrant=quadrant,
        advice=DO[quadrant],
    )


def _disrupted(row: Row | None, now_us: int) -> tuple[int, int]:
    """Disruptions begun in the last year, and the days they took so far."""
    today = moment(now_us).date()
    count = days = 0
    for starts, ends in () if row is None else row.disruptions:
        began = date.fromisoformat(starts)
        if 0 <= (today - began).days < YEAR_DAYS:
            count += 1
            days += (min(today, date.fromisoformat(ends)) if ends else today).toordinal() - began.toordinal() + 1
    return count, days
