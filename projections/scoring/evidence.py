"""The arithmetic of evidence: it fades, it adds up, and little of it gives a wide interval.

Forward decay (Cormode et al. 2009): evidence of weight w that happened at t is kept as ``w * 2 ** ((t - LANDMARK) / half_life)``, so
sums never need touching as time passes and do not depend on the order of arrival. The sum at a later moment is the kept sum times
``2 ** -((moment - LANDMARK) / half_life)``. Doubles reach 1023 half-lives from the landmark, sums of squares half as many: 42 years at
30 days.

Level = (R + k m) / (R + S + k), the mean of a Beta distribution with decayed evidence for (R) and against (S) and a prior of k events at
the peers' mean m (Josang & Ismail 2002).
"""

from datetime import timedelta
from functools import lru_cache
from math import exp2

import msgspec
from scipy.special.cython_special import betaincinv  # the ufunc's own code for a single number, a third quicker

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LANDMARK_US = 1_577_836_800_000_000  # 2020-01-01


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """What one touchpoint says about one dimension: events of evidence for and against, and whether it was our own conduct."""

    plus: float
    minus: float
    ours: bool = False


def graded(weight: float, level: float, *, ours: bool = False) -> Evidence:
    """Evidence of ``weight`` events that speak for ``level`` (0-1)."""
    return Evidence(weight * level, weight * (1.0 - level), ours)


def kept(at_us: int, half_life_us: float) -> float:
    """What one event of evidence at ``at_us`` adds to a forward-decayed sum."""
    return exp2((at_us - LANDMARK_US) / half_life_us)


def faded(moment_us: int, half_life_us: float) -> float:
    """The factor from a forward-decayed sum to its value at ``moment_us``."""
    return exp2((LANDMARK_US - moment_us) / half_life_us)


@lru_cache(maxsize=1_024)
def fades(moment_us: int, half_lives_us: tuple[float, ...]) -> tuple[float, ...]:
    """``faded`` of several half-lives; remembered, since many rows are published as of one moment, or of one day."""
    return tuple([faded(moment_us, half_life) for half_life in half_lives_us])


def beta_interval(mean: float, events: float, mass: float) -> tuple[float, float]:
    """The central interval of probability ``mass`` of the Beta distribution with this mean (0-1, open) worth so many events (> 0)."""
    tail = (1.0 - mass) / 2.0
    a, b = mean * events, (1.0 - mean) * events
    return betaincinv(a, b, tail), betaincinv(a, b, 1.0 - tail)
