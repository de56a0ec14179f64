"""Adding parties up so that nobody dominates, and telling how sure a figure made of the sums is.

A party's voice is capped: the evidence of one that would count for more is scaled down as a whole, so the mix of its topics stays. The
spread between parties, not the number of events, says how sure the sums are: events of one party are not independent of one another
(Kish 1965, *Survey Sampling*, on clusters). A figure's variance comes from its gradient and the covariance of the sums (delta method;
for a ratio of sums this is Taylor linearization, Woodruff 1971).
"""

from collections.abc import Callable
from math import ceil, inf

import msgspec
import numpy as np
from numpy.typing import NDArray

from projections.scoring.policy import ReputationPolicy

Array = NDArray[np.float64]
TINY = 1e-12  # events of evidence
STEP = 1e-4  # of the central differences, in shares of all evidence


class Pool(msgspec.Struct, frozen=True):
    """Sums over parties.

    parties: how many have any evidence. sums: by column. products: sums of the products of each two columns. touched: how many parties
    have something in each column.
    """

    parties: int
    sums: Array
    products: Array
    touched: NDArray[np.int64]


def limit(columns: Array, rule: ReputationPolicy) -> float:
    """The most events of evidence a party may count for.

    Not above ``party_events_max``, and so that nobody counts for more than ``party_share_max`` of all evidence and the prior together, or
    for twice an equal share where that is more. Found by water-filling from the largest party down.
    """
    evidence = columns.sum(axis=1)
    largest = np.sort(evidence[evidence > 0.0])[::-1]
    share = max(rule.party_share_max, min(1.0, 2.0 / max(1, len(largest))))
    rest = float(largest.sum()) + rule.prior_events
    found = rule.party_events_max
    for capped in range(min(ceil(1.0 / share), len(largest))):
        found = share * rest / (1.0 - share * capped)
        if found >= largest[capped]:
            break
        rest -= float(largest[capped])
    return min(rule.party_events_max, found)


def pooled(columns: Array, most: float) -> Pool:
    """The sums of ``columns`` (a row a party, all columns events of evidence) with nobody counting for more than ``most`` events."""
    evidence = columns.sum(axis=1, dtype=float)
    scale = np.minimum(1.0, most / np.maximum(evidence, TINY))
    capped = columns * scale[:, np.newaxis]
    return Pool(int((evidence > 0.0).sum()), capped.sum(axis=0), capped.T @ capped, (columns > 0.0).sum(axis=0))


def spread(pool: Pool, figure: Callable[[Array], Array]) -> float:
    """The variance of a figure of the sums.

    ``figure`` takes sums in its last axis and gives a number for each row of the others. Of fewer than two parties nothing is known: inf.
    """
    if pool.parties < 2:  # noqa: PLR2004  # a spread needs two
        return inf
    steps = np.eye(len(pool.sums)) * (STEP * max(1.0, float(pool.sums.sum())))
    gradient = (figure(pool.sums + steps) - figure(pool.sums - steps)) / (2.0 * steps.diagonal())
    between = pool.products - np.outer(pool.sums, pool.sums) / pool.parties
    return max(0.0, float(gradient @ between @ gradient)) * pool.parties / (pool.parties - 1)
