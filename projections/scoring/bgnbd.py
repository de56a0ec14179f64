"""How often a customer will buy: the BG/NBD model in closed form.

Source: Fader, Hardie & Lee (2005), *Counting Your Customers the Easy Way*.

While alive a customer buys at a rate drawn from Gamma(r, alpha); after each purchase they drop out with a probability from Beta(a, b).
What is known of one: x repeat purchases, the last at t_x, watched until T, all from the first purchase on, in one unit of time.

P(no purchase in the next t) needs no integral: a purchase is the only moment to drop out, so having bought x times until t_x and not
until T + t has the likelihood of the same history watched until T + t, and the ratio of the two is the probability asked for.
P(alive) is not offered: it is 1 for every one-time buyer and ranks worse than chance.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, hyp2f1

CUSTOMERS_MIN = 50  # fewer tell nothing about a population
DROPOUT_EVIDENCE = 3.0  # log-likelihood that dropout must add to be believed: chi-squared of 2 degrees of freedom at 5 %, halved
SINGULAR = 1e-4  # how near 1 ``a`` may be: the closed form of the expectation is 0 / 0 there, the mean of its two sides is not

Array = NDArray[np.float64]


class Parameters(msgspec.Struct, frozen=True):
    """Of a population. ``alpha`` in the unit of time; without dropout (``a`` and ``b`` None) the model is the NBD."""

    r: float
    alpha: float
    a: float | None = None
    b: float | None = None


class History(NamedTuple):
    """Of one customer: repeat purchases (whole unless they fade), the last, and the end of watching, in time since the first purchase."""

    repeats: float
    last: float
    watched: float


class Fitted(msgspec.Struct, frozen=True):
    """The most likely parameters, and the logarithm of their likelihood."""

    parameters: Parameters
    log_likelihood: float


def purchase_probability(history: History, ahead: float, parameters: Parameters) -> float:
    """P(at least one purchase in the next ``ahead``), 0 to 1."""
    x, _, watched = history
    r, alpha = parameters.r, parameters.alpha
    stays = ((alpha + watched) / (alpha + watched + ahead)) ** (r + x)
    gone = _odds_gone(history, parameters)
    return float(1.0 - (stays + gone) / (1.0 + gone))


def expected_purchases(history: History, ahead: float, parameters: Parameters) -> float:
    """The expected number of purchases in the next ``ahead``. Source: Fader, Hardie & Lee (2005), equation 10."""
    x, _, watched = history
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b
    if a is None or b is None:
        return (r + x) / (alpha + watched) * ahead
    if abs(a - 1.0) < SINGULAR / 2.0:
        sides = (msgspec.structs.replace(parameters, a=1.0 + side) for side in (-SINGULAR, SINGULAR))
        return sum(expected_purchases(history, ahead, side) for side in sides) / 2.0
    z = ahead / (alpha + watched + ahead)
    series = hyp2f1(r + x, b + x, a + b + x - 1.0, z)
    lost = ((alpha + watched) / (alpha + watched + ahead)) ** (r + x) * series
    return float((a + b + x - 1.0) / (a - 1.0) * (1.0 - lost) / (1.0 + _odds_gone(history, parameters)))


def fit(histories: Sequence[History]) -> Fitted | None:
    """The parameters of a population; without dropout where the histories do not show any. None for fewer than ``CUSTOMERS_MIN``."""
    if len(histories) < CUSTOMERS_MIN:
        return None
    x, last, watched = np.array(histories, dtype=float).T
    unit = float(watched.mean()) or 1.0  # the search runs in units of the mean, so that any unit of time is found as well
    known = x, last / unit, watched / unit
    with_dropout = _search(known, [(0.0, 0.0, 0.0, 1.0), (-1.0, -1.0, -0.5, 0.5), (0.5, 0.0, -1.0, 2.0)])
    without = _search(known, [(0.0, 0.0), (-1.0, -1.0)])
    best = with_dropout if with_dropout.log_likelihood - without.log_likelihood > DROPOUT_EVIDENCE else without
    found = best.parameters
    return Fitted(msgspec.structs.replace(found, alpha=found.alpha * unit), best.log_likelihood - float(x.sum()) * np.log(unit))


def _odds_gone(history: History, parameters: Parameters) -> float:
    """P(gone) / P(alive), given the history."""
    x, last, watched = history
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b
    if x == 0 or a is None or b is None:
        return 0.0
    return float(a / (b + x - 1.0) * ((alpha + watched) / (alpha + last)) ** (r + x))


def _search(known: tuple[Array, Array, Array], starts: Sequence[tuple[float, ...]]) -> Fitted:
    """The best of several climbs, in the logarithms of the parameters."""
    from scipy.optimize import minimize  # noqa: PLC0415  # a third of a second that only calibration needs

    found = min(
        (minimize(_cost, start, args=(known,), method="L-BFGS-B", bounds=[(-12.0, 12.0)] * len(start)) for start in starts), key=_fun
    )
    return Fitted(Parameters(*(float(value) for value in np.exp(found.x))), -float(found.fun))


def _fun(result: object) -> float:
    return float(result.fun)  # type: ignore[attr-defined]  # scipy's OptimizeResult


def _cost(logs: Array, known: tuple[Array, Array, Array]) -> float:
    """Minus the log-likelihood of the population."""
    x, last, watched = known
    r, alpha = np.exp(logs[:2])
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    alive = -(r + x) * np.log(alpha + watched)
    if len(logs) == 2:  # noqa: PLR2004  # r and alpha alone: no dropout
        return -float((common + alive).sum())
    a, b = np.exp(logs[2:])
    alive = alive + betaln(a, b + x) - betaln(a, b)
    repeats = np.maximum(x, 1.0)
    gone = np.where(x > 0, betaln(a + 1.0, b + repeats - 1.0) - betaln(a, b) - (r + x) * np.log(alpha + last), -np.inf)
    return -float((common + np.logaddexp(alive, gone)).sum())
