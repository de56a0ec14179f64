"""The same failure again and again: late deliveries, late payments, slow answers, wrong goods or information; theirs, and ours to them.

One failure is chance. A Bernoulli CUSUM (Page 1954; Reynolds & Stoumbos 1999) adds log(poor / accepted) for a failure and
log((1 - poor) / (1 - accepted)) for a success, never below 0, and raises the alert at the policy's limit: at the default two failures in a
row, or more among successes. It closes when successes have brought the sum back to 0.
"""

from collections.abc import Callable
from math import log
from typing import Any, NamedTuple

from projections.alerts import terms
from projections.alerts.alert import AlertKind, Book, Severity, Stream, on
from projections.alerts.book import EVIDENCE_KEPT, Cause, raise_, settle
from projections.scoring.policy import AlertsPolicy, Policy
from schemas.catalogue import Data, Delivery, Information, Inspection, Payment, Quote, RequestAnswered
from schemas.touchpoint import Recorded, microseconds

HOUR_US = 3_600_000_000


class Told(NamedTuple):
    """What a touchpoint says: whose and which conduct, whether it failed, and what failing is called."""

    kind: AlertKind
    cause: str
    failed: bool
    words: str


Teller = Callable[[Any, AlertsPolicy], list[Told]]


def delivery(data: Delivery, _: AlertsPolicy) -> list[Told]:
    """Late or not, and with defective pieces or not."""
    late = data.delivered_at > data.promised_at
    if data.by == "us":
        return [Told("we_fail_again", "our deliveries", late, "our deliveries are late")]
    return [Told("late_again", "deliveries", late, "their deliveries are late")]


def defects(data: Delivery | Inspection, rule: AlertsPolicy) -> list[Told]:
    """More defective pieces than the policy takes for chance."""
    if isinstance(data, Inspection):
        pieces, bad = float(data.inspected), float(data.defective)
    elif data.by == "them" and data.defective is not None and data.quantity_delivered:
        pieces, bad = data.quantity_delivered, data.defective
    else:
        return []
    return [Told("wrong_again", "defects", bad > rule.defects_share * pieces, "what they deliver is defective")] if pieces else []


def goods(data: Delivery, rule: AlertsPolicy) -> list[Told]:
    """A partner's delivery: when, and in what condition."""
    return delivery(data, rule) + defects(data, rule)


def payment(data: Payment, rule: AlertsPolicy) -> list[Told]:
    """Paid in time, some days' grace included."""
    late = (data.paid_on - data.due_on).days > rule.payment_days
    if data.by == "us":
        return [Told("we_fail_again", "our payments", late, "our payments are late")]
    return [Told("pays_late_again", "payments", late, "their payments are late")]


def answer(data: RequestAnswered, rule: AlertsPolicy) -> list[Told]:
    """Answered within the policy's hours."""
    slow = microseconds(data.answered_at) - microseconds(data.asked_at) > rule.answer_hours * HOUR_US
    if data.by == "us":
        return [Told("we_fail_again", "our answers", slow, "our answers are slow")]
    return [Told("slow_again", "answers", slow, "their answers are slow")]


def quote(data: Quote, rule: AlertsPolicy) -> list[Told]:
    """A quote never given is the slowest answer."""
    slow = data.answered_at is None or microseconds(data.answered_at) - microseconds(data.asked_at) > rule.answer_hours * HOUR_US
    return [Told("slow_again", "answers", slow, "their answers are slow")]


def information(data: Information, _: AlertsPolicy) -> list[Told]:
    """Right or wrong, once it is known."""
    if data.accuracy not in ("confirmed", "refuted"):
        return []
    return [Told("wrong_again", "information", data.accuracy == "refuted", "their information is wrong")]


def heard(tell: Teller, book: Book, event: Recorded, data: Data, policy: Policy) -> None:
    """Count all that a touchpoint says."""
    for told in tell(data, policy.alerts):
        count(book, event, told, policy)


def count(book: Book, event: Recorded, told: Told, policy: Policy) -> None:
    """Add one success or failure."""
    rule = policy.alerts
    stream = book.streams.get(told.cause)
    if stream is None:
        stream = book.streams[told.cause] = Stream()
    if not told.failed:
        if stream.height > 0.0:
            stream.height = max(0.0, stream.height + log((1.0 - rule.poor) / (1.0 - rule.accepted)))
            if stream.height == 0.0:
                stream.evidence = []
                settle(book, rule, f"again:{told.cause}", event.occurred_us, "better again")
        return
    if stream.height == 0.0:
        stream.since_us = event.occurred_us
    stream.height = min(stream.height + log(rule.poor / rule.accepted), rule.height_max * rule.limit)
    stream.evidence = [*stream.evidence, event.position][-EVIDENCE_KEPT:]
    if stream.height >= rule.limit:
        severity: Severity = "high" if stream.height >= rule.height_max * rule.limit else "medium"
        more = " or more" if len(stream.evidence) == EVIDENCE_KEPT else ""
        text = f"{told.words} again: {len(stream.evidence)} times{more} since {on(stream.since_us)}"
        raise_(book, rule, event, Cause(told.kind, f"again:{told.cause}", severity, text), evidence=stream.evidence[:-1])
        if told.kind in ("late_again", "wrong_again"):
            terms.at_risk(book, event, told.words, policy)
