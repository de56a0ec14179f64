"""Without options, or with some, the points are those an independent optimiser finds."""

import random
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from projections.deals.evaluate import Evaluation, Offer
from tests.projections.deals.games import Game, continuous_game, gain, judged, zone

GAMES = 1000
MIXED = 40


class Numeric:
    """A game with the values of some issues fixed, as an optimiser sees it: gains linear in the values, each value in its bounds."""

    def __init__(self, issues: Game, fixed: dict[str, float] | None = None) -> None:
        fixed = fixed or {}
        self.bounds = [(fixed[issue["issue"]],) * 2 if issue["issue"] in fixed else zone(issue) for issue in issues]
        nothing = [0.0] * len(issues)
        self.base = np.array([gain(issues, side, nothing) for side in ("ours", "theirs")])
        unit = np.eye(len(issues)).tolist()
        self.slopes = np.array([[gain(issues, side, one) for one in unit] for side in ("ours", "theirs")]) - self.base[:, None]

    def gains(self, values: Any) -> Any:
        return self.base + self.slopes @ values

    def ideal(self, side: int) -> float:
        """The most one side can have; within the zones the other never falls below its walk-away."""
        ends = np.array(self.bounds).T
        return float(self.base[side] + np.maximum(*(self.slopes[side] * ends)).sum())

    def nash(self) -> float:
        """The largest product of gains, by sequential quadratic programming from the middle of the bounds."""
        found = minimize(
            lambda values: -np.prod(self.gains(values)),
            [sum(bound) / 2 for bound in self.bounds],
            jac=lambda values: -(self.slopes.T @ self.gains(values)[::-1]),
            bounds=self.bounds,
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 300},
        )
        return float(np.prod(self.gains(found.x)))

    def same_share(self, ideal: tuple[float, float]) -> float:
        """The largest share of the ideals that both can have at once, as a linear programme."""
        count = len(self.bounds)
        wanted = np.hstack([-self.slopes, np.array([[ideal[0]], [ideal[1]]])])
        found = linprog([0.0] * count + [-1.0], A_ub=wanted, b_ub=self.base, bounds=[*self.bounds, (None, None)])
        return float(-found.fun)


@pytest.fixture(scope="module")
def games() -> list[tuple[Game, dict[str, float], Evaluation]]:
    rng = random.Random(11)
    made = [continuous_game(rng, rng.randint(1, 5)) for _ in range(GAMES)]
    return [(issues, terms, judged(issues, terms)) for issues, terms in made]


def gained(issues: Game, offer: Offer | None) -> tuple[float, float]:
    """Both gains, from the terms of the offer and not from what it says of itself."""
    assert offer is not None
    values = [offer.terms[issue["issue"]] for issue in issues]
    for value, issue in zip(values, issues, strict=True):
        low, high = zone(issue)
        assert low - 1e-6 <= value <= high + 1e-6
    gains = gain(issues, "ours", values), gain(issues, "theirs", values)
    assert gains == pytest.approx((offer.ours, offer.theirs), abs=1e-8)
    return gains


def test_the_nash_point_is_the_optimisers(games: list[tuple[Game, dict[str, float], Evaluation]]) -> None:
    for issues, _, found in games:
        ours, theirs = gained(issues, found.nash_point)
        assert ours * theirs == pytest.approx(Numeric(issues).nash(), rel=1e-6)


def test_the_kalai_smorodinsky_point_is_the_optimisers(games: list[tuple[Game, dict[str, float], Evaluation]]) -> None:
    for issues, _, found in games:
        numeric = Numeric(issues)
        ideal = numeric.ideal(0), numeric.ideal(1)
        ours, theirs = gained(issues, found.ks_point)
        share = numeric.same_share(ideal)
        assert min(ours / ideal[0], theirs / ideal[1]) == pytest.approx(share, rel=1e-7)


def test_a_deal_is_dominated_exactly_when_the_optimiser_finds_better(games: list[tuple[Game, dict[str, float], Evaluation]]) -> None:
    for issues, terms, found in games:
        numeric = Numeric(issues)
        deal = numeric.gains(np.array(list(terms.values())))
        most = linprog(-numeric.slopes.sum(axis=0), A_ub=-numeric.slopes, b_ub=numeric.base - deal, bounds=numeric.bounds)
        improved = numeric.base.sum() - most.fun > deal.sum() + 1e-7
        assert found.pareto_dominated == improved
        if improved:
            ours, theirs = gained(issues, found.counter_offer)
            assert ours >= deal[0] - 1e-8
            assert theirs >= deal[1] - 1e-8
            assert ours + theirs > deal.sum() + 1e-8


def test_with_options_on_some_issues_both_points_are_the_best_over_all_their_combinations() -> None:
    rng = random.Random(17)
    for _ in range(MIXED):
        issues, terms = continuous_game(rng, 4)
        for issue in issues[:2]:
            issue["options"] = [rng.uniform(*zone(issue)) for _ in range(3)]
            terms[issue["issue"]] = issue["options"][0]
        found = judged(issues, terms)
        names = [issue["issue"] for issue in issues[:2]]
        parts = [Numeric(issues, dict(zip(names, values, strict=True))) for values in product(*(issue["options"] for issue in issues[:2]))]
        ours, theirs = gained(issues, found.nash_point)
        assert ours * theirs == pytest.approx(max(part.nash() for part in parts), rel=1e-6)
        ideal = max(part.ideal(0) for part in parts), max(part.ideal(1) for part in parts)
        ours, theirs = gained(issues, found.ks_point)
        assert min(ours / ideal[0], theirs / ideal[1]) == pytest.approx(max(part.same_share(ideal) for part in parts), rel=1e-7)
