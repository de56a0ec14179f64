"""The same failure again and again: late deliveries, late payments, slow answers, wrong goods or information; theirs, and ours to them.

One failure is chance. A Bernoulli CUSUM (Page 1954; Reynolds & Stoumbos 1999) adds log(poor / accepted) for a failure and
log((1 - poor) / (1 - accepted)) for a success, never below 0, and raises the alert at the policy's limit: at the default two failures in a
row, or more among successes. It closes when successes have brought the sum back to 0. What is a little late fails in part, by a share b of
0 to 1, and adds b of the one and 1 - b of the other; a delivery fails by what the scoring takes away for it, late or short.
"""

from datetime import datetime
from math import exp2
from typing import NamedTuple

from projections.alerts import terms
from projections.alerts.alert import AlertKind, Book, Severity, Stream, on
from projections.alerts.book import EVIDENCE_KEPT, Cause, raise_, settle
from projections.scoring.delivery import grade
from projections.scoring.evidence import HOUR
from projections.scoring.policy import Policy
from schemas.catalogue import Delivery, Information, Inspection, Payment, Quote, RequestAnswered
from schemas.touchpoint import Recorded

GRAVE = 3  # failures; fewer may be chance


class Conduct(NamedTuple):
    """Whose conduct in what: the name of its sum, the kind of alert, and what failing in it is called."""

    name: str
    kind: AlertKind
    words: str


OUR_DELIVERIES = Conduct("our deliveries", "we_fail_again", "our deliveries are late or short")
THEIR_DELIVERIES = Conduct("deliveries", "late_again", "their deliveries are late or short")
THEIR_GOODS = Conduct("defects", "wrong_again", "what they deliver is defective")
OUR_PAYMENTS = Conduct("our payments", "we_fail_again", "our payments are late")
THEIR_PAYMENTS = Conduct("payments", "pays_late_again", "their payments are late")
OUR_ANSWERS = Conduct("our answers", "we_fail_again", "our answers are slow")
THEIR_ANSWERS = Conduct("answers", "slow_again", "their answers are slow")
THEIR_INFORMATION = Conduct("information", "wrong_again", "their information is wrong")


def delivered(book: Book, event: Recorded, data: Delivery, policy: Policy) -> None:
    """How late, how short and, of a partner's delivery, in what condition."""
    failed = 1.0 - grade(data, policy.delivery)
    if data.by == "us":
        _count(book, event, OUR_DELIVERIES, failed, policy)
        return
    _count(book, event, THEIR_DELIVERIES, failed, policy)
    if data.defective is not None and data.quantity_delivered:
        _check(book, event, data.quantity_delivered, data.defective, policy)


def inspected(book: Book, event: Recorded, data: Inspection, policy: Policy) -> None:
    """A lot, in what condition."""
    if data.inspected:
        _check(book, event, data.inspected, data.defective, policy)


def paid(book: Book, event: Recorded, data: Payment, policy: Policy) -> None:
    """How many days past due."""
    failed = _took((data.paid_on - data.due_on).days, policy.alerts.payment_days)
    _count(book, event, OUR_PAYMENTS if data.by == "us" else THEIR_PAYMENTS, failed, policy)


def answered(book: Book, event: Recorded, data: RequestAnswered, policy: Policy) -> None:
    """How long an answer took."""
    failed = _slow(data.asked_at, data.answered_at, policy)
    _count(book, event, OUR_ANSWERS if data.by == "us" else THEIR_ANSWERS, failed, policy)


def quoted(book: Book, event: Recorded, data: Quote, policy: Policy) -> None:
    """A quote never given is the slowest answer."""
    failed = 1.0 if data.answered_at is None else _slow(data.asked_at, data.answered_at, policy)
    _count(book, event, THEIR_ANSWERS, failed, policy)


def informed(book: Book, event: Recorded, data: Information, policy: Policy) -> None:
    """Right or wrong, once it is known."""
    if data.accuracy in ("confirmed", "refuted"):
        _count(book, event, THEIR_INFORMATION, float(data.accuracy == "refuted"), policy)


def _check(book: Book, event: Recorded, pieces: float, bad: float, policy: Policy) -> None:
    """More defective pieces than the policy takes for chance."""
    _count(book, event, THEIR_GOODS, float(bad > policy.alerts.defects_share * pieces), policy)


def _slow(asked_at: datetime, answered_at: datetime, policy: Policy) -> float:
    return _took((answered_at - asked_at) / HOUR, policy.alerts.answer_hours)


def _took(time: float, half: float) -> float:
    """The share that failed of what took so long: a half at ``half``, of the rest a half again after as long."""
    return 0.0 if time <= 0.0 else 1.0 - exp2(-time / half)


def _count(book: Book, event: Recorded, conduct: Conduct, failed: float, policy: Policy) -> None:
    """Add what failed, a share of 0 to 1, and what did not."""
    rule, stream = policy.alerts, book.streams.get(conduct.name)
    if failed == 0.0 and (stream is None or stream.height == 0.0):  # as nearly always
        return
    step = failed * rule.failed_step + (1.0 - failed) * rule.kept_step
    if step <= 0.0:
        if stream is None or stream.height == 0.0:
            return
        stream.height = max(0.0, stream.height + step)
        if stream.height == 0.0:
            stream.evidence = []
            settle(book, rule, f"again:{conduct.name}", event.occurred_us, "better again")
        return
    if stream is None:
        stream = book.streams[conduct.name] = Stream()
    if stream.height == 0.0:
        stream.since_us = event.occurred_us
    highest = rule.height_max * rule.limit
    stream.height = min(stream.height + step, highest)
    stream.evidence = [*stream.evidence, event.position][-EVIDENCE_KEPT:]
    if stream.height >= rule.limit:
        severity: Severity = "high" if stream.height >= highest and len(stream.evidence) >= GRAVE else "medium"
        more = " or more" if len(stream.evidence) == EVIDENCE_KEPT else ""
        text = f"{conduct.words} again: {len(stream.evidence)} times{more} since {on(stream.since_us)}"
        raise_(book, rule, event, Cause(conduct.kind, f"again:{conduct.name}", severity, text), evidence=stream.evidence[:-1])
        if conduct.kind in ("late_again", "wrong_again"):
            terms.at_risk(book, event, conduct.words, policy)
