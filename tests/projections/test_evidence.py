"""Evidence: fading, adding up, intervals; each formula against an oracle that is not ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from projections.scoring.commitment import PROBABILITY_MAX, outlook
from projections.scoring.evidence import DAY_US, beta_interval, faded, kept
from projections.scoring.policy import PurchasesPolicy
from projections.scoring.policy_file import shipped
from tests.projections.events import NOW

HALF_LIFE = 90 * DAY_US
days = st.floats(0, 3650)


@given(st.lists(st.tuples(days, st.floats(0.01, 10)), max_size=30))
def test_a_forward_decayed_sum_is_the_sum_of_evidence_faded_one_by_one(evidence: list[tuple[float, float]]) -> None:
    kept_sum = sum(weight * kept(NOW - int(ago * DAY_US), HALF_LIFE) for ago, weight in evidence)
    naive = sum(weight * 0.5 ** (ago / 90) for ago, weight in evidence)
    assert kept_sum * faded(NOW, HALF_LIFE) == pytest.approx(naive, rel=1e-6)


def test_evidence_counts_half_after_its_half_life() -> None:
    assert kept(NOW - 90 * DAY_US, HALF_LIFE) * faded(NOW, HALF_LIFE) == pytest.approx(0.5)


@given(st.floats(0.02, 0.98), st.floats(2, 500), st.floats(0.5, 0.99))
def test_an_interval_is_the_central_one_of_the_beta_distribution(mean: float, events: float, mass: float) -> None:
    low, high = beta_interval(mean, events, mass)
    oracle = stats.beta(mean * events, (1 - mean) * events)
    assert low == pytest.approx(oracle.ppf((1 - mass) / 2), rel=1e-6)
    assert high == pytest.approx(oracle.isf((1 - mass) / 2), rel=1e-6)


@given(st.integers(0, 40), st.floats(0, 1000), st.floats(0.1, 5), st.floats(5, 200), st.floats(7, 365))
def test_without_forgetting_the_purchase_model_is_the_negative_binomial(
    n: int, t: float, shape: float, rate: float, horizon: float
) -> None:
    policy = PurchasesPolicy(half_life_days=1e9, shape=shape, rate_days=rate, first=1, horizon_days=horizon, weight=1)
    success = (rate + t) / (rate + t + horizon)
    oracle = 1.0 - stats.nbinom.pmf(0, shape + n, success)
    assert outlook(n, t, 0.0, policy).probability == pytest.approx(min(oracle, PROBABILITY_MAX), rel=1e-5, abs=1e-9)


@given(st.floats(0, 20), days, st.floats(0, 1))
def test_a_purchase_makes_another_likelier_and_silence_less_likely(more: float, since: float, first: float) -> None:
    policy = PurchasesPolicy(half_life_days=75, shape=0.5, rate_days=60, first=first, horizon_days=90, weight=1)

    def chance(purchases: float, since: float) -> float:
        return outlook(purchases, since, 0.0, policy).probability

    now = chance(0.5 ** (since / 75) + more, since)
    assert 0 < now < 1
    assert chance(0.5 ** (since / 75) + more + 1, since) > now or now == PROBABILITY_MAX
    silent = (0.5 ** (since / 75) + more) * 0.5 ** (30 / 75)
    assert chance(silent, since + 30) <= now + 1e-12


def test_a_first_purchase_makes_a_second_likelier_than_it_is_for_anybody_and_far_from_certain() -> None:
    rule = shipped().purchases
    unknown = 1.0 - (rule.rate_days / (rule.rate_days + rule.horizon_days)) ** rule.shape
    fresh = outlook(1.0, 0.0, 0.0, rule).probability
    assert unknown < fresh < 0.5
    assert shipped().customer.commitment.prior_mean == pytest.approx(unknown, abs=1e-4)
