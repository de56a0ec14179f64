"""What to beware of before signing: a low gain of either side, terms past a walk-away, and what was assumed for want of better.

It is a side's low own gain that goes with dissatisfaction (area under the curve 0.70 in 1,005 real negotiations), not the gap between the
sides (0.50): nothing here warns of a gap.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from projections.scoring.gains import SAME, Stake
from projections.scoring.policy import DealPolicy
from schemas.catalogue import Issue

Code = Literal[
    "below_walk_away",  # a side would do better to walk away
    "low_gain",  # a side gains less than the policy's low_gain
    "past_walk_away",  # a term is past what a side would take on that issue
    "same_direction",  # both sides want the number to go the same way
    "left_open",  # an issue without a term: no part of the deal
    "no_range",  # a side's target is its reservation: the issue counts for nothing to it
    "assumed",  # nothing usable was told of the other side: the benchmark or our own range stands in
]


class Caution(msgspec.Struct, frozen=True):
    """Something to beware of. ``side`` and ``issue`` where it is about one."""

    code: Code
    text: str
    side: Literal["ours", "theirs"] | None = None
    issue: str | None = None


def cautions(
    issues: Sequence[Issue],
    on: Sequence[Stake],
    values: Sequence[float],
    gains: tuple[float, tuple[float, float]],
    policy: DealPolicy,
) -> tuple[Caution, ...]:
    """All of them. ``gains``: ours, and the least and most of theirs."""
    ours, (least, most) = gains
    found = [*_of_side("ours", ours, ours, policy), *_of_side("theirs", least, most, policy)]
    open_ = [issue.issue for issue in issues if issue.issue not in {stake.issue for stake in on}]
    found += [Caution("left_open", f"{name} has no term: it is no part of what was evaluated", issue=name) for name in open_]
    for stake, value in zip(on, values, strict=True):
        found += _of_issue(stake, value)
    return tuple(found)


def _of_side(side: Literal["ours", "theirs"], least: float, most: float, policy: DealPolicy) -> Iterator[Caution]:
    """Only what is sure: where the range of their gain spans a threshold, the verdict says so."""
    who, whose = ("we", "our") if side == "ours" else ("they", "their")
    figure = f"{most:.2f}" if most - least <= SAME else f"{least:.2f} to {most:.2f}"
    if most < -SAME:
        yield Caution("below_walk_away", f"{who} gain {figure} of {whose} range: {who} would do better to walk away", side)
    elif most < policy.low_gain - SAME:
        yield Caution("low_gain", f"{who} gain {figure} of {whose} range, less than {policy.low_gain:.2f}", side)


def _of_issue(stake: Stake, value: float) -> Iterator[Caution]:
    name = stake.issue
    if stake.ours.gain(value) < -SAME:
        yield Caution("past_walk_away", f"{name} {value:g} is past our walk-away of {stake.ours.reservation:g}", "ours", name)
    if stake.basis != "unknown" and max(corner.gain(value) for corner in stake.theirs) < -SAME:
        limit = f"their walk-away of {stake.theirs[0].reservation:g}" if len(stake.theirs) == 1 else "any walk-away we assume of them"
        yield Caution("past_walk_away", f"{name} {value:g} is past {limit}", "theirs", name)
    if stake.basis in ("known", "estimated") and stake.ours.width * stake.theirs[0].width > 0.0:
        yield Caution("same_direction", f"both sides want {name} to go the same way: check their target and reservation", issue=name)
    for side, range_ in (("ours", stake.ours), ("theirs", stake.theirs[0])):
        if not range_.width and (side == "ours" or stake.basis == "known"):
            text = (
                f"{'our' if side == 'ours' else 'their'} target and reservation of {name} are both {range_.target:g}: it counts for nothing"
            )
            yield Caution("no_range", text, side, name)  # type: ignore[arg-type]  # one of the two literals
    if stake.basis == "benchmark":
        text = f"nothing is known of their walk-away of {name} but the benchmark: assumed between it and our target"
        yield Caution("assumed", text, "theirs", name)
    elif stake.basis == "unknown":
        text = f"nothing is known of their walk-away of {name}: assumed anywhere from ours to as far beyond our target"
        yield Caution("assumed", text, "theirs", name)
