"""The same failure again and again: late deliveries, late payments, slow answers, wrong goods or information; theirs, and ours to them.

One failure is chance. A Bernoulli CUSUM (Page 1954; Reynolds & Stoumbos 1999) adds log(poor / accepted) for a failure and
log((1 - poor) / (1 - accepted)) for a success, never below 0, and raises the alert at the policy's limit: at the default two failures in a
row, or more among successes. It closes when successes have brought the sum back to 0. What is a little late fails in part, by a share b of
0 to 1, and adds b of the one and 1 - b of the other; a delivery fails by what the scoring takes away for it, late or short.
"""

from collections.abc import Callable
from datetime import datetime
from math import exp2
from typing import Any, NamedTuple

from projections.alerts import terms
from projections.alerts.alert import AlertKind, Book, Severity, Stream, on
from projections.alerts.book import EVIDENCE_KEPT, Cause, raise_, settle
from projections.scoring.delivery import grade
from projections.scoring.policy import Policy
from schemas.catalogue import Data, Delivery, Information, Inspection, Payment, Quote, RequestAnswered
from schemas.touchpoint import Recorded, microseconds

HOUR_US = 3_600_000_000
GRAVE = 3  # failures; fewer may be chance


class Told(NamedTuple):
    """What a touchpoint says: whose and which conduct, the share of it (0-1) that failed, and what failing is called."""

    kind: AlertKind
    cause: str
    failed: float
    words: str


Teller = Callable[[Any, Policy], list[Told]]


def delivery(data: Delivery, policy: Policy) -> list[Told]:
    """How late, and how short."""
    failed = 1.0 - grade(data, policy.delivery)
    if data.by == "us":
        return [Told("we_fail_again", "our deliveries", failed, "our deliveries are late or short")]
    return [Told("late_again", "deliveries", failed, "their deliveries are late or short")]


def defects(data: Delivery | Inspection, policy: Policy) -> list[Told]:
    """More defective pieces than the policy takes for chance."""
    if isinstance(data, Inspection):
        pieces, bad = float(data.inspected), float(data.defective)
    elif data.by == "them" and data.defective is not None and data.quantity_delivered:
        pieces, bad = data.quantity_delivered, data.defective
    else:
        return []
    failed = float(bad > policy.alerts.defects_share * pieces)
    return [Told("wrong_again", "defects", failed, "what they deliver is defective")] if pieces else []


def goods(data: Delivery, policy: Policy) -> list[Told]:
    """A partner's delivery: when, how much, and in what condition."""
    return delivery(data, policy) + defects(data, policy)


def payment(data: Payment, policy: Policy) -> list[Told]:
    """How many days past due."""
    failed = _took((data.paid_on - data.due_on).days, policy.alerts.payment_days)
    if data.by == "us":
        return [Told("we_fail_again", "our payments", failed, "our payments are late")]
    return [Told("pays_late_again", "payments", failed, "their payments are late")]


def answer(data: RequestAnswered, policy: Policy) -> list[Told]:
    """How long an answer took."""
    failed = _slow(data.asked_at, data.answered_at, policy)
    if data.by == "us":
        return [Told("we_fail_again", "our answers", failed, "our answers are slow")]
    return [Told("slow_again", "answers", failed, "their answers are slow")]


def quote(data: Quote, policy: Policy) -> list[Told]:
    """A quote never given is the slowest answer."""
    failed = 1.0 if data.answered_at is None else _slow(data.asked_at, data.answered_at, policy)
    return [Told("slow_again", "answers", failed, "their answers are slow")]


def information(data: Information, _: Policy) -> list[Told]:
    """Right or wrong, once it is known."""
    if data.accuracy not in ("confirmed", "refuted"):
        return []
    return [Told("wrong_again", "information", float(data.accuracy == "refuted"), "their information is wrong")]


def _slow(asked_at: datetime, answered_at: datetime, policy: Policy) -> float:
    return _took((microseconds(answered_at) - microseconds(asked_at)) / HOUR_US, policy.alerts.answer_hours)


def _took(time: float, half: float) -> float:
    """The share that failed of what took so long: a half at ``half``, of the rest a half again after as long."""
    return 0.0 if time <= 0.0 else 1.0 - exp2(-time / half)


def heard(tell: Teller, book: Book, event: Recorded, data: Data, policy: Policy) -> None:
    """Count all that a touchpoint says."""
    for told in tell(data, policy):
        count(book, event, told, policy)


def count(book: Book, event: Recorded, told: Told, policy: Policy) -> None:
    """Add what failed, and what did not."""
    rule, failed = policy.alerts, told.failed
    stream = book.streams.get(told.cause)
    if stream is None:
        stream = book.streams[told.cause] = Stream()
    step = failed * rule.failed_step + (1.0 - failed) * rule.kept_step
    if step <= 0.0:
        if stream.height == 0.0:
            return
        stream.height = max(0.0, stream.height + step)
        if stream.height == 0.0:
            stream.evidence = []
            settle(book, rule, f"again:{told.cause}", event.occurred_us, "better again")
        return
    if stream.height == 0.0:
        stream.since_us = event.occurred_us
    highest = rule.height_max * rule.limit
    stream.height = min(stream.height + step, highest)
    stream.evidence = [*stream.evidence, event.position][-EVIDENCE_KEPT:]
    if stream.height >= rule.limit:
        severity: Severity = "high" if stream.height >= highest and len(stream.evidence) >= GRAVE else "medium"
        more = " or more" if len(stream.evidence) == EVIDENCE_KEPT else ""
        text = f"{told.words} again: {len(stream.evidence)} times{more} since {on(stream.since_us)}"
        raise_(book, rule, event, Cause(told.kind, f"again:{told.cause}", severity, text), evidence=stream.evidence[:-1])
        if told.kind in ("late_again", "wrong_again"):
            terms.at_risk(book, event, told.words, policy)
