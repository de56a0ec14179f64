"""Nobody dominates, and the intervals hold."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.reputation.company import leveled
from projections.reputation.pool import Array, limit, pooled, spread
from tests.projections.events import POLICY

RULE = POLICY.reputation
BOTH = np.array([True, False])


def columns(*evidence: float) -> Array:
    """Parties with so many events of evidence, a quarter of it against us."""
    return np.array([[0.75 * events, 0.25 * events] for events in evidence]).reshape(-1, 2)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_nobody_counts_for_more_than_the_policy_allows_and_nobody_is_cut_without_need(evidence: list[float]) -> None:
    most = limit(columns(*evidence), RULE)
    told = [events for events in evidence if events > 0]
    share = max(RULE.party_share_max, min(1.0, 2 / max(1, len(told))))
    allowed = share * (sum(min(events, most) for events in told) + RULE.prior_events)
    assert most <= RULE.party_events_max
    assert max((min(events, most) for events in told), default=0.0) <= allowed * (1 + 1e-9)
    if most < RULE.party_events_max and any(events > most for events in told):
        assert most == pytest.approx(allowed)


def test_a_party_with_a_thousand_bad_events_hardly_moves_the_company() -> None:
    everybody = np.array([[8.0, 2.0]] * 50)
    furious = np.array([[0.0, 1000.0]])
    together = np.concatenate([everybody, furious])
    calm, _ = leveled(pooled(everybody, limit(everybody, RULE)), BOTH, POLICY)
    shaken, _ = leveled(pooled(together, limit(together, RULE)), BOTH, POLICY)
    assert 0 < calm - shaken < 4


def test_capping_a_party_leaves_the_mix_of_its_topics_as_it_is() -> None:
    pool = pooled(np.array([[30.0, 10.0], [3.0, 1.0]]), 20.0)
    assert pool.sums == pytest.approx([18.0, 6.0])
    assert (pool.parties, list(pool.touched)) == (2, [2, 2])


def test_the_spread_of_a_ratio_is_that_of_a_bootstrap_over_parties() -> None:
    rng = np.random.default_rng(5)
    events = rng.lognormal(1.0, 0.7, 200)
    good = rng.beta(4, 2, 200) * events
    drawn = np.stack([good, events - good], axis=1)

    def ratio(sums: Array) -> Array:
        share: Array = sums[..., 0] / sums.sum(axis=-1)
        return share

    again = [drawn[rng.integers(0, 200, 200)].sum(axis=0) for _ in range(4000)]
    assert spread(pooled(drawn, np.inf), ratio) == pytest.approx(np.var([ratio(sums) for sums in again]), rel=0.1)


@pytest.mark.parametrize("parties", [40, 400])
def test_ninety_percent_of_the_intervals_cover_the_truth(parties: int) -> None:
    rng = np.random.default_rng(parties)
    inside = 0
    for _ in range(600):
        events = rng.lognormal(1.2, 0.5, parties)
        good = rng.beta(8, 2, parties) * events  # the mean over all parties there could be is 0.8
        drawn = np.stack([good, events - good], axis=1)
        _, (low, high) = leveled(pooled(drawn, np.inf), BOTH, POLICY)
        inside += low <= 80.0 <= high
    assert 0.87 <= inside / 600 <= 0.95  # 40 parties have the policy's prior beside them


def test_more_parties_and_more_agreement_make_a_narrower_interval() -> None:
    few, many = pooled(columns(*[4.0] * 20), np.inf), pooled(columns(*[4.0] * 400), np.inf)
    torn = pooled(np.array([[4.0, 0.0], [2.0, 2.0]] * 200), np.inf)
    widths = [high - low for _, (low, high) in (leveled(pool, BOTH, POLICY) for pool in (many, torn, few))]
    assert all(one < other for one, other in pairwise(widths))


@pytest.mark.parametrize("known", [columns(), columns(0.0), columns(3.0)])
def test_of_one_party_or_none_little_is_claimed(known: Array) -> None:
    level, (low, high) = leveled(pooled(known, limit(known, RULE)), BOTH, POLICY)
    assert level == pytest.approx(75.0)
    assert high - low > 30
