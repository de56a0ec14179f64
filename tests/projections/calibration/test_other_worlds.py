"""Where customers and suppliers are of other kinds than the sample, calibration keeps the levels beside the best plain figure.

Each world is one that the models were not made for: regular rhythms, heavy tails, bursts, buyers of one time, suppliers that never change.
Judged out of sample as ``rledger calibrate`` does it. ``docs/method.md`` has the table.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from projections.calibration.calibrate import Answered, calibrate, split
from projections.calibration.observed import observed
from schemas import catalogue as c
from tests.projections.calibration.populations import Bought, delivered, numbered, purchases
from tests.projections.events import DAY, NOW, POLICY

SPLIT = NOW // DAY * DAY - 400 * DAY
HORIZON = POLICY.purchases.horizon_days
BEFORE_DAYS, AFTER_DAYS = 400.0, 200.0
Rng = np.random.Generator


class Buyers(NamedTuple):
    """What a customer's usual gap is (days), how long one gap is, and the chance of leaving after a purchase."""

    usual: Callable[[Rng], float]
    gap: Callable[[Rng, float], float]
    leaving: Callable[[Rng], float]


BUYERS = {
    "weekly groceries": Buyers(lambda rng: 7 * rng.lognormal(0, 0.4), lambda rng, usual: rng.gamma(4, usual / 4), lambda _: 0.02),
    "monthly, regular": Buyers(lambda rng: 30 * rng.lognormal(0, 0.4), lambda rng, usual: rng.gamma(6, usual / 6), lambda _: 0.06),
    "mostly once": Buyers(
        lambda rng: rng.gamma(0.8, 100) + 10, lambda rng, usual: rng.exponential(usual), lambda rng: 0.85 if rng.random() < 0.8 else 0.15
    ),
    "heavy tails": Buyers(lambda rng: 20 * rng.lognormal(0, 0.8), lambda rng, usual: usual * rng.lognormal(-0.7, 1.2), lambda _: 0.04),
    "in bursts": Buyers(
        lambda rng: 4 * rng.lognormal(0, 0.4), lambda rng, usual: rng.exponential(usual if rng.random() < 0.75 else 60), lambda _: 0.03
    ),
    "nobody leaves": Buyers(lambda rng: 60 * rng.lognormal(0, 0.9), lambda rng, usual: rng.exponential(usual), lambda _: 0.0),
}


class Suppliers(NamedTuple):
    """How many, days between their deliveries, how reliable one is, and the chance at a delivery that this is drawn anew."""

    suppliers: int
    gap: Callable[[Rng], float]
    reliable: Callable[[Rng], float]
    changes: float


def _either(rng: Rng) -> float:
    return 0.95 if rng.random() < 0.7 else 0.4


SUPPLIERS = {
    "few deliveries, never change": Suppliers(150, lambda _: 90.0, lambda rng: rng.beta(4, 1), 0.0),
    "few deliveries, change": Suppliers(150, lambda _: 90.0, _either, 0.1),
    "many deliveries, never change": Suppliers(40, lambda _: 6.0, lambda rng: rng.beta(4, 1), 0.0),
    "many deliveries, change": Suppliers(40, lambda _: 6.0, _either, 0.02),
    "few and many": Suppliers(80, lambda rng: float(rng.choice([3, 15, 90])), _either, 0.03),
}


def customers(world: Buyers, count: int, seed: int) -> Answered:
    rng, found = np.random.default_rng(seed), {}
    for number in range(count):
        usual, leaving = world.usual(rng), world.leaving(rng)
        at = -rng.uniform(BEFORE_DAYS - 300.0, BEFORE_DAYS)
        times = [at]
        while rng.random() >= leaving and (at := at + max(0.3, world.gap(rng, usual))) < AFTER_DAYS:
            times.append(at)
        found[f"customer/{number:05}"] = Bought([SPLIT + int(one * DAY) for one in times], [1.0] * len(times))
    told = observed(purchases(found))
    return calibrate(told, POLICY, split(told, HORIZON, SPLIT)).customers


def suppliers(world: Suppliers, seed: int) -> Answered:
    rng = np.random.default_rng(seed)
    found: list[tuple[str, int, c.Data]] = []
    for number in range(world.suppliers):
        gap, reliable, ago = world.gap(rng), world.reliable(rng), 1100.0
        while (ago := ago - rng.exponential(gap)) > 0.0:
            reliable = world.reliable(rng) if rng.random() < world.changes else reliable
            at_us = NOW - int(ago * DAY)
            found.append((f"partner/{number:03}", at_us, delivered(at_us, on_time=bool(rng.random() < reliable))))
    told = observed(numbered(sorted(found, key=lambda event: event[1])))
    return calibrate(told, POLICY, split(told, HORIZON, SPLIT)).partners


def judged(found: Answered) -> tuple[dict[str, float], dict[str, float]]:
    assert found.thin is None
    return {one.name: one.auc.value for one in found.predictors}, {one.name: one.log_loss.value for one in found.predictors}


@pytest.mark.parametrize("world", BUYERS)
def test_a_calibrated_commitment_ranks_as_well_as_any_plain_figure_and_is_a_better_chance(world: str) -> None:
    aucs, losses = judged(customers(BUYERS[world], 600, seed=6))
    plain = ("recency", "frequency", "RFM", "past mean")
    assert aucs["calibrated"] >= max(aucs[name] for name in plain) - 0.01
    assert losses["calibrated"] <= min(losses[name] for name in plain)
    assert aucs["in force"] >= max(aucs[name] for name in plain) - 0.05  # whatever the ledger: no figure is far better
    assert aucs["in force"] >= aucs["frequency"] - 0.005


@pytest.mark.parametrize("world", SUPPLIERS)
def test_a_delivery_level_ranks_beside_the_past_mean_where_nothing_changes_and_before_it_where_something_does(world: str) -> None:
    aucs, losses = judged(suppliers(SUPPLIERS[world], seed=6))
    changes = SUPPLIERS[world].changes > 0.0
    for name in ("calibrated", "in force"):
        assert aucs[name] >= aucs["past mean"] + (0.0 if changes else -0.05)
    assert losses["calibrated"] <= min(losses[name] for name in ("recency", "frequency", "past mean")) + 0.005
    assert aucs["calibrated"] >= aucs["past mean"] - 0.02
