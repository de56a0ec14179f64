"""Cohorts: relationships that began alike, and how good they are later.

A cohort's quality is drawn towards the mean of all as far as its few members may only have been lucky (``shrinking.py``). Whether it is
*better* is told beside similar relationships: each member is held against those of its kind that began otherwise and are like it in what
else is known of how they were won (exact matching on strata; the difference is weighed by the cohort's members, as for the effect on the
treated, Imbens & Rubin 2015, *Causal Inference*, chapter 17), so that a channel is not praised for the segment it brings. Relationships
too young to be judged are left out and counted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from statistics import fmean
from typing import Any, Literal, NamedTuple

import msgspec

from projections.acquisition.began import NO_INCENTIVE, Began, By, Family, families
from projections.acquisition.shrinking import pooled_spread, shrunk
from projections.answers import Interval
from projections.scoring.evidence import DAY_US
from projections.scoring.policy import AcquisitionPolicy, Policy

Verdict = Literal["better", "worse", "not sure", "not enough cases"]
BESIDE: Mapping[By, tuple[str, ...]] = {
    "channel": ("segment", "incentive"),
    "segment": ("channel", "incentive"),
    "incentive": ("channel", "segment"),
    "first": ("channel", "segment"),
}
"""What relationships must have alike to be similar."""
SHARE_SCALE = 0.15  # of those still active, cohorts lie apart at first guess
VALUE_SCALE = 0.5  # ... and their mean values, in means of all


class Cohort(msgspec.Struct, frozen=True):
    """Relationships that began alike, ``horizon_days`` after the beginning.

    by, experience, cohort: what they have in common; ``experience`` of a first one alone, ``cohort`` null where it was not told.
    relationships: judged; young: not so old yet; unknown: old enough, and nothing is known of their quality.
    quality: 0-100, drawn towards ``base``, the mean of all of the kind; measured: the plain mean.
    similar: members that similar relationships are there for; beside: points more than these, its interval that of the policy's ``surely``
    on either side; gain_chance: the chance (0-1) that they are more by what the policy calls worth it.
    active_percent: that still buy, or that we still order from, drawn towards all. value, cost: the mean up to the horizon of the
    ``valued`` members with ``currency`` and ``basis``, the value drawn towards all.
    """

    kind: str
    by: By
    experience: str | None
    cohort: str | None
    horizon_days: int
    relationships: int
    young: int
    unknown: int
    base: float | None = None
    quality: float | None = None
    interval: Interval | None = None
    measured: float | None = None
    similar: int = 0
    beside: float | None = None
    beside_interval: Interval | None = None
    gain_chance: float | None = None
    verdict: Verdict = "not enough cases"
    active_percent: float | None = None
    active_interval: Interval | None = None
    value: float | None = None
    value_interval: Interval | None = None
    currency: str | None = None
    basis: str | None = None
    valued: int = 0
    cost: float | None = None


class Asked(NamedTuple):
    """What is asked about: relationships of a kind, so many days after they began, as of a moment (microseconds UTC)."""

    kind: str
    horizon_days: int
    at_us: int

    @property
    def last_day(self) -> int:
        """Who began later is too young to be judged."""
        return self.at_us // DAY_US - self.horizon_days


def cohorts(began: Iterable[Began], by: By, asked: Asked, policy: Policy) -> list[Cohort]:
    """The cohorts of one question, the best first in each family. ``began``: every relationship."""
    those = [one for one in began if one.kind == asked.kind]
    old = [one for one in those if one.begun_day <= asked.last_day]
    known = [one.quality for one in old if one.quality is not None]
    base = fmean(known) if known else None
    return [cohort for family in families(those, old, asked.kind, by) for cohort in _told(family, base, asked, policy)]


def _told(family: Family, base: float | None, asked: Asked, policy: Policy) -> list[Cohort]:
    """The cohorts of one family, drawn together."""
    rule, mass = policy.acquisition, policy.model.interval_mass
    old = {name: [one for one in members if one.begun_day <= asked.last_day] for name, members in family.members.items()}
    judged = {name: [one for one in members if one.quality is not None] for name, members in old.items()}
    blank = [
        Cohort(
            kind=members[0].kind,
            by=family.by,
            experience=family.experience,
            cohort=name,
            horizon_days=asked.horizon_days,
            relationships=len(judged[name]),
            young=len(members) - len(old[name]),
            unknown=len(old[name]) - len(judged[name]),
        )
        for name, members in family.members.items()
    ]
    names = [one.cohort for one in blank if one.relationships]
    qualities = [[one.quality for one in judged[name] if one.quality is not None] for name in names]
    spread = pooled_spread(qualities, rule.spread_points, rule.spread_relationships)
    means = [fmean(values) for values in qualities]
    errors = [spread / sqrt(len(values)) for values in qualities]
    levels = dict(zip(names, zip(means, shrunk(means, errors, rule.between_points), strict=True), strict=True))
    besides = _besides(family.by, {name: judged[name] for name in names}, spread, rule)
    actives, values = _actives(names, judged, mass), _values(names, judged, mass)
    found = []
    for one in blank:
        if one.cohort in levels:
            measured, level = levels[one.cohort]
            low, high = level.interval(mass)
            told = {
                "base": None if base is None else round(base, 2),
                "quality": round(level.mean, 2),
                "interval": (round(max(0.0, low), 2), round(min(100.0, high), 2)),
                "measured": round(measured, 2),
                **besides[one.cohort],
                **actives[one.cohort],
                **values[one.cohort],
            }
            one = msgspec.structs.replace(one, **told)  # noqa: PLW2901  # the same, with figures
        found.append(one)
    return sorted(found, key=lambda one: (one.quality is None, -(one.quality or 0.0), one.cohort or ""))


def _besides(
    by: By, judged: Mapping[str | None, Sequence[Began]], spread: float, rule: AcquisitionPolicy
) -> dict[str | None, dict[str, Any]]:
    """Each cohort beside similar relationships: points more, drawn towards none. Incentives are held against those who had none."""
    strata: dict[str | None, defaultdict[tuple[str | None, ...], list[float]]] = {}
    for name, members in judged.items():
        strata[name] = defaultdict(list)
        for one in members:
            if one.quality is not None:
                strata[name][tuple(one.won[other] for other in BESIDE[by])].append(one.quality)
    found: dict[str | None, dict[str, Any]] = {}
    gaps: dict[str | None, tuple[int, float, float]] = {}
    for name in judged:
        others = [other for other in judged if other != name and (by != "incentive" or NO_INCENTIVE in (name, other))]
        gap = _gap(strata[name], [strata[other] for other in others], spread)
        found[name] = {"similar": 0 if gap is None else gap[0]}
        if gap is not None and gap[0] >= rule.relationships_min and len(judged[name]) >= rule.relationships_min:
            gaps[name] = gap
    drawn = shrunk([gap for _, gap, _ in gaps.values()], [error for _, _, error in gaps.values()], rule.between_points, centre=0.0)
    for name, more in zip(gaps, drawn, strict=True):
        better, worse = more.above(rule.worth_points), 1.0 - more.above(-rule.worth_points)
        low, high = more.interval(rule.surely - (1.0 - rule.surely))
        found[name] |= {
            "beside": round(more.mean, 2),
            "beside_interval": (round(low, 2), round(high, 2)),
            "gain_chance": round(better, 4),
            "verdict": "better" if better >= rule.surely else "worse" if worse >= rule.surely else "not sure",
        }
    return found


Strata = Mapping[tuple[str | None, ...], Sequence[float]]


def _gap(members: Strata, others: Sequence[Strata], spread: float) -> tuple[int, float, float] | None:
    """How many members have similar ones, how much better they are in the mean, and the standard error of that."""
    pairs = [(values, [value for strata in others for value in strata.get(stratum, ())]) for stratum, values in members.items()]
    matched = [(len(values), fmean(values) - fmean(beside), 1.0 / len(values) + 1.0 / len(beside)) for values, beside in pairs if beside]
    count = sum(size for size, _, _ in matched)
    if not count:
        return None
    variance = sum((size / count) ** 2 * part for size, _, part in matched)
    return count, sum(size * gap for size, gap, _ in matched) / count, spread * sqrt(variance)


def _actives(names: Sequence[str | None], judged: Mapping[str | None, Sequence[Began]], mass: float) -> dict[str | None, dict[str, Any]]:
    """The share still active. The spread of a share is that of all together, so that none or all of few is no certainty."""
    every = [bool(one.active) for name in names for one in judged[name]]
    share = (sum(every) + 1.0) / (len(every) + 2.0)
    means = [fmean(bool(one.active) for one in judged[name]) for name in names]
    errors = [sqrt(share * (1.0 - share) / len(judged[name])) for name in names]
    found = {}
    for name, active in zip(names, shrunk(means, errors, SHARE_SCALE), strict=True):
        low, high = active.interval(mass)
        told = [round(100.0 * min(1.0, max(0.0, value)), 1) for value in (active.mean, low, high)]
        found[name] = {"active_percent": told[0], "active_interval": (told[1], told[2])}
    return found


def _values(names: Sequence[str | None], judged: Mapping[str | None, Sequence[Began]], mass: float) -> dict[str | None, dict[str, Any]]:
    """Mean value and cost, of those in the currency and on the basis that most have."""
    told_in = Counter((one.currency, one.basis) for name in names for one in judged[name] if one.value is not None)
    if not told_in:
        return {name: {} for name in names}
    currency, basis = max(told_in, key=lambda pair: (told_in[pair], pair))
    members = {
        name: [one for one in judged[name] if one.value is not None and (one.currency, one.basis) == (currency, basis)] for name in names
    }
    with_value = [name for name in names if members[name]]
    amounts = [[one.value or 0.0 for one in members[name]] for name in with_value]
    mean = abs(fmean(value for values in amounts for value in values)) or 1.0
    spread = pooled_spread(amounts, mean, 1.0)
    means, errors = [fmean(values) for values in amounts], [spread / sqrt(len(values)) for values in amounts]
    found: dict[str | None, dict[str, Any]] = {name: {"currency": currency, "basis": basis} for name in names}
    for name, value in zip(with_value, shrunk(means, errors, VALUE_SCALE * mean), strict=True):
        low, high = value.interval(mass)
        found[name] |= {
            "value": round(value.mean, 2),
            "value_interval": (round(low, 2), round(high, 2)),
            "valued": len(members[name]),
            "cost": round(fmean(one.cost or 0.0 for one in members[name]), 2),
        }
    return found
