"""Standing: what should be done with a relationship, with the rule, figure and threshold of every reason.

``unproven`` too little is known; ``exit`` harmful (costs more than it brings, the whole interval poor, or a main dimension beyond hope),
on enough evidence, and repair was tried; ``repair`` worth saving and can be improved; ``grow`` good, and was so before; ``keep`` the rest.
Exit is a proposal to a person, never automatic.

Hysteresis: each rule also looks at the figures of ``trend_days`` ago, told from the evidence of then, and leans towards where they were.
That makes a standing a pure function of the evidence: it does not depend on how often or in which order somebody looked.
"""

from math import sqrt
from typing import Literal

import msgspec

from projections.scoring.figures import Figures, Level
from projections.scoring.models import Model
from projections.scoring.policy import StandingPolicy

Standing = Literal["unproven", "grow", "keep", "repair", "exit"]
STANDINGS: tuple[Standing, ...] = ("unproven", "grow", "keep", "repair", "exit")
NORMAL_90 = 1.282  # standard deviations above the mean that 90 % stay below; near enough to the Beta's own quantile for a threshold
KNOWN_LEAN = 0.6  # of the evidence, and of the certainty, that made a relationship known keeps it known
MAIN_WEIGHT = 0.2  # dimensions of this share of quality or more are what the relationship is about
ORDER = {"exit": 0, "repair": 1, "keep": 2, "grow": 3}


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why: the rule's name, the figure it looked at, the threshold it was held against, and both in a sentence."""

    rule: str
    figure: float
    threshold: float
    text: str


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What the standing looks at beside the figures.

    trend: points, None where nothing was known then. open_conflict: events of evidence in complaints that have stood open for long.
    actions: improvements tried so far.
    silence: the chance that a gap between purchases lasts as long as the one that is open, by the customer's own rhythm; None before the
        policy's ``rhythm_min`` purchases. silent_days: how long it has lasted.
    net_loss: the chance that what they bring is less than what serving them costs, None where it cannot be told.
    """

    trend: float | None = None
    open_conflict: float = 0.0
    actions: int = 0
    silence: float | None = None
    silent_days: float = 0.0
    net_loss: float | None = None


def classify(now: Figures, facts: Facts, model: Model, then: Figures | None = None) -> tuple[Standing, tuple[Reason, ...]]:
    """The standing and its reasons, the deciding one first. ``then``: the figures of ``trend_days`` ago, where something was known."""
    policy = model.standing
    unproven = _unproven(now, then, policy)
    if unproven is not None:
        return "unproven", (unproven,)
    repair_below = _lean(policy.repair, None if then is None else then.quality, policy)
    steady = now.quality if then is None else (now.quality + then.quality) / 2.0
    harm = _harm(now, then, facts, model)
    if harm is not None and now.evidence >= policy.exit_evidence_min:
        if facts.actions and (facts.trend is None or facts.trend < policy.margin):
            tried = _reason("repair_tried", facts.actions, 1, f"{_tried(facts.actions)} to repair it, and quality has not risen")
            return "exit", (harm, tried)
        how = f"{_tried(facts.actions)} to repair it, and quality rose" if facts.actions else "nobody has tried to repair it yet"
        untried = _reason(
            "repair_untried",
            facts.actions,
            1,
            f"{how}; to part is proposed when that failed",
        )
        return "repair", (harm, untried, *_ours(now))
    reasons = []
    if now.quality < repair_below:
        text = f"quality is {now.quality:.1f} of 100; below {repair_below:.1f} it needs repair"
        reasons.append(_reason("low_quality", now.quality, repair_below, text))
    if facts.open_conflict >= policy.conflict:
        text = f"complaints left open weigh like {facts.open_conflict:.0f} bad events; {policy.conflict:.0f} is too many"
        reasons.append(_reason("open_conflict", facts.open_conflict, policy.conflict, text))
    if facts.trend is not None and facts.trend <= -policy.turn and then is not None and now.high < then.quality:
        text = f"quality fell by {-facts.trend:.0f} points in {model.policy.model.trend_days} days; {policy.turn:.0f} are enough to act"
        reasons.append(_reason("falling", facts.trend, -policy.turn, text))
    if facts.silence is not None and facts.silence <= policy.silence:
        often, rare = 100 * facts.silence, 100 * policy.silence
        text = f"no purchase for {facts.silent_days:.0f} days: {often:.1f} % of gaps last so; {rare:.1f} % is rare"
        reasons.append(_reason("silent", facts.silence, policy.silence, text, digits=4))
    reasons += _weak(now, then, model)
    if reasons:
        return "repair", (*reasons, *_ours(now))
    if steady >= policy.grow:
        days = model.policy.model.trend_days
        text = f"quality is {now.quality:.1f}, and {steady:.1f} over {days} days; {policy.grow:.1f} is good enough"
        return "grow", (_reason("high_quality", steady, policy.grow, text),)
    sound = f"quality is {now.quality:.1f}; repair begins below {repair_below:.1f}, growth at {policy.grow:.1f}"
    return "keep", (_reason("sound", now.quality, repair_below, sound),)


def _unproven(now: Figures, then: Figures | None, policy: StandingPolicy) -> Reason | None:
    """Why too little is known: now, and at a stretch also then; who was known stays so until clearly more has faded."""
    too_little = _too_little(now, policy, 1.0)
    if too_little is None or then is None or _too_little(then, policy, 1.0) is not None:
        return too_little
    return _too_little(now, policy, KNOWN_LEAN)


def _too_little(found: Figures, policy: StandingPolicy, lean: float) -> Reason | None:
    evidence_min, width_max = policy.evidence_min * lean, policy.width_max / lean
    if found.evidence < evidence_min:
        text = f"we know as much as {found.evidence:.1f} fresh events tell; it takes {evidence_min:.1f}"
        return _reason("little_evidence", found.evidence, evidence_min, text)
    width = found.high - found.low
    if width > width_max:
        text = f"quality may lie within {width:.0f} points; within {width_max:.0f} it can be judged"
        return _reason("wide_interval", width, width_max, text)
    return None


def _harm(now: Figures, then: Figures | None, facts: Facts, model: Model) -> Reason | None:
    """What makes a relationship harmful: money, the whole interval, or one of its main dimensions beyond hope."""
    policy = model.standing
    if facts.net_loss is not None and facts.net_loss > policy.net_loss:
        text = f"serving them costs more than they bring: {facts.net_loss:.0%} sure, over {policy.net_loss:.0%}"
        return _reason("net_loss", facts.net_loss, policy.net_loss, text)
    if now.high < policy.exit + policy.margin:  # else nothing of then can make it poor, and its interval need not be worked out
        exit_below = _lean(policy.exit, None if then is None else then.high, policy)
        if now.high < exit_below:
            text = f"quality is poor even at best: {now.high:.1f} of 100, below {exit_below:.1f}"
            return _reason("poor", now.high, exit_below, text)
    for name, dimension, one in zip(model.names, model.dimensions, now.levels, strict=True):
        if dimension.weight >= MAIN_WEIGHT and one.centre < policy.hopeless and (high := _at_most(one)) < policy.hopeless:
            text = f"{name} is {high:.2f} of 1 at best; below {policy.hopeless:.2f} there is little hope"
            return _reason(f"hopeless_{name}", high, policy.hopeless, text)
    return None


def _weak(now: Figures, then: Figures | None, model: Model) -> list[Reason]:
    """Dimensions that are surely (90 %) worse than the peers'; risks and terms that call for work."""
    reasons, gap = [], model.standing.weak_gap
    for number, (name, dimension, one) in enumerate(zip(model.names, model.dimensions, now.levels, strict=True)):
        limit = dimension.prior_mean
        may = dimension.weight and one.centre < limit + gap  # else it is not weak, whatever it was then
        if may and then is not None:
            limit += gap if _at_most(then.levels[number]) < limit else -gap
        if may and (high := _at_most(one)) < limit:
            reasons.append(_reason(f"weak_{name}", high, limit, f"{name} is {high:.2f} of 1 at best; peers reach {limit:.2f}"))
        elif name == "balance" and one.level < model.standing.unequal:  # terms are known, not sampled: no interval is needed
            text = f"deals left one side little: balance is {one.level:.2f}; {model.standing.unequal:.2f} is fair"
            reasons.append(_reason("unequal", one.level, model.standing.unequal, text))
        elif name == "exposure" and one.level >= model.standing.exposed:
            text = f"we depend on them: exposure is {one.level:.2f} of 1, and {model.standing.exposed:.2f} is a risk"
            reasons.append(_reason("exposed", one.level, model.standing.exposed, text))
    return reasons


def _at_most(one: Level) -> float:
    """What a level surely (90 %) does not exceed."""
    return one.centre + NORMAL_90 * sqrt(one.centre * (1.0 - one.centre) / (one.worth + 1.0))


def _ours(now: Figures) -> tuple[Reason, ...]:
    """What we can win back ourselves."""
    if now.lost <= 0.0:
        return ()
    share = 100.0 * now.lost_ours / now.lost
    rule = "our_conduct" if share >= 50.0 else "their_conduct"  # noqa: PLR2004  # half
    return (_reason(rule, share, 50.0, f"{share:.0f} % of the lost points come from our own conduct"),)


def _tried(times: int) -> str:
    return "we tried once" if times == 1 else f"we tried {times} times"


def _lean(threshold: float, then: float | None, policy: StandingPolicy) -> float:
    """The threshold moved away from where the figure was."""
    if then is None:
        return threshold
    return threshold - policy.margin if then >= threshold else threshold + policy.margin


def _reason(rule: str, figure: float, threshold: float, text: str, digits: int = 2) -> Reason:
    return Reason(rule, round(figure, digits), round(threshold, digits), text)
