"""Trust: promises kept, on both sides. Deliveries of ours, payments, disputes, breaches, incidents.

Promises, and complaints about the other side, are cases (``cases/``).
"""

from projections.scoring import delivery as deliveries
from projections.scoring.evidence import Evidence, graded
from projections.scoring.policy import Policy
from schemas.catalogue import ContractBreached, ContractEnded, Delivery, Incident, InvoiceDisputed, Payment


def delivery(data: Delivery, policy: Policy) -> Evidence | None:
    """A delivery of ours, as a promise kept or not."""
    return graded(policy.delivery.trust_weight, deliveries.grade(data, policy.delivery), ours=True) if data.by == "us" else None


def payment(data: Payment, policy: Policy) -> Evidence:
    """Days past due: on time is worth 1, ``half_days`` late a half."""
    late_days = max(0, (data.paid_on - data.due_on).days)
    return graded(policy.payment.weight, 2.0 ** (-late_days / policy.payment.half_days), ours=data.by == "us")


def dispute(data: InvoiceDisputed, policy: Policy) -> Evidence:
    """Who disputes says the other's invoice was wrong."""
    return Evidence(0.0, policy.dispute.weight, ours=data.by == "them")


def breach(data: ContractBreached, policy: Policy) -> Evidence:
    """A broken contract, by its severity."""
    return Evidence(0.0, policy.breach.weight * policy.severity.of[data.severity], ours=data.by == "us")


def incident(data: Incident, policy: Policy) -> Evidence:
    """An incident of compliance, security, continuity or conduct, by its severity."""
    return Evidence(0.0, policy.severity.of[data.severity], ours=data.by == "us")


def ended(data: ContractEnded, policy: Policy) -> Evidence | None:
    """A partner that walks out of a contract."""
    return Evidence(0.0, policy.contract.expired) if data.reason == "terminated" and data.by == "them" else None
