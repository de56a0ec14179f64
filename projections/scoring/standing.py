"""Standing: what should be done with a relationship, with the rule, figure and threshold of every reason.

``unproven`` too little is known; ``exit`` the whole interval is poor, on enough evidence, and repair was tried; ``repair`` worth saving
and can be improved; ``grow`` good and not falling; ``keep`` the rest. Exit is a proposal to a person, never automatic.

Hysteresis: the thresholds lean by a margin towards the standing of ``trend_days`` ago, as it was on the evidence of then. That makes
a standing a pure function of the evidence: it does not depend on how often or in which order somebody looked.
"""

from math import sqrt
from typing import Literal

import msgspec

from projections.scoring.figures import Figures
from projections.scoring.models import Model
from projections.scoring.policy import StandingPolicy

Standing = Literal["unproven", "grow", "keep", "repair", "exit"]
STANDINGS: tuple[Standing, ...] = ("unproven", "grow", "keep", "repair", "exit")
NORMAL_95 = 1.645  # standard deviations above the mean that 95 % stay below; near enough to the Beta's own quantile for a threshold
ORDER = {"exit": 0, "repair": 1, "keep": 2, "grow": 3}


class Reason(msgspec.Struct, frozen=True):
    """Why: the rule's name, the figure it looked at, the threshold it was held against, and both in a sentence."""

    rule: str
    figure: float
    threshold: float
    text: str


class Facts(msgspec.Struct, frozen=True):
    """What the standing looks at beside the figures.

    trend: points, None where nothing was known then. open_conflict: events of evidence in open complaints.
    actions: improvements tried so far.
    silence: days since the last purchase over the mean days between purchases, None before the policy's ``rhythm_min`` of them.
    """

    trend: float | None = None
    open_conflict: float = 0.0
    actions: int = 0
    silence: float | None = None


def classify(now: Figures, facts: Facts, model: Model, before: Standing | None = None) -> tuple[Standing, tuple[Reason, ...]]:
    """The standing and its reasons, the deciding one first. ``before``: the standing of ``trend_days`` ago, where one is known."""
    policy = model.standing
    unproven = _unproven(now, policy)
    if unproven is not None:
        return "unproven", (unproven,)
    exit_below = _lean(policy.exit, "repair", before, policy)
    repair_below = _lean(policy.repair, "keep", before, policy)
    grow_from = _lean(policy.grow, "grow", before, policy)
    if now.high < exit_below and now.evidence >= policy.exit_evidence_min:
        poor = _reason("poor", now.high, exit_below, "the whole interval is poor: quality is at most {figure:.1f}, below {threshold:.1f}")
        if facts.actions and (facts.trend is None or facts.trend <= 0.0):
            tried = _reason("repair_tried", facts.actions, 1, "repair was tried {figure:.0f} times and quality has not risen")
            return "exit", (poor, tried)
        untried = _reason("repair_untried", facts.actions, 1, "repair was tried {figure:.0f} times; exit is proposed only after it failed")
        return "repair", (poor, untried, *_ours(now))
    reasons = []
    if now.quality < repair_below:
        reasons.append(_reason("low_quality", now.quality, repair_below, "quality is {figure:.1f}, below {threshold:.1f}"))
    if facts.open_conflict >= policy.conflict:
        reasons.append(
            _reason(
                "open_conflict", facts.open_conflict, policy.conflict, "open complaints weigh {figure:.1f} events, {threshold:.1f} or more"
            )
        )
    if facts.trend is not None and facts.trend <= -policy.turn:
        reasons.append(_reason("falling", facts.trend, -policy.turn, "quality changed by {figure:+.1f} points, {threshold:+.1f} or worse"))
    if facts.silence is not None and facts.silence >= policy.silence:
        text = "no purchase for {figure:.1f} times the usual days between them, {threshold:.1f} or more"
        reasons.append(_reason("silent", facts.silence, policy.silence, text))
    reasons += _weak(now, model)
    if reasons:
        return "repair", (*reasons, *_ours(now))
    if now.quality >= grow_from:
        return "grow", (_reason("high_quality", now.quality, grow_from, "quality is {figure:.1f}, {threshold:.1f} or more"),)
    sound = f"quality is {{figure:.1f}}, between {{threshold:.1f}} and {grow_from:.1f}"
    return "keep", (_reason("sound", now.quality, repair_below, sound),)


def _unproven(now: Figures, policy: StandingPolicy) -> Reason | None:
    if now.evidence < policy.evidence_min:
        return _reason(
            "little_evidence", now.evidence, policy.evidence_min, "known from {figure:.1f} events of evidence, fewer than {threshold:.1f}"
        )
    width = now.high - now.low
    if width > policy.width_max:
        return _reason("wide_interval", width, policy.width_max, "the interval is {figure:.1f} points wide, more than {threshold:.1f}")
    return None


def _weak(now: Figures, model: Model) -> list[Reason]:
    """Dimensions that are surely worse than the peers'."""
    reasons = []
    for name, dimension, one in zip(model.names, model.dimensions, now.levels, strict=True):
        limit = dimension.prior_mean - model.standing.weak_gap
        high = one.centre + NORMAL_95 * sqrt(one.centre * (1.0 - one.centre) / (one.worth + 1.0))
        if dimension.weight and high < limit:
            reasons.append(_reason(f"weak_{name}", high, limit, f"{name} is at most {{figure:.2f}}, below {{threshold:.2f}}"))
    return reasons


def _ours(now: Figures) -> tuple[Reason, ...]:
    """What we can win back ourselves."""
    if now.lost <= 0.0:
        return ()
    share = 100.0 * now.lost_ours / now.lost
    rule = "our_conduct" if share >= 50.0 else "their_conduct"  # noqa: PLR2004  # half
    return (_reason(rule, share, 50.0, "{figure:.0f} % of the lost points come from our own conduct"),)


def _lean(threshold: float, upper: str, before: Standing | None, policy: StandingPolicy) -> float:
    """The threshold between ``upper`` and what is below it, moved away from where the relationship was."""
    if before is None or before == "unproven":
        return threshold
    return threshold - policy.margin if ORDER[before] >= ORDER[upper] else threshold + policy.margin


def _reason(rule: str, figure: float, threshold: float, text: str) -> Reason:
    return Reason(rule, round(figure, 2), round(threshold, 2), text.format(figure=figure, threshold=threshold))
