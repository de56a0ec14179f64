"""Balance: what each side gained from a deal above its walk-away.

What a gain is, ``gains.py`` says. In 1,005 real negotiations it was a side's low own gain that went with dissatisfaction, not the gap
between the sides: the evidence is the lower of the two gains.
"""

from collections.abc import Sequence

from projections.scoring import gains
from projections.scoring.evidence import Evidence, graded
from projections.scoring.gains import Stake
from projections.scoring.policy import DealPolicy


def agreed(stakes: Sequence[Stake], values: Sequence[float], policy: DealPolicy) -> Evidence | None:
    """The evidence of an agreement on these values: how well the side that gained less is served; None where nothing can be told.

    Ours when we took more than they did. It weighs less where their gain rests on anything but numbers. Where nothing is known of theirs,
    the lower gain is at most ours: that may speak against the deal, never for it.
    """
    our, their = gains.ours(stakes, values), gains.theirs_likely(stakes, values)
    told = [gain for gain in (our, their) if gain is not None]
    if not told:
        return None
    level = min(1.0, max(0.0, min(told) / policy.fair_gain))
    if our is None or their is None:
        return Evidence(0.0, policy.estimated_weight * (1.0 - level)) if level < 1.0 else None
    sure = all(stake.basis == "known" for stake in stakes)
    return graded(policy.weight if sure else policy.estimated_weight, level, ours=our > their)
