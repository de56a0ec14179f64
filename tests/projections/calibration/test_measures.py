"""Measures against independent formulas, and intervals that more of the same from the same relationships does not narrow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from projections.calibration.measures import BINS, SURE, Drawn, Floats, Ints, binned


def world(seed: int, relationships: int = 60, each: int = 4) -> tuple[Floats, Floats, Ints]:
    """Chances, outcomes that come true at other ones, and whose they are."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(relationships, dtype=np.int64), each)
    chance = np.clip(np.repeat(rng.uniform(0.05, 0.95, relationships), each) + rng.normal(0, 0.05, len(cluster)), 0.0, 1.0).round(2)
    happened: Floats = (rng.random(len(cluster)) < chance**2).astype(float)
    return chance, happened, cluster


@given(st.integers(0, 10_000))
def test_every_measure_is_what_its_formula_says(seed: int) -> None:
    chance, happened, cluster = world(seed)
    found = Drawn(happened, cluster, 0.9).measure("", chance)
    p = np.clip(chance, SURE, 1.0 - SURE)
    good, bad = p[happened > 0], p[happened == 0]
    assert found.auc.value == pytest.approx(stats.mannwhitneyu(good, bad).statistic / (len(good) * len(bad)), abs=1e-4)
    assert found.log_loss.value == pytest.approx(-np.log(np.where(happened > 0, p, 1.0 - p)).mean(), abs=1e-4)
    assert found.brier.value == pytest.approx(np.square(p - happened).mean(), abs=1e-4)
    bins = binned(p)
    off = [abs((p[bins == number] - happened[bins == number]).sum()) for number in range(bins.max() + 1)]
    assert found.calibration_error.value == pytest.approx(sum(off) / len(p), abs=1e-4)


def test_the_reliability_table_counts_every_outcome_once_in_bins_alike() -> None:
    chance, happened, cluster = world(1)
    table = Drawn(happened, cluster, 0.9).reliability(chance)
    assert len(table) == BINS
    assert sum(one.outcomes for one in table) == len(chance)
    assert sum(one.outcomes * one.share for one in table) == pytest.approx(happened.sum(), abs=0.1)
    assert max(one.outcomes for one in table) < 2 * len(chance) / BINS
    assert all(one.interval[0] <= one.share <= one.interval[1] for one in table)


def test_the_same_outcomes_many_times_over_make_nothing_surer() -> None:
    chance, happened, cluster = world(2)
    once = Drawn(happened, cluster, 0.9).measure("", chance)
    often = Drawn(np.repeat(happened, 7), np.repeat(cluster, 7), 0.9).measure("", np.repeat(chance, 7))
    for measure in ("auc", "log_loss", "brier"):
        assert getattr(often, measure).interval == pytest.approx(getattr(once, measure).interval, abs=1e-4)


def test_intervals_of_the_share_that_happens_cover_the_truth() -> None:
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        truth = rng.beta(2.0, 3.0, 80)
        cluster = np.repeat(np.arange(80, dtype=np.int64), 5)
        low, high = Drawn(np.zeros(400), cluster, 0.9).mean((rng.random(400) < truth[cluster]).astype(float)).interval
        covered += low <= 0.4 <= high
    assert 0.85 <= covered / 300 <= 0.95
