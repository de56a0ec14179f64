"""Cost of a partner: a rate against its benchmark, or against the rate before it."""

from projections.scoring.evidence import Evidence, graded
from projections.scoring.policy import RatePolicy


def against(rate: float, reference: float, policy: RatePolicy) -> Evidence:
    """0.5 at the reference, 1 at ``spread`` below it or less, 0 at ``spread`` above it or more; the reference is > 0."""
    level = 0.5 + (1.0 - rate / reference) / (2.0 * policy.spread)
    return graded(policy.weight, min(1.0, max(0.0, level)))
