"""The levels, as published in ``relationships``, tell who buys again and which delivery is on time, better than plain counts."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from projections.relationships import Row
from projections.scoring import bgnbd
from projections.scoring.bgnbd import Parameters
from projections.scoring.figures import figures
from projections.scoring.state import State, empty, fold
from schemas.catalogue import Delivery
from tests.projections.bgnbd import fit
from tests.projections.calibration.populations import (
    CDNOW,
    CDNOW_SPLIT,
    PUBLISHED,
    Bought,
    Floats,
    buyers,
    cdnow,
    deliverers,
    published,
    purchases,
)
from tests.projections.events import DAY, MODELS, POLICY

WEEKS = 39.0  # watched before the split, and after it


def auc(scores: Floats, happened: Floats) -> float:
    """The chance that one to whom it happened has the higher score, by the statistic of Mann and Whitney."""
    return float(stats.mannwhitneyu(scores[happened > 0], scores[happened == 0]).statistic / ((happened > 0).sum() * (happened == 0).sum()))


class Tried:
    """Customers up to the split: their published levels, the plain baselines, and how often each bought after it."""

    def __init__(self, customers: dict[str, Bought], split_us: int) -> None:
        before = {}
        for name, (times, amounts) in customers.items():
            seen = [one for one in zip(times, amounts, strict=True) if one[0] < split_us]
            before[name] = Bought([at for at, _ in seen], [amount for _, amount in seen])
        rows: dict[str, Row] = published(purchases(before), split_us)
        self.later = np.array([sum(at >= split_us for at in customers[name].times) for name in rows], dtype=float)
        self.level = np.array([rows[name].level_commitment for name in rows], dtype=float)
        days = [sorted({at // DAY for at in before[name].times}) for name in rows]
        end = split_us // DAY
        count, last, first = (np.array([one(each) for each in days], dtype=float) for one in (len, max, min))
        spent = np.array([sum(before[name].amounts) for name in rows])
        histories = [bgnbd.History(len(each) - 1, (each[-1] - each[0]) / 7, (end - each[0]) / 7) for each in days]
        fitted = fit(histories)
        self.model = np.array([bgnbd.expected_purchases(one, WEEKS, fitted.parameters) for one in histories])
        self.plain = {
            "recency": last,
            "frequency": count,
            "RFM rank sum": stats.rankdata(last) + stats.rankdata(count) + stats.rankdata(spent),
            "past mean": count / (end - first),
        }


@pytest.mark.parametrize("source", ["simulated", *(["cdnow"] if CDNOW.exists() else [])])
def test_the_commitment_level_tells_who_buys_again_better_than_plain_counts(source: str) -> None:
    customers = cdnow() if source == "cdnow" else buyers(PUBLISHED, 6000, split_us=CDNOW_SPLIT, weeks=WEEKS, seed=2)
    tried = Tried(customers, CDNOW_SPLIT)
    found = auc(tried.level, tried.later)
    for name in ("frequency", "RFM rank sum", "past mean"):
        assert found > auc(tried.plain[name], tried.later), name
    if source == "cdnow":
        assert found >= 0.782
        assert stats.spearmanr(tried.level, tried.later).statistic >= 0.466
        for baseline in (tried.plain["recency"], tried.model):
            assert found > auc(baseline, tried.later)
            assert stats.spearmanr(tried.level, tried.later).statistic > stats.spearmanr(baseline, tried.later).statistic


@pytest.mark.parametrize("source", ["simulated", *(["cdnow"] if CDNOW.exists() else [])])
@pytest.mark.parametrize("days", [30, 90, 270])
def test_from_the_first_purchase_on_the_level_is_a_better_chance_than_the_share_of_all(source: str, days: int) -> None:
    customers = cdnow() if source == "cdnow" else buyers(PUBLISHED, 3000, split_us=CDNOW_SPLIT, weeks=WEEKS, seed=3)
    moment_us = (min(bought.times[0] for bought in customers.values()) // DAY + days) * DAY
    until_us = moment_us + int(POLICY.purchases.horizon_days) * DAY
    known = {name: Bought([at for at in times if at < moment_us], amounts) for name, (times, amounts) in customers.items()}
    known = {name: Bought(times, amounts[: len(times)]) for name, (times, amounts) in known.items() if times}
    rows: dict[str, Row] = published(purchases(known), moment_us)
    chance = np.array([rows[name].level_commitment for name in known], dtype=float)
    bought = np.array([any(moment_us <= at < until_us for at in customers[name].times) for name in known])
    assert log_loss(chance, bought) < log_loss(np.full(len(bought), bought.mean()), bought)
    assert chance.mean() == pytest.approx(bought.mean(), abs=0.05)


OTHER_RHYTHMS = {
    "weekly shoppers, some of whom leave": Parameters(1.5, 3.0, 0.3, 5.0),
    "regulars who hardly leave": Parameters(2.0, 4.0, 0.15, 8.0),
    "once or twice a year": Parameters(0.8, 20.0, 0.5, 2.0),
    "nobody ever leaves": Parameters(0.6, 3.0),
}


@pytest.mark.parametrize("world", OTHER_RHYTHMS)
def test_the_default_policy_ranks_nearly_as_well_as_the_true_model_where_rhythms_are_others(world: str) -> None:
    tried = Tried(buyers(OTHER_RHYTHMS[world], 1500, split_us=CDNOW_SPLIT, weeks=WEEKS, seed=4), CDNOW_SPLIT)
    found = auc(tried.level, tried.later)
    assert found > auc(tried.model, tried.later) - 0.04
    assert found > max(auc(tried.plain[name], tried.later) for name in ("frequency", "RFM rank sum", "past mean")) - 0.005


def log_loss(chance: Floats, happened: NDArray[np.bool_]) -> float:
    return float(-np.log(np.where(happened, chance, 1.0 - chance)).mean())


def test_where_reliability_drifts_the_delivery_level_tells_who_delivers_on_time_better_than_the_past_mean() -> None:
    model = MODELS["partner"]
    number = model.numbers["delivery"]
    states: dict[str, State] = {}
    counts: dict[str, tuple[int, int]] = {}
    told = []
    for event in deliverers(60, 200, reliable=0.95, unreliable=0.5, seed=5):
        assert isinstance(event.data, Delivery)
        on_time = event.data.delivered_at <= event.data.promised_at
        state = states.setdefault(event.relationship, empty(event.relationship, model))
        kept, all_ = counts.get(event.relationship, (0, 0))
        if all_ >= 10:
            told.append((figures(state, model, event.occurred_us).levels[number].level, kept / all_, on_time))
        fold(state, event, model, event.occurred_us)
        counts[event.relationship] = kept + on_time, all_ + 1
    level, mean, on_time = np.array(told, dtype=float).T
    assert auc(level, on_time) >= auc(mean, on_time) + 0.05
