"""Responsiveness of a partner: time to answer requests and quotes; complaints we raised are cases (``cases/complaint.py``)."""

from projections.scoring.evidence import HOUR, HOUR_US, Evidence, graded
from projections.scoring.policy import Policy
from schemas.catalogue import Contact, Quote, RequestAnswered
from schemas.touchpoint import microseconds


def their_answer(data: RequestAnswered, policy: Policy) -> Evidence | None:
    """Hours they took to answer a request of ours."""
    return _answer(data, policy, ours=False) if data.by == "them" else None


def our_answer(data: RequestAnswered, policy: Policy) -> Evidence | None:
    """Hours we took to answer a request of theirs: our conduct."""
    return _answer(data, policy, ours=True) if data.by == "us" else None


def quote(data: Quote, policy: Policy) -> Evidence:
    """Being in time, by the due time where one was set, is half of it, how fast the other half; never answered is nothing."""
    rule = policy.response
    if data.answered_at is None:
        return Evidence(0.0, rule.unanswered_weight)
    if data.declined:
        return graded(rule.weight, rule.declined_level)
    answered_us, asked_us = microseconds(data.answered_at), microseconds(data.asked_at)
    due_us = asked_us if data.due_at is None else microseconds(data.due_at)
    worth = (2.0 ** (-max(0, answered_us - since_us) / HOUR_US / rule.half_hours) for since_us in (asked_us, due_us))
    return graded(rule.weight, sum(worth) / 2.0)


def contact(data: Contact, policy: Policy) -> Evidence | None:
    """How long they took to answer a contact of ours."""
    if data.response_hours is None or data.direction != "outbound":
        return None
    return graded(policy.response.contact_weight, 2.0 ** (-data.response_hours / policy.response.half_hours))


def _answer(data: RequestAnswered, policy: Policy, *, ours: bool) -> Evidence:
    hours = max(0.0, (data.answered_at - data.asked_at) / HOUR)
    return graded(policy.response.weight, 2.0 ** (-hours / policy.response.half_hours), ours=ours)
