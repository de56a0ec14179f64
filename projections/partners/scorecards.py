"""scorecards: one row per partner and month (UTC) with what purchasing counts: orders, deliveries, defects, answers, disputes.

A touchpoint counts in the month it happened in. Rows are sums, so the order of arrival does not matter, and a period is the sum of its
months (``period.py``).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import msgspec

from projections.months import month_name, month_of
from projections.projection import Projection
from projections.scoring.evidence import DAY, HOUR
from projections.scoring.policy import Policy
from schemas import catalogue as c
from schemas.touchpoint import Recorded

MILLION = 1e6


class Ordered(msgspec.Struct, array_like=True, gc=False):
    """What was ordered in one currency: ``amount`` in units of it."""

    orders: int = 0
    amount: float = 0.0


class Card(msgspec.Struct, array_like=True, gc=False):
    """The table's columns, and the state: a partner's month.

    ordered: by currency [orders, amount]. on_time: delivered by the moment promised; in_full: nothing missing that was promised; otif:
    both. days_late: of late deliveries, added up. short: the missing shares (0-1) of deliveries not in full, added up. delivered: pieces.
    checked, defective: pieces inspected or counted at delivery. bad_lots: deliveries and lots with any defective piece. answered,
    answer_hours: requests, quotes and contacts answered, and the hours it took, added up; slow, slow_hours: those that took longer than
    the policy's target, and the hours beyond it. unanswered: quotes. disputes: invoices of theirs we disputed. complaints: of ours.
    supplied, refuted: pieces of information, and those that turned out wrong. disruptions: that were reported.

    Of these follow the last three, null where there is nothing to divide by: otif in percent of deliveries, defective pieces a million,
    mean hours to an answer.
    """

    scorecard: str
    relationship: str
    month: str
    ordered: dict[str, Ordered] = {}
    deliveries: int = 0
    on_time: int = 0
    in_full: int = 0
    otif: int = 0
    days_late: float = 0.0
    short: float = 0.0
    delivered: float = 0.0
    checked: float = 0.0
    defective: float = 0.0
    bad_lots: int = 0
    returns: int = 0
    answered: int = 0
    answer_hours: float = 0.0
    slow: int = 0
    slow_hours: float = 0.0
    unanswered: int = 0
    disputes: int = 0
    complaints: int = 0
    supplied: int = 0
    refuted: int = 0
    disruptions: int = 0
    otif_percent: float | None = None
    defect_ppm: float | None = None
    response_hours: float | None = None


@cache
def scorecards(policy: Policy) -> Projection:
    """The projection under a policy."""
    return Projection(
        "scorecards",
        version=2,
        policy=policy.digest,
        row=Card,
        state=Card,
        key=_key,
        takes=frozenset(_COUNTED),
        fold=partial(_fold, policy),
        publish=_publish,
        index=("relationship,month", "month"),
    )


def _key(event: Recorded) -> str | None:
    if not event.relationship.startswith("partner/"):
        return None
    return f"{event.relationship}#{month_name(month_of(event.occurred_us))}"


def _fold(policy: Policy, card: Card | None, events: Sequence[Recorded]) -> Card:
    if card is None:
        first = events[0]
        card = Card(f"{first.relationship}#{(month := month_name(month_of(first.occurred_us)))}", first.relationship, month)
    for event in events:
        _COUNTED[type(event.data)](card, event.data, policy)
    return card


def _publish(card: Card, _moment_us: int) -> Card:
    """The same at every moment."""
    return msgspec.structs.replace(
        card,
        otif_percent=round(100.0 * card.otif / card.deliveries, 2) if card.deliveries else None,
        defect_ppm=round(MILLION * card.defective / card.checked, 1) if card.checked else None,
        response_hours=round(card.answer_hours / card.answered, 2) if card.answered else None,
    )


def _ordered(card: Card, data: c.OrderPlaced, _: Policy) -> None:
    found = card.ordered.setdefault(data.amount.currency, Ordered())
    found.orders += 1
    found.amount += float(data.amount.amount)


def _delivered(card: Card, data: c.Delivery, policy: Policy) -> None:
    if data.by != "them":
        return
    in_full = True
    if data.quantity_promised and data.quantity_delivered is not None:
        missing = 1.0 - data.quantity_delivered / data.quantity_promised
        if missing > policy.delivery.full_slack:
            in_full = False
            card.short += missing
    on_time = data.delivered_at <= data.promised_at
    if not on_time:
        card.days_late += (data.delivered_at - data.promised_at) / DAY
    card.deliveries += 1
    card.on_time += on_time
    card.in_full += in_full
    card.otif += on_time and in_full
    card.delivered += data.quantity_delivered or 0.0
    if data.defective is not None and data.quantity_delivered:
        _checked(card, data.quantity_delivered, min(data.defective, data.quantity_delivered))


def _inspected(card: Card, data: c.Inspection, _: Policy) -> None:
    _checked(card, data.inspected, data.defective)


def _checked(card: Card, pieces: float, defective: float) -> None:
    card.checked += pieces
    card.defective += defective
    card.bad_lots += defective > 0


def _returned(card: Card, _: c.Return, __: Policy) -> None:
    card.returns += 1


def _answered(card: Card, data: c.RequestAnswered, policy: Policy) -> None:
    if data.by == "them":
        _hours(card, (data.answered_at - data.asked_at) / HOUR, policy)


def _quoted(card: Card, data: c.Quote, policy: Policy) -> None:
    if data.answered_at is None:
        card.unanswered += 1
    else:
        _hours(card, (data.answered_at - data.asked_at) / HOUR, policy)


def _contacted(card: Card, data: c.Contact, policy: Policy) -> None:
    if data.direction == "outbound" and data.response_hours is not None:
        _hours(card, data.response_hours, policy)


def _hours(card: Card, hours: float, policy: Policy) -> None:
    card.answered += 1
    card.answer_hours += max(0.0, hours)
    beyond = hours - policy.leaks.answer_hours
    if beyond > 0.0:
        card.slow += 1
        card.slow_hours += beyond


def _disputed(card: Card, data: c.InvoiceDisputed, _: Policy) -> None:
    card.disputes += data.by == "us"


def _complained(card: Card, data: c.Complaint, _: Policy) -> None:
    card.complaints += data.by == "us"


def _informed(card: Card, data: c.Information, _: Policy) -> None:
    card.supplied += 1
    card.refuted += data.accuracy == "refuted"


def _disrupted(card: Card, _: c.Disrupted, __: Policy) -> None:
    card.disruptions += 1


_COUNTED: Mapping[type, Callable[[Card, Any, Policy], None]] = {
    c.OrderPlaced: _ordered,
    c.Delivery: _delivered,
    c.Inspection: _inspected,
    c.Return: _returned,
    c.RequestAnswered: _answered,
    c.Quote: _quoted,
    c.Contact: _contacted,
    c.InvoiceDisputed: _disputed,
    c.Complaint: _complained,
    c.Information: _informed,
    c.Disrupted: _disrupted,
}
