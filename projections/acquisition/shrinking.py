"""Drawing the means of few towards the mean of all: what looks good by chance does not stay so.

Measured means y with standard errors s are of true means that lie around a centre with a spread t: y ~ N(true, s^2), true ~ N(centre, t^2).
The spread is not known: a half-normal prior on it is weighed with the likelihood on a grid, and all is averaged over it, so that the
intervals know that it is not known (hierarchical normal model, Gelman et al. 2013, *Bayesian Data Analysis*, section 5.4; Morris 1983,
*Parametric empirical Bayes inference*). Because all means are drawn together, many cohorts need no correction for being many (Gelman,
Hill & Yajima 2012, *Why we (usually) don't have to worry about multiple comparisons*).
"""

from collections.abc import Sequence
from math import sqrt

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from projections.answers import Interval

Array = NDArray[np.float64]
GRID = 64  # spreads looked at
WIDEST = 4.0  # the largest of them, in scales of the prior
STEPS = 30  # halvings of where a bound may lie: to 1e-8 of it
REACH = 12.0  # standard deviations within which a bound lies


class Posterior(msgspec.Struct, frozen=True):
    """What is known of one true mean: a mixture of normal distributions, one for each spread of the grid.

    weights: of the spreads; they add up to 1. means, sds: by spread.
    """

    weights: Array
    means: Array
    sds: Array

    @property
    def mean(self) -> float:
        return float(self.weights @ self.means)

    def above(self, value: float) -> float:
        """The chance (0-1) that the true mean is above ``value``."""
        return float(self.weights @ ndtr((self.means - value) / self.sds))

    def interval(self, mass: float) -> Interval:
        """The central interval of this probability."""
        tail = (1.0 - mass) / 2.0
        return self._quantile(tail), self._quantile(1.0 - tail)

    def _quantile(self, share: float) -> float:
        low, high = float(np.min(self.means - REACH * self.sds)), float(np.max(self.means + REACH * self.sds))
        for _ in range(STEPS):
            middle = (low + high) / 2.0
            low, high = (low, middle) if self.above(middle) < 1.0 - share else (middle, high)
        return (low + high) / 2.0


def shrunk(means: Sequence[float], errors: Sequence[float], scale: float, *, centre: float | None = None) -> list[Posterior]:
    """What is known of each true mean, in the order given.

    Args:
        means: as measured.
        errors: the standard error of each, > 0.
        scale: of the half-normal prior of the spread between true means, > 0, in the unit of the means.
        centre: what the true means lie around; None: it is not known either, and any is as likely before the means are seen.
    """
    if not means:
        return []
    measured, variances = np.array(means, float), np.array(errors, float) ** 2
    spreads = scale * WIDEST * (np.arange(GRID) + 0.5) / GRID
    total = variances[np.newaxis, :] + spreads[:, np.newaxis] ** 2  # by spread and mean
    precision = (1.0 / total).sum(axis=1)
    middle = (measured / total).sum(axis=1) / precision if centre is None else np.full(GRID, centre)
    loglik = -0.5 * (np.log(total) + (measured - middle[:, np.newaxis]) ** 2 / total).sum(axis=1)
    loose = 1.0 / precision if centre is None else np.zeros(GRID)  # the variance of the centre
    if centre is None:
        loglik -= 0.5 * np.log(precision)
    logged = loglik - 0.5 * (spreads / scale) ** 2
    weights = np.exp(logged - logged.max())
    weights /= weights.sum()
    kept = spreads[:, np.newaxis] ** 2 / total  # the share of a mean's distance from the centre that is believed
    found = middle[:, np.newaxis] + kept * (measured - middle[:, np.newaxis])
    sds = np.sqrt(kept * variances + (1.0 - kept) ** 2 * loose[:, np.newaxis])
    return [Posterior(weights, found[:, place], sds[:, place]) for place in range(len(measured))]


def pooled_spread(groups: Sequence[Sequence[float]], guess: float, worth: float) -> float:
    """The standard deviation within groups, all taken to be alike; ``guess`` counts as if ``worth`` members had shown it."""
    squares, free = worth * guess * guess, worth
    for values in groups:
        if len(values) > 1:
            found = np.asarray(values, float)
            squares += float(((found - found.mean()) ** 2).sum())
            free += len(values) - 1
    return sqrt(squares / free)
