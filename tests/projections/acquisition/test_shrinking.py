"""Few are drawn towards all: as far as an independent computation says, and so that the intervals hold."""

import random
from statistics import fmean, stdev

import numpy as np
import pytest
from scipy.stats import norm

from projections.acquisition.shrinking import pooled_spread, shrunk

SCHOOLS = ([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])  # Rubin 1981


@pytest.mark.parametrize("centre", [0.0, None])
def test_it_is_what_weighing_worlds_drawn_from_the_prior_gives(centre: float | None) -> None:
    means, errors, scale = np.array([6.0, 1.0, -2.0]), np.array([2.0, 1.0, 3.0]), 3.0
    rng = np.random.default_rng(5)
    spread = np.abs(rng.normal(0.0, scale, 400_000))[:, np.newaxis]
    middle = rng.uniform(-20.0, 20.0, (400_000, 1)) if centre is None else centre
    true = middle + spread * rng.normal(size=(400_000, 3))
    weight = norm.pdf(means, true, errors).prod(axis=1)
    for number, found in enumerate(shrunk(means.tolist(), errors.tolist(), scale, centre=centre)):
        assert found.mean == pytest.approx(np.average(true[:, number], weights=weight), abs=0.1)
        above = np.average(true[:, number] > 1.5, weights=weight)
        assert found.above(1.5) == pytest.approx(above, abs=0.02)
        low, high = found.interval(0.8)
        assert np.average((low < true[:, number]) & (true[:, number] < high), weights=weight) == pytest.approx(0.8, abs=0.02)


def test_the_eight_schools_are_drawn_together_as_in_the_book() -> None:
    """Gelman et al. 2013, table 5.3: posterior medians 10, 8, 7, 8, 5, 6, 10, 8 under a flat prior of the spread."""
    found = [one.mean for one in shrunk(*SCHOOLS, scale=25.0)]
    assert found == pytest.approx([11.3, 8.0, 6.2, 7.8, 5.2, 6.2, 10.6, 8.5], abs=1.0)


def test_the_surer_a_mean_the_less_it_is_drawn() -> None:
    sure, unsure = shrunk([10.0, 10.0], [0.5, 6.0], 4.0, centre=0.0)
    assert 9.5 < sure.mean < 10.0
    assert unsure.mean < 7.0


def test_nine_intervals_of_ten_hold_the_truth() -> None:
    rng, held, count = random.Random(3), 0, 0
    for _ in range(500):
        spread, centre = abs(rng.gauss(0.0, 4.0)), rng.uniform(40.0, 80.0)
        true = [rng.gauss(centre, spread) for _ in range(5)]
        errors = [rng.uniform(0.5, 5.0) for _ in true]
        for value, one in zip(true, shrunk([rng.gauss(*pair) for pair in zip(true, errors, strict=True)], errors, 4.0), strict=True):
            low, high = one.interval(0.9)
            held += low < value < high
            count += 1
    assert 0.88 <= held / count <= 0.92


def test_the_pooled_spread_is_the_guess_where_nothing_is_known_and_the_members_own_where_much_is() -> None:
    assert pooled_spread([[50.0], []], 12.0, 5.0) == 12.0
    values = [random.Random(number).gauss(70.0, 8.0) for number in range(500)]
    assert pooled_spread([values], 12.0, 5.0) == pytest.approx(stdev(values), rel=0.02)
    assert pooled_spread([values, [value + 30.0 for value in values]], 12.0, 5.0) == pytest.approx(stdev(values), rel=0.02)
    assert fmean(values) == pytest.approx(70.0, abs=1.0)
