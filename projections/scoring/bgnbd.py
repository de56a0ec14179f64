"""How often a customer will buy: the BG/NBD model in closed form.

Source: Fader, Hardie & Lee (2005), *Counting Your Customers the Easy Way*.

While alive a customer buys at a rate drawn from Gamma(r, alpha); after each purchase they drop out with a probability from Beta(a, b).
What is known of one: x repeat purchases, the last at t_x, watched until T, all from the first purchase on, in one unit of time.

P(alive) is not offered: it is 1 for every one-time buyer and ranks worse than chance.
"""

from typing import NamedTuple

import msgspec
from scipy.special import hyp2f1

SINGULAR = 1e-4  # how near 1 ``a`` may be: the closed form of the expectation is 0 / 0 there, the mean of its two sides is not


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


def _odds_gone(history: History, parameters: Parameters) -> float:
    """P(gone) / P(alive), given the history."""
    x, last, watched = history
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b
    if x == 0 or a is None or b is None:
        return 0.0
    return float(a / (b + x - 1.0) * ((alpha + watched) / (alpha + last)) ** (r + x))
