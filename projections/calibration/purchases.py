"""Fit the purchase model: half-life, shape, rate, what a first purchase counts for, and leaving, to whether customers bought again.

From moments in the earlier part, every customer so far is asked about: did they buy within the horizon? The parameters are those that make
the answers likeliest, held near the policy in force by a wide prior on their logarithms (a posterior mode): little data moves them little.
The formula is ``scoring.commitment.outlook``, for many customers at once; a test holds them together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from projections.calibration.measures import Floats, losses
from projections.calibration.observed import History
from projections.scoring.commitment import PROBABILITY_MAX
from projections.scoring.evidence import DAY_US
from projections.scoring.policy import PurchasesPolicy
from schemas.catalogue import Purchase

FITTED = ("half_life_days", "shape", "rate_days", "first", "leaving")
SPREAD = np.array([1.0, 1.0, 1.0, 1.0, 2.0])  # standard deviation of the prior on each logarithm: e times more or less is no surprise
LEAST = np.array([7.0, 0.01, 1.0, 0.01, 1e-3])  # of each parameter
MOST = np.array([3650.0, 50.0, 3650.0, 1.0, 5.0])
MOMENTS_A_HORIZON = 3  # moments asked from per horizon; their answers overlap, so each counts for a third
MOMENTS_MAX = 12
DIGITS = 3  # significant ones of a fitted number

Ints = NDArray[np.int64]


class Bought(NamedTuple):
    """One customer: the days with a purchase since 1970 UTC, in order, and what was spent up to each, whatever the currency."""

    days: Ints
    spent: Floats


class Asked(NamedTuple):
    """Customers asked about from some moments: the ages in days of their purchase days (``age`` of customer ``whose``), and the answers.

    moment, history: the number of the moment and of the customer's history.
    """

    whose: Ints
    age: Floats
    since_first: Floats
    since_last: Floats
    spent: Floats
    happened: Floats
    moment: Ints
    history: Ints


def bought(history: History) -> Bought:
    """The purchases of a customer; none of a partner."""
    told = [event for event in history.events if history.kind == "customer" and isinstance(event.data, Purchase)]
    days, place = np.unique([event.occurred_us // DAY_US for event in told], return_inverse=True)
    spent = [float(event.data.amount.amount) for event in told if isinstance(event.data, Purchase)]
    return Bought(days.astype(np.int64), np.cumsum(np.bincount(place, spent, minlength=len(days))) if told else np.empty(0))


def ask(customers: Sequence[Bought], moments: Sequence[int], horizon_days: float) -> Asked:
    """Of every customer with a purchase before a moment (a day since 1970 UTC): whether they bought in the horizon from it on."""
    whose, ages = [np.empty(0, np.int64)], [np.empty(0)]
    rows: list[tuple[float, ...]] = []
    for place, moment in enumerate(moments):
        for number, (days, spent) in enumerate(customers):
            before = int(np.searchsorted(days, moment))
            if before == 0:
                continue
            whose.append(np.full(before, len(rows)))
            ages.append((moment - days[:before]).astype(float))
            again = before < len(days) and days[before] < moment + horizon_days
            rows.append((moment - days[0], moment - days[before - 1], spent[before - 1], again, place, number))
    first, last, money, happened, place_, number_ = np.array(rows, float).reshape(len(rows), 6).T
    return Asked(
        np.concatenate(whose), np.concatenate(ages), first, last, money, happened, place_.astype(np.int64), number_.astype(np.int64)
    )


def moments_before(split: int, first: int, horizon_days: float) -> list[int]:
    """The moments to fit from (days): the last one a horizon before the split, so that the fit knows nothing of what is behind it."""
    step = max(1.0, horizon_days / MOMENTS_A_HORIZON)
    days = (round(split - horizon_days - number * step) for number in range(MOMENTS_MAX))
    return [day for day in days if day > first]


def chances(asked: Asked, policy: PurchasesPolicy) -> Floats:
    """P(at least one purchase within the horizon) of each."""
    return _chances(asked, np.array([getattr(policy, name) for name in FITTED]), policy)


def fit(asked: Asked, policy: PurchasesPolicy) -> PurchasesPolicy:
    """The parameters that make the answers likeliest, near ``policy``."""
    centre = np.log(np.clip([getattr(policy, name) for name in FITTED], LEAST, MOST))

    def cost(logs: Floats) -> float:
        loss = losses(_chances(asked, np.exp(logs), policy), asked.happened).sum() / MOMENTS_A_HORIZON
        return float(loss + 0.5 * (((logs - centre) / SPREAD) ** 2).sum())

    bounds = list(zip(np.log(LEAST), np.log(MOST), strict=True))
    found = np.exp(minimize(cost, centre, method="L-BFGS-B", bounds=bounds).x)
    changes = {name: float(f"{value:.{DIGITS}g}") for name, value in zip(FITTED, found, strict=True)}
    if found[-1] <= LEAST[-1] * 1.01:
        changes["leaving"] = 0.0
    return msgspec.structs.replace(policy, **changes)


def unknown(policy: PurchasesPolicy) -> float:
    """P(a purchase within the horizon) of a customer nothing is known of, to four digits; never certain, whatever the others do."""
    chance: float = 1.0 - (policy.rate_days / (policy.rate_days + policy.horizon_days)) ** policy.shape
    return min(PROBABILITY_MAX, max(1.0 - PROBABILITY_MAX, round(chance, 4)))


def _chances(asked: Asked, parameters: Floats, policy: PurchasesPolicy) -> Floats:
    half_life, shape, rate_days, first, leaving = parameters
    bought = np.bincount(asked.whose, np.exp2(-asked.age / half_life), minlength=len(asked.happened))
    counted = np.maximum(0.0, bought - (1.0 - first) * np.exp2(-asked.since_first / half_life))
    rate = rate_days + _exposure(asked.since_first, half_life)
    none = np.exp(-(shape + counted) * np.log1p(policy.horizon_days / rate))
    with np.errstate(over="ignore"):
        then = bought * np.exp2(np.minimum(1000.0, asked.since_last / half_life))
        until = asked.since_first - asked.since_last
        counted_then = np.maximum(0.0, then - (1.0 - first) * np.exp2(-until / half_life))
        said = policy.steady * (shape + counted_then) * np.log1p(asked.since_last / (rate_days + _exposure(until, half_life)))
        left = leaving / (1.0 + then) * np.exp(np.minimum(700.0, said))
    return (1.0 - none) / (1.0 + left)  # type: ignore[no-any-return]


def _exposure(days: Floats, half_life: float) -> Floats:
    return half_life / np.log(2.0) * (1.0 - np.exp2(-days / half_life))  # type: ignore[no-any-return]
