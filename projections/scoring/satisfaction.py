"""Satisfaction of a customer: feedback, sentiment, returns, answers of ours; complaints are cases (``cases/complaint.py``)."""

from projections.scoring.evidence import Evidence, graded
from projections.scoring.policy import Policy
from schemas.catalogue import SCALES, Contact, Feedback, Return

OUR_FAULT = frozenset({"defect", "wrong_item", "late"})


def feedback(data: Feedback, policy: Policy) -> Evidence:
    """An answer on a scale, as a level from its lowest (0) to its highest (1) value."""
    low, high = SCALES[data.scale]
    return graded(policy.feedback.weight, (data.value - low) / (high - low), ours=True)


def sentiment(data: Contact, policy: Policy) -> Evidence | None:
    """The sentiment of a contact, -1 to 1, as a weak level."""
    return None if data.sentiment is None else graded(policy.feedback.sentiment_weight, (data.sentiment + 1.0) / 2.0, ours=True)


def waited(data: Contact, policy: Policy) -> Evidence | None:
    """How long they waited for our answer to a contact of theirs."""
    if data.response_hours is None or data.direction != "inbound":
        return None
    return graded(policy.response.contact_weight, 2.0 ** (-data.response_hours / policy.response.half_hours), ours=True)


def returned(data: Return, policy: Policy) -> Evidence | None:
    """A return for a fault of ours speaks against us; a changed mind says nothing."""
    return Evidence(0.0, policy.return_.weight, ours=True) if data.reason in OUR_FAULT else None
