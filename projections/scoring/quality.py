"""Quality of what a partner supplies: defects found in inspections and deliveries, returns, information refuted."""

from math import log, log1p

from projections.scoring.evidence import Evidence, graded
from projections.scoring.policy import Policy
from projections.scoring.satisfaction import OUR_FAULT
from schemas.catalogue import Delivery, Information, Inspection, Return


def inspection(data: Inspection, policy: Policy) -> Evidence | None:
    """The defective share against the tolerance; a larger lot says more, up to double at ``large_lot`` and on by the logarithm."""
    return _defects(data.inspected, data.defective, policy)


def delivery(data: Delivery, policy: Policy) -> Evidence | None:
    """Defective pieces counted at delivery."""
    if data.by != "them" or data.defective is None or not data.quantity_delivered:
        return None
    return _defects(data.quantity_delivered, min(data.defective, data.quantity_delivered), policy)


def returned(data: Return, policy: Policy) -> Evidence | None:
    """What we send back for a fault of theirs."""
    return Evidence(0.0, policy.return_.weight) if data.reason in OUR_FAULT else None


def information(data: Information, policy: Policy) -> Evidence | None:
    """Information that turned out right or wrong."""
    if data.accuracy == "confirmed":
        return Evidence(policy.information.weight, 0.0)
    if data.accuracy == "refuted":
        return Evidence(0.0, policy.information.refuted_weight)
    return None


def _defects(pieces: float, defective: float, policy: Policy) -> Evidence | None:
    if pieces <= 0:
        return None
    rule = policy.inspection
    weight = rule.weight * (1.0 + log1p(pieces) / log(1.0 + rule.large_lot))
    return graded(weight, 1.0 / (1.0 + defective / pieces / rule.tolerance))
