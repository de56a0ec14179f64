"""Exposure to a partner: a risk beside the score, 1 is the most exposed.

Disruptions here; qualified alternatives are a case (``cases/qualification.py``).
"""

from projections.scoring.evidence import Evidence
from projections.scoring.policy import Policy
from schemas.catalogue import Disrupted


def disrupted(_: Disrupted, policy: Policy) -> Evidence:
    """Supply was interrupted."""
    return Evidence(policy.exposure.disruption_weight, 0.0)
