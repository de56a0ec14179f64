"""The phase a relationship is in, for display: Dwyer, Schurr & Oh (1987), *Developing Buyer-Seller Relationships*.

Awareness: nothing was exchanged yet. Exploration: first exchanges, little is known. Expansion: exchange goes on and both gain. Commitment:
it has lasted, and stands well. Dissolution: it was closed, is an exit candidate, or fell silent. No score depends on it.
"""

from typing import Literal

from projections.scoring.policy import PhasePolicy
from projections.scoring.standing import Reason, Standing

Phase = Literal["awareness", "exploration", "expansion", "commitment", "dissolution"]
ENDING = frozenset({"silent", "poor", "net_loss"})  # reasons that it is coming apart


def phase(standing: Standing, reasons: tuple[Reason, ...], *, exchanges: int, age_days: float, closed: bool, policy: PhasePolicy) -> Phase:
    """The phase. ``exchanges``: purchases of theirs or orders of ours; ``age_days``: since the first touchpoint."""
    if closed or standing == "exit" or any(reason.rule in ENDING for reason in reasons):
        return "dissolution"
    if exchanges == 0 and standing == "unproven":
        return "awareness"
    if standing == "unproven" or exchanges < policy.exploration_exchanges:
        return "exploration"
    if standing in ("grow", "keep") and age_days >= policy.commitment_days:
        return "commitment"
    return "expansion"
