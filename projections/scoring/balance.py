"""Balance: what each side gained from a deal above its walk-away.

A side's gain on an issue is (agreed - reservation) / (target - reservation): 0 at its walk-away, 1 at its target, whichever way it
wants the number to go; over several issues the mean by its weights. In 1,005 real negotiations it was a side's low own gain that went
with dissatisfaction, not the gap between the sides: the evidence is the lower of the two gains.
"""

from collections.abc import Mapping, Sequence

from projections.scoring.evidence import Evidence, graded
from projections.scoring.policy import DealPolicy
from schemas.catalogue import Issue, Span


def gain(issues: Sequence[Issue], terms: Mapping[str, float], *, ours: bool) -> tuple[float, bool] | None:
    """One side's gain over the issues it can be told for, and whether it rests on an estimate; None if for none.

    A gain may be below 0 (worse than walking away) or above 1 (better than the target).
    """
    total = weights = 0.0
    estimated = False
    for issue in issues:
        agreed = terms.get(issue.issue)
        values = issue.ours if ours else issue.theirs
        if agreed is None:
            continue
        if values is None:
            estimated = True
            continue
        (target, guessed), (reservation, guessed_too) = _middle(values.target), _middle(values.reservation)
        if target == reservation:
            continue
        estimated = estimated or guessed or guessed_too
        weight = (issue.weight_ours if ours else issue.weight_theirs) or 1.0
        total += weight * (agreed - reservation) / (target - reservation)
        weights += weight
    return (total / weights, estimated) if weights else None


def agreed(issues: Sequence[Issue], terms: Mapping[str, float], policy: DealPolicy) -> Evidence | None:
    """The evidence of an agreement: how well the side that gained less is served. Ours when we took more than they did."""
    our, their = gain(issues, terms, ours=True), gain(issues, terms, ours=False)
    known = [side for side in (our, their) if side is not None]
    if not known:
        return None
    sure = len(known) == 2 and not any(estimated for _, estimated in known)  # noqa: PLR2004  # both sides
    lower = min(value for value, _ in known)
    level = min(1.0, max(0.0, lower / policy.fair_gain))
    return graded(
        policy.weight if sure else policy.estimated_weight, level, ours=our is not None and their is not None and our[0] > their[0]
    )


def _middle(value: float | Span) -> tuple[float, bool]:
    """A number and whether it is a guess; of a range its middle."""
    return (float(value), False) if isinstance(value, int | float) else ((value.low + value.high) / 2.0, True)
