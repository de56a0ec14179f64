"""BG/NBD as its authors use it, fitted to a whole population: what our own purchase model is held against.

Source: Fader, Hardie & Lee (2005), *Counting Your Customers the Easy Way*.

P(no purchase in the next t) needs no integral: a purchase is the only moment to drop out, so having bought x times until t_x and not
until T + t has the likelihood of the same history watched until T + t, and the ratio of the two is the probability asked for.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

from projections.scoring.bgnbd import History, Parameters

DROPOUT_EVIDENCE = 3.0  # log-likelihood that dropout must add to be believed: chi-squared of 2 degrees of freedom at 5 %, halved

Array = NDArray[np.float64]


class Fitted(msgspec.Struct, frozen=True):
    """The most likely parameters, and the logarithm of their likelihood."""

    parameters: Parameters
    log_likelihood: float


def purchase_probability(history: History, ahead: float, parameters: Parameters) -> float:
    """P(at least one purchase in the next ``ahead``), 0 to 1."""
    logs = np.log([value for value in msgspec.structs.astuple(parameters) if value is not None])
    now, later = (tuple(np.array(history._replace(watched=history.watched + more)).reshape(3, 1)) for more in (0.0, ahead))
    return float(-np.expm1(_cost(logs, now) - _cost(logs, later)))


def fit(histories: Sequence[History]) -> Fitted:
    """The parameters of a population; without dropout where the histories do not show any."""
    x, last, watched = np.array(histories, dtype=float).T
    unit = float(watched.mean()) or 1.0  # the search runs in units of the mean, so that any unit of time is found as well
    known = x, last / unit, watched / unit
    with_dropout = _search(known, [(0.0, 0.0, 0.0, 1.0), (-1.0, -1.0, -0.5, 0.5), (0.5, 0.0, -1.0, 2.0)])
    without = _search(known, [(0.0, 0.0), (-1.0, -1.0)])
    best = with_dropout if with_dropout.log_likelihood - without.log_likelihood > DROPOUT_EVIDENCE else without
    found = best.parameters
    return Fitted(msgspec.structs.replace(found, alpha=found.alpha * unit), best.log_likelihood - float(x.sum()) * np.log(unit))


def _search(known: tuple[Array, ...], starts: Sequence[tuple[float, ...]]) -> Fitted:
    """The best of several climbs, in the logarithms of the parameters."""
    climbs = [minimize(_cost, start, args=(known,), method="L-BFGS-B", bounds=[(-12.0, 12.0)] * len(start)) for start in starts]
    found = min(climbs, key=lambda climb: float(climb.fun))
    return Fitted(Parameters(*(float(value) for value in np.exp(found.x))), -float(found.fun))


def _cost(logs: Array, known: tuple[Array, ...]) -> float:
    """Minus the log-likelihood of the population."""
    x, last, watched = known
    r, alpha = np.exp(logs[:2])
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    alive = -(r + x) * np.log(alpha + watched)
    if len(logs) == 2:  # r and alpha alone: no dropout
        return -float((common + alive).sum())
    a, b = np.exp(logs[2:])
    alive = alive + betaln(a, b + x) - betaln(a, b)
    repeats = np.maximum(x, 1.0)
    gone = np.where(x > 0, betaln(a + 1.0, b + repeats - 1.0) - betaln(a, b) - (r + x) * np.log(alpha + last), -np.inf)
    return -float((common + np.logaddexp(alive, gone)).sum())
