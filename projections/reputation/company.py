"""The company's reputation: how high it stands, what it owes to which topic, and what each remedy would gain.

With F and A the capped, faded evidence for and against us over all relationships and a prior of k events at m,
level = 100 (F + k m) / (F + A + k), as every level of the scoring. A topic's *contribution* is 100 (F_t (1 - m) - A_t m) / (F + A + k):
the prior's mean and all contributions add up to the level. Its *cost* is the level without its harm, less the level; a remedy's *gain* is
the level recomputed with the harm partly gone: where the same things would still be done, and well, as evidence for us instead.
"""

from collections.abc import Callable
from functools import partial
from math import sqrt

import msgspec
import numpy as np
from scipy.special import ndtri

from projections.answers import Interval
from projections.moments import Moments
from projections.queries import Reader
from projections.reputation.conduct import COLUMNS
from projections.reputation.parties import parties
from projections.reputation.pool import Array, Pool, limit, pooled, spread
from projections.reputation.topics import TOPICS, Topic
from projections.scoring.evidence import beta_interval
from projections.scoring.policy import Policy, ReputationPolicy
from schemas.touchpoint import iso

FOR = np.array([name.startswith("for_") for name in COLUMNS])
PLACES = {name: place for place, name in enumerate(COLUMNS)}
HALF = 0.5
PRIOR_PARTIES = 4


class Driver(msgspec.Struct, frozen=True):
    """What one topic does to the level, in points. ``base`` + all contributions = level.

    harm: what goes wrong in it, in words. good, bad: capped events of evidence for and against us. parties: with how many something went
    wrong. cost: points lost by its harm.
    """

    topic: str
    harm: str
    good: float
    bad: float
    parties: int
    contribution: float
    cost: float
    interval: Interval


class Remedy(msgspec.Struct, frozen=True):
    """What the level would gain, in points, were a harm partly gone."""

    topic: str
    remedy: str
    gain: float
    interval: Interval


class Company(msgspec.Struct, frozen=True):
    """Our reputation with all counterparties. level: 0-100, of which ``base`` is what nothing known would give; evidence: capped events.

    drivers: the dearest first. remedies: the most helpful first.
    """

    level: float
    interval: Interval
    base: float
    parties: int
    evidence: float
    drivers: tuple[Driver, ...]
    remedies: tuple[Remedy, ...]
    as_of: str
    known_at: str
    policy: str


def company(reader: Reader, moments: Moments) -> Company:
    """The whole company, as of a moment."""
    policy = reader.policy_at(moments)
    evidence = parties(reader, moments).evidence
    pool = pooled(evidence, limit(evidence, policy.reputation))
    at, interval = leveled(pool, FOR, policy)
    return Company(
        level=at,
        interval=interval,
        base=round(100.0 * policy.reputation.prior_mean, 2),
        parties=pool.parties,
        evidence=round(float(pool.sums.sum()), 2),
        drivers=drivers(pool, policy),
        remedies=_remedies(pool, policy),
        as_of=iso(moments.at_us),
        known_at=iso(moments.knowledge_us),
        policy=policy.version,
    )


def leveled(pool: Pool, good: Array, policy: Policy) -> tuple[float, Interval]:
    """The level (0-100) and its interval. ``good``: which of the pool's columns speak for us.

    The variance is that between parties; where they are few, joined with that of as many independent events, as if ``PRIOR_PARTIES`` had
    shown it (the posterior mean under a scaled inverse chi-squared prior, Gelman et al. 2013, *Bayesian Data Analysis*, section 2.6).
    """
    figure = partial(_level, good=good, rule=policy.reputation)
    mean = float(figure(pool.sums)) / 100.0
    events = float(pool.sums.sum()) + policy.reputation.prior_events
    variance = mean * (1.0 - mean) / (events + 1.0)
    if pool.parties > 1:
        known = pool.parties - 1
        variance = (PRIOR_PARTIES * variance + known * spread(pool, figure) / 1e4) / (PRIOR_PARTIES + known)
        variance = min(variance, mean * (1.0 - mean) / 2.0)  # that of a Beta distribution worth one event
    low, high = beta_interval(mean, mean * (1.0 - mean) / variance - 1.0, policy.model.interval_mass)
    return round(100.0 * mean, 2), (round(100.0 * low, 2), round(100.0 * high, 2))


