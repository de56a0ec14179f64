"""BG/NBD: its closed forms against simulation and quadrature, its fit against the published one and against a known truth."""

import csv
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from projections.scoring.bgnbd import History, Parameters, expected_purchases
from tests.projections.bgnbd import fit, purchase_probability

PUBLISHED = Parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)  # Fader, Hardie & Lee (2005), weeks
CDNOW = Path(__file__).parents[3] / "shared/data/cdnow_sample.csv"  # public, its licence unstated: used where it is there
CALIBRATED_ON = date(1997, 9, 30)

histories = st.builds(
    lambda repeats, last, more: History(repeats, last if repeats else 0.0, last + more),
    st.integers(0, 30),
    st.floats(0.1, 80),
    st.floats(0, 80),
)


def simulated(parameters: Parameters, customers: int, watched: float, ahead: float, seed: int) -> tuple[list[History], list[int]]:
    """Histories of a population, and how often each bought in the time after."""
    rng = np.random.default_rng(seed)
    known, later = [], []
    for _ in range(customers):
        rate = rng.gamma(parameters.r, 1 / parameters.alpha)
        dropout = 0.0 if parameters.a is None or parameters.b is None else rng.beta(parameters.a, parameters.b)
        at, times = 0.0, []
        while (at := at + rng.exponential(1 / rate)) < watched + ahead:
            times.append(at)
            if rng.random() < dropout:
                break
        seen = [time for time in times if time <= watched]
        known.append(History(len(seen), seen[-1] if seen else 0.0, watched))
        later.append(len(times) - len(seen))
    return known, later


def cdnow() -> list[History]:
    days: dict[str, set[date]] = {}
    with CDNOW.open() as file:
        for row in csv.DictReader(file):
            days.setdefault(row["id"], set()).add(date.fromisoformat(row["date"]))
    found = []
    for bought in days.values():
        known = sorted(day for day in bought if day <= CALIBRATED_ON)
        found.append(History(len(known) - 1, (known[-1] - known[0]).days / 7, (CALIBRATED_ON - known[0]).days / 7))
    return found


@pytest.mark.parametrize("source", ["simulated", *(["cdnow"] if CDNOW.exists() else [])])
def test_the_fit_finds_the_parameters_of_the_population(source: str) -> None:
    population, tolerance = (cdnow(), 0.01) if source == "cdnow" else (simulated(PUBLISHED, 20_000, 39.0, 0.0, seed=3)[0], 0.15)
    fitted = fit(population)
    for name in ("r", "alpha", "a", "b"):
        assert getattr(fitted.parameters, name) == pytest.approx(getattr(PUBLISHED, name), rel=tolerance)


def test_the_fit_does_not_depend_on_the_unit_of_time() -> None:
    weeks, _ = simulated(PUBLISHED, 3000, 39.0, 0.0, seed=4)
    days = [History(one.repeats, one.last * 7, one.watched * 7) for one in weeks]
    by_week, by_day = fit(weeks), fit(days)
    assert by_day.parameters.alpha == pytest.approx(7 * by_week.parameters.alpha, rel=1e-3)
    assert by_day.parameters.r == pytest.approx(by_week.parameters.r, rel=1e-3)


def test_without_dropout_in_the_data_the_model_falls_back_to_the_nbd() -> None:
    faithful = Parameters(r=2.0, alpha=5.0)
    fitted = fit(simulated(faithful, 4000, 39.0, 0.0, seed=5)[0])
    assert fitted.parameters.a is None
    assert fitted.parameters.b is None
    assert fitted.parameters.r == pytest.approx(2.0, rel=0.1)
    assert fitted.parameters.alpha == pytest.approx(5.0, rel=0.1)


def test_probability_and_expectation_are_what_a_simulation_finds() -> None:
    known, later = simulated(PUBLISHED, 40_000, 39.0, 20.0, seed=7)
    for repeats in (0, 1, 2, 5):
        chosen = [n for n, one in enumerate(known) if one.repeats == repeats]
        bought = np.array([later[n] for n in chosen])
        expected = np.mean([expected_purchases(known[n], 20.0, PUBLISHED) for n in chosen])
        probability = np.mean([purchase_probability(known[n], 20.0, PUBLISHED) for n in chosen])
        assert expected == pytest.approx(bought.mean(), abs=4 * stats.sem(bought))
        assert probability == pytest.approx((bought > 0).mean(), abs=4 * stats.sem(bought > 0))


@given(histories, st.floats(0.1, 100))
def test_without_dropout_both_are_the_negative_binomial_s(history: History, ahead: float) -> None:
    nbd = Parameters(r=0.7, alpha=9.0)
    oracle = stats.nbinom(nbd.r + history.repeats, (nbd.alpha + history.watched) / (nbd.alpha + history.watched + ahead))
    assert purchase_probability(history, ahead, nbd) == pytest.approx(1 - oracle.pmf(0), abs=1e-9)
    assert expected_purchases(history, ahead, nbd) == pytest.approx(oracle.mean(), rel=1e-9)


@given(histories, st.floats(0.1, 100), st.sampled_from([0.3, 0.99995, 1.0, 1.00005, 2.5]))
def test_every_history_has_a_probability_and_an_expectation_also_where_a_is_one(history: History, ahead: float, a: float) -> None:
    parameters = Parameters(r=0.5, alpha=5.0, a=a, b=2.0)
    probability = purchase_probability(history, ahead, parameters)
    expected = expected_purchases(history, ahead, parameters)
    assert 0 <= probability < 1
    assert expected >= probability - 1e-6  # Markov
    near = expected_purchases(history, ahead, Parameters(r=0.5, alpha=5.0, a=a + 1e-3, b=2.0))
    assert expected == pytest.approx(near, rel=0.01)
