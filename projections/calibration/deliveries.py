"""Fit the delivery level: half-life, peers' mean and what it is worth, to whether the next delivery came on time and in full.

Every delivery in the earlier part is foretold from those before it, by the level's own formula (R + k m) / (R + S + k) with faded evidence;
the numbers are those that make what came likeliest, held near the policy in force as in ``purchases``.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from projections.calibration.measures import Floats, losses
from projections.calibration.observed import History
from projections.scoring.delivery import delivery
from projections.scoring.evidence import DAY_US
from projections.scoring.policy import DimensionPolicy, Policy
from schemas.catalogue import Delivery

FITTED = ("half_life_days", "prior_mean", "prior_events")
LEAST, MOST = np.array([7.0, 0.01, 0.2]), np.array([3650.0, 0.99, 50.0])
SPREAD = 1.0  # standard deviation of the prior on the logarithms, of the mean on its log odds
DELIVERIES_MAX = 500  # of one partner, the newest
DIGITS = 3


class Delivered(NamedTuple):
    """Deliveries of partners, a row each, padded: days since the row's first, evidence for and against, and whether on time and in full."""

    day: Floats
    plus: Floats
    minus: Floats
    happened: Floats
    there: NDArray[np.bool_]


def on_time_in_full(data: Delivery, full_slack: float) -> bool:
    """As promised: not late, and all of it but for the share that may be missing."""
    if data.delivered_at > data.promised_at:
        return False
    if not data.quantity_promised or data.quantity_delivered is None:
        return True
    return data.quantity_delivered / data.quantity_promised >= 1.0 - full_slack


def deliveries(histories: Sequence[History], until_us: int, policy: Policy) -> Delivered:
    """All deliveries by partners before a moment (microseconds UTC)."""
    rows = []
    for one in histories:
        told = []
        for event in one.events:
            if one.kind == "partner" and event.occurred_us < until_us and isinstance(event.data, Delivery):
                evidence = delivery(event.data, policy)
                if evidence is not None:
                    kept = on_time_in_full(event.data, policy.delivery.full_slack)
                    told.append((event.occurred_us / DAY_US, evidence.plus, evidence.minus, float(kept)))
        if told:
            rows.append(np.array(told[-DELIVERIES_MAX:]))
    width = max(map(len, rows), default=0)
    there = np.array([np.arange(width) < len(row) for row in rows], bool).reshape(len(rows), width)
    found = np.zeros((4, len(rows), width))
    for number, row in enumerate(rows):
        found[:, number, : len(row)] = row.T
        found[0, number] -= row[0, 0]
        found[0, number, len(row) :] = 0.0
    return Delivered(found[0], found[1], found[2], found[3], there)


def foretold(told: Delivered, half_life_days: float, prior_mean: float, prior_events: float) -> Floats:
    """The level before each delivery, rows as in ``told``."""
    kept = np.exp2(told.day / half_life_days)  # forward decay from the row's first; its squares are not needed
    before = [np.cumsum(part * kept, axis=1) - part * kept for part in (told.plus, told.minus)]
    plus, minus = (part / kept for part in before)
    return (plus + prior_events * prior_mean) / (plus + minus + prior_events)


def fit(told: Delivered, policy: DimensionPolicy) -> DimensionPolicy:
    """The numbers that make what came likeliest, near ``policy``."""
    span = float(told.day.max(initial=0.0))
    least = np.maximum(LEAST, [span / 500.0, 0.0, 0.0])  # a double holds a thousand half-lives
    centre = _free(np.clip([getattr(policy, name) for name in FITTED], least, MOST))

    def cost(free: Floats) -> float:
        loss = losses(foretold(told, *_bound(free))[told.there], told.happened[told.there]).sum()
        return float(loss + 0.5 * (((free - centre) / SPREAD) ** 2).sum())

    bounds = list(zip(_free(least), _free(MOST), strict=True))
    found = _bound(minimize(cost, centre, method="L-BFGS-B", bounds=bounds).x)
    return msgspec.structs.replace(policy, **{name: float(f"{value:.{DIGITS}g}") for name, value in zip(FITTED, found, strict=True)})


def _free(numbers: Floats) -> Floats:
    half_life, mean, events = numbers
    return np.array([np.log(half_life), np.log(mean / (1.0 - mean)), np.log(events)])


def _bound(free: Floats) -> tuple[float, float, float]:
    return float(np.exp(free[0])), float(1.0 / (1.0 + np.exp(-free[1]))), float(np.exp(free[2]))