def drivers(pool: Pool, policy: Policy) -> tuple[Driver, ...]:
    """Every topic there is evidence in, the one whose harm costs most first."""
    rule, found = policy.reputation, []
    events = float(pool.sums.sum()) + rule.prior_events
    for topic in TOPICS:
        good = _of(pool.sums, f"for_{topic.name}")
        bad = _of(pool.sums, f"against_{topic.name}")
        if good + bad <= 0.0:
            continue
        cost, interval = _gain(pool, partial(_without, topic=topic), policy)
        contribution = 100.0 * (good * (1.0 - rule.prior_mean) - bad * rule.prior_mean) / events
        told = int(pool.touched[PLACES[f"against_{topic.name}"]])
        found.append(
            Driver(topic.name, topic.harm, round(good, 2), round(bad, 2), told, round(contribution, 3), round(cost, 2), _rounded(interval))
        )
    return tuple(sorted(found, key=lambda driver: -driver.cost))


def _remedies(pool: Pool, policy: Policy) -> tuple[Remedy, ...]:
    share = policy.reputation.remedied
    amount = "halved" if share == HALF else f"down by {share:.0%}"
    found = []
    for topic in TOPICS:
        if topic.remedied == "none" or _of(pool.sums, f"against_{topic.name}") <= 0.0:
            continue
        gain, interval = _gain(pool, partial(_remedied, topic=topic, share=share), policy)
        found.append(Remedy(topic.name, f"{topic.harm} {amount}", round(gain, 2), _rounded(interval)))
    return tuple(sorted(found, key=lambda remedy: -remedy.gain))


def _gain(pool: Pool, change: Callable[[Array], Array], policy: Policy) -> tuple[float, Interval]:
    """Points gained were the sums changed so, with the interval: normal, and a gain is never a loss."""
    figure = partial(_gained, change=change, rule=policy.reputation)
    gain = float(figure(pool.sums))
    wide = float(ndtri((1.0 + policy.model.interval_mass) / 2.0)) * sqrt(spread(pool, figure))
    return gain, (max(0.0, gain - wide), min(100.0, gain + wide))


def _gained(sums: Array, *, change: Callable[[Array], Array], rule: ReputationPolicy) -> Array:
    return _level(change(sums), FOR, rule) - _level(sums, FOR, rule)


def _level(sums: Array, good: Array, rule: ReputationPolicy) -> Array:
    """100 (F + k m) / (F + A + k) of sums in the last axis."""
    level: Array = 100.0 * (sums[..., good].sum(axis=-1) + rule.prior_events * rule.prior_mean) / (sums.sum(axis=-1) + rule.prior_events)
    return level


def _without(sums: Array, topic: Topic) -> Array:
    """The sums had nothing gone wrong in a topic."""
    changed = sums.copy()
    changed[..., PLACES[f"against_{topic.name}"]] = 0.0
    return changed


def _remedied(sums: Array, topic: Topic, share: float) -> Array:
    """The sums with a share of a topic's harm remedied."""
    changed = sums.copy()
    bad = PLACES[f"against_{topic.name}"]
    changed[..., bad] *= 1.0 - share
    if topic.remedied == "better":
        changed[..., PLACES[f"for_{topic.name}"]] += share * sums[..., bad]
    return changed


def _of(sums: Array, column: str) -> float:
    return float(sums[PLACES[column]]) if column in PLACES else 0.0


def _rounded(interval: Interval) -> Interval:
    return round(interval[0], 2), round(interval[1], 2)
