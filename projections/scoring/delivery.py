"""Delivery: on time and in full, how late and how short; for suppliers of information, in time.

The same grade is a partner's delivery and, for our deliveries to a customer, a promise of ours (``trust.py``).
"""

from projections.scoring.evidence import DAY, HOUR, Evidence, graded
from projections.scoring.policy import DeliveryPolicy, Policy
from schemas.catalogue import Delivery, Information


def grade(data: Delivery, policy: DeliveryPolicy) -> float:
    """How well a delivery kept its promise, 0 to 1: timeliness times fullness."""
    level = 1.0
    if data.delivered_at > data.promised_at:
        late_days = (data.delivered_at - data.promised_at) / DAY
        level = policy.late_level * max(0.0, 1.0 - late_days / policy.late_days_max)
    if data.quantity_promised and data.quantity_delivered is not None:
        share = data.quantity_delivered / data.quantity_promised
        if share < 1.0 - policy.full_slack:
            level *= policy.short_level * share
    return level


def delivery(data: Delivery, policy: Policy) -> Evidence | None:
    """A delivery of theirs; one of ours to a partner (a return, a loan) is no evidence of their delivery."""
    return graded(policy.delivery.weight, grade(data, policy.delivery)) if data.by == "them" else None


def information(data: Information, policy: Policy) -> Evidence | None:
    """Information supplied on request: the hours it took beyond what is usual."""
    if data.requested_at is None:
        return None
    hours = (data.supplied_at - data.requested_at) / HOUR
    hours = max(0.0, hours - policy.information.due_hours)
    return graded(policy.information.weight, 2.0 ** (-hours / policy.information.half_hours))
