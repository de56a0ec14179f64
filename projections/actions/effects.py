"""Whether actions worked: the change of quality after them against that of similar relationships without one.

Actions are taken where things are bad, and what is bad tends to get better by itself: the plain change after an action is no effect.
So each case is compared with its nearest neighbours at about the same time, of the same kind and standing, with about the same quality and
trend before (nearest-neighbour matching with calipers, Rosenbaum & Rubin 1985; the difference of the two changes is the effect on the
treated, Heckman, Ichimura & Todd 1997). A case without a neighbour is left out and counted.

**The interval** is Student's over relationships, with the variance of Abadie & Imbens (2006, *Large sample properties of matching
estimators for average treatment effects*): cases share neighbours, and what is odd about a neighbour of many is odd in all of their
differences. Its degrees of freedom are those of a sum of two variances (Satterthwaite 1946). It does not know what decided who was treated
beside what was matched: an action in the middle of a fall looks as if it had harmed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from statistics import fmean, variance
from typing import Literal, NamedTuple

import msgspec
from scipy.special import stdtrit

from projections.answers import Interval
from projections.scoring.policy import ActionsPolicy

Verdict = Literal["better", "worse", "no difference", "not enough cases"]


class Moment(NamedTuple):
    """A relationship as it stood at a moment (microseconds UTC). ``trend``: points, 0 where nothing was known before."""

    at_us: int
    standing: str
    quality: float
    trend: float


class Course(NamedTuple):
    """What became of a relationship: how it stood at the beginning, and its quality ``after_days`` later. ``play``: None without action."""

    relationship: str
    play: str | None
    before: Moment
    after: float

    @property
    def kind(self) -> str:
        return self.relationship.partition("/")[0]

    @property
    def change(self) -> float:
        return self.after - self.before.quality


class Effect(msgspec.Struct, frozen=True):
    """What a play did, in points of quality after ``after_days``.

    cases: times it was taken long enough ago. relationships: of these with similar ones to compare with. similar: relationships compared
    with. change, change_similar: means. effect: their difference, with its interval; null where there are not enough.
    """

    play: str
    kind: str
    after_days: int
    cases: int
    relationships: int
    similar: int
    change: float | None
    change_similar: float | None
    effect: float | None
    interval: Interval | None
    verdict: Verdict
    text: str


def effects(cases: Iterable[Course], others: Iterable[Course], policy: ActionsPolicy, mass: float) -> list[Effect]:
    """By play and kind, those surest to go better than similar ones first; those without enough cases last."""
    by_kind = defaultdict[tuple[str, str], list[Course]](list)
    for one in others:
        by_kind[one.kind, one.before.standing].append(one)
    by_play = defaultdict[tuple[str, str], list[Course]](list)
    for case in cases:
        by_play[case.play or "", case.kind].append(case)
    found = [_effect(taken, by_kind, policy, mass) for taken in by_play.values()]
    return sorted(found, key=lambda one: (one.effect is None, -(one.interval or (0.0, 0.0))[0], one.play, one.kind))


def neighbours(case: Course, others: Iterable[Course], policy: ActionsPolicy) -> list[Course]:
    """The nearest of ``others``, of the case's kind and standing, within the calipers; each relationship once, at its nearest moment."""
    nearest: dict[str, tuple[float, Course]] = {}
    for other in others:
        if abs(other.before.at_us - case.before.at_us) > policy.apart_us or other.relationship == case.relationship:
            continue
        quality = (other.before.quality - case.before.quality) / policy.quality_apart
        trend = (other.before.trend - case.before.trend) / policy.trend_apart
        if abs(quality) <= 1.0 and abs(trend) <= 1.0:
            distance = quality * quality + trend * trend
            if other.relationship not in nearest or distance < nearest[other.relationship][0]:
                nearest[other.relationship] = distance, other
    ranked = sorted(nearest.values(), key=lambda pair: (pair[0], pair[1].relationship))
    return [other for _, other in ranked[: policy.neighbours]]


def _effect(taken: Sequence[Course], others: dict[tuple[str, str], list[Course]], policy: ActionsPolicy, mass: float) -> Effect:
    play, kind = taken[0].play or "", taken[0].kind
    matched = defaultdict[str, list[tuple[Course, list[Course]]]](list)
    for case in taken:
        near = neighbours(case, others.get((kind, case.before.standing), ()), policy)
        if near:
            matched[case.relationship].append((case, near))
    means = [
        (fmean(case.change for case, _ in pairs), fmean(fmean(one.change for one in near) for _, near in pairs))
        for pairs in matched.values()
    ]
    change, beside = (round(fmean(side), 2) for side in zip(*means, strict=True)) if means else (None, None)
    shares = _shares(matched.values())
    effect, interval = None, None
    if len(means) >= policy.cases_min:
        gains, sets = [one - other for one, other in means], [near for pairs in matched.values() for _, near in pairs]
        mean, wide = fmean(gains), _half(gains, sets, shares, mass)
        effect, interval = round(mean, 2), (round(mean - wide, 2), round(mean + wide, 2))
    verdict = _verdict(interval)
    text = _text(verdict, effect, interval, len(means), policy)
    return Effect(play, kind, policy.after_days, len(taken), len(means), len(shares), change, beside, effect, interval, verdict, text)


def _shares(matched: Iterable[Sequence[tuple[Course, Sequence[Course]]]]) -> Mapping[str, Sequence[float]]:
    """By neighbour: which share of the mean beside each case's relationship is theirs, for those in which they have one."""
    shares = defaultdict[str, list[float]](list)
    for pairs in matched:
        own = defaultdict[str, float](float)
        for _, near in pairs:
            for one in near:
                own[one.relationship] += 1.0 / len(near) / len(pairs)
        for name, share in own.items():
            shares[name].append(share)
    return shares


def _half(gains: Sequence[float], sets: Iterable[Sequence[Course]], shares: Mapping[str, Sequence[float]], mass: float) -> float:
    """Half of the interval of the mean of the gains: they vary, and neighbours shared by several of them add their part.

    How much neighbours vary is told within the set of each case, since these were alike before; by the gains where no set has two.
    """
    count, spread = len(gains), variance(gains)
    within = [variance([one.change for one in near]) for near in sets if len(near) > 1]
    shared = sum(sum(own) ** 2 - sum(share * share for share in own) for own in shares.values())
    own, others = spread / count, (fmean(within) if within else spread) * shared / count**2
    if own + others == 0.0:
        return 0.0
    freedom = (own + others) ** 2 / (own * own / (count - 1) + others * others / max(1, len(shares) - 1))
    return float(stdtrit(freedom, (1.0 + mass) / 2.0)) * sqrt(own + others)


def _verdict(interval: Interval | None) -> Verdict:
    if interval is None:
        return "not enough cases"
    return "better" if interval[0] > 0.0 else "worse" if interval[1] < 0.0 else "no difference"


def _text(verdict: Verdict, effect: float | None, interval: Interval | None, relationships: int, policy: ActionsPolicy) -> str:
    if effect is None or interval is None:
        return f"not enough cases: {relationships} with similar relationships to compare with, {policy.cases_min} are needed"
    low, high = interval
    than = "no different from" if verdict == "no difference" else f"{verdict} than"
    return f"{than} similar ones without, {policy.after_days} days later: {effect:+.1f} points [{low:+.1f}, {high:+.1f}]"
