"""With options the answers are those of brute force."""

import random
from itertools import product
from math import sqrt

import pytest

from projections.deals.evaluate import Evaluation
from tests.projections.deals.games import Game, gain, judged, small_game

GAMES = 1000
SAME = 1e-9


@pytest.fixture(scope="module")
def games() -> list[tuple[Game, dict[str, float], Evaluation]]:
    rng = random.Random(5)
    return [(issues, terms, judged(issues, terms)) for issues, terms in (small_game(rng) for _ in range(GAMES))]


def every(issues: Game) -> list[tuple[float, float]]:
    """Both gains of every combination of options."""
    return [(gain(issues, "ours", values), gain(issues, "theirs", values)) for values in product(*(issue["options"] for issue in issues))]


def better(issues: Game, terms: dict[str, float]) -> list[tuple[float, float]]:
    """The combinations at least as good for both as the deal, and better for one."""
    ours, theirs = (gain(issues, side, list(terms.values())) for side in ("ours", "theirs"))
    return [(a, b) for a, b in every(issues) if a >= ours - SAME and b >= theirs - SAME and (a > ours + 4 * SAME or b > theirs + 4 * SAME)]


def value(pair: tuple[float, float]) -> float:
    return max(0.0, pair[0]) * max(0.0, pair[1])


def test_both_gains_and_their_product_are_those_of_the_formula(games: list[tuple[Game, dict[str, float], Evaluation]]) -> None:
    for issues, terms, found in games:
        ours, theirs = (gain(issues, side, list(terms.values())) for side in ("ours", "theirs"))
        assert found.ours.gain == pytest.approx(ours, abs=SAME)
        assert found.theirs.gain == pytest.approx(theirs, abs=SAME)
        assert found.joint_gain == pytest.approx(ours + theirs, abs=SAME)
        assert found.nash_product == pytest.approx(value((ours, theirs)), abs=SAME)


def test_a_deal_is_dominated_exactly_when_some_combination_is_better(games: list[tuple[Game, dict[str, float], Evaluation]]) -> None:
    dominated = [bool(better(issues, terms)) for issues, terms, _ in games]
    assert [found.pareto_dominated for _, _, found in games] == dominated
    assert 0.3 * GAMES < sum(dominated) < 0.9 * GAMES


def test_the_counter_offer_is_the_best_of_the_better_combinations(games: list[tuple[Game, dict[str, float], Evaluation]]) -> None:
    for issues, terms, found in games:
        candidates = better(issues, terms)
        if not candidates:
            assert found.counter_offer is None
            continue
        offer = found.counter_offer
        assert offer is not None
        assert all(offer.terms[issue["issue"]] in issue["options"] for issue in issues)
        gains = tuple(gain(issues, side, list(offer.terms.values())) for side in ("ours", "theirs"))
        assert (offer.ours, offer.theirs) == pytest.approx(gains, abs=SAME)
        assert any(gains == pytest.approx(one, abs=SAME) for one in candidates)
        assert value((gains[0], gains[1])) == pytest.approx(max(map(value, candidates)), abs=SAME)


def test_the_nash_point_has_the_largest_product_and_the_efficiency_is_the_deals_share(
    games: list[tuple[Game, dict[str, float], Evaluation]],
) -> None:
    for issues, _, found in games:
        acceptable = [pair for pair in every(issues) if min(pair) >= -SAME]
        if not acceptable:
            assert (found.nash_point, found.ks_point, found.nash_efficiency) == (None, None, None)
            assert found.verdict == "no_zone"
            continue
        best = max(map(value, acceptable))
        assert found.nash_point is not None
        assert isinstance(found.nash_point.theirs, float)
        assert value((found.nash_point.ours, found.nash_point.theirs)) == pytest.approx(best, abs=SAME)
        assert found.verdict != "no_zone"
        if best > SAME:
            assert isinstance(found.nash_product, float)
            assert found.nash_efficiency == pytest.approx(found.nash_product / best, abs=1e-6)


def test_the_kalai_smorodinsky_point_gives_the_largest_smaller_share_of_the_ideals_then_the_largest_other(
    games: list[tuple[Game, dict[str, float], Evaluation]],
) -> None:
    for issues, _, found in games:
        acceptable = [pair for pair in every(issues) if min(pair) >= -SAME]
        ideal = [max((pair[side] for pair in acceptable), default=0.0) for side in (0, 1)]
        if min(ideal) <= sqrt(SAME):
            continue
        point = found.ks_point
        assert point is not None
        assert isinstance(point.theirs, float)
        shares = point.ours / ideal[0], point.theirs / ideal[1]
        least = max(min(a / ideal[0], b / ideal[1]) for a, b in acceptable)
        most = max(max(a / ideal[0], b / ideal[1]) for a, b in acceptable if min(a / ideal[0], b / ideal[1]) > least - 1e-8)
        assert (min(shares), max(shares)) == pytest.approx((least, most), abs=1e-8)
