"""The purchase model against oracles: BG/NBD without forgetting, and occasions that are days."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.scoring.bgnbd import History, Parameters
from projections.scoring.commitment import PROBABILITY_MAX, outlook
from projections.scoring.policy import PurchasesPolicy
from schemas import catalogue as c
from tests.projections.bgnbd import purchase_probability
from tests.projections.events import DAY, NOW, POLICY, figured, folded, happened, level

ORDER = c.Purchase("o1", c.Money("10.00", "EUR"))


@given(
    st.integers(1, 40), st.floats(0, 800), st.floats(0, 800), st.floats(0.1, 5), st.floats(5, 200), st.floats(0.01, 3), st.floats(7, 365)
)
def test_without_forgetting_it_is_bg_nbd(  # noqa: PLR0917  # hypothesis gives them by place
    repeats: int, last: float, more: float, shape: float, rate: float, leaving: float, horizon: float
) -> None:
    policy = PurchasesPolicy(half_life_days=1e9, shape=shape, rate_days=rate, first=1, horizon_days=horizon, weight=1, leaving=leaving)
    oracle = purchase_probability(History(repeats, last, last + more), horizon, Parameters(shape, rate, leaving, 2.0))
    assert outlook(repeats, last + more, more, policy).probability == pytest.approx(min(oracle, PROBABILITY_MAX), rel=1e-4, abs=1e-9)


@given(st.floats(0, 300), st.floats(0, 3000), st.floats(0, 1), st.floats(20, 1e6), st.floats(0, 3))
def test_every_history_has_an_outlook(purchases: float, since_first: float, share: float, half_life: float, leaving: float) -> None:
    policy = PurchasesPolicy(half_life_days=half_life, shape=0.25, rate_days=60, first=0.2, horizon_days=90, weight=6, leaving=leaving)
    found = outlook(purchases, since_first, since_first * share, policy)
    assert 0 <= found.silent <= found.probability + 1e-12
    assert found.probability < 1
    assert 0 < found.centre < 1
    assert found.worth > 0


def test_a_basket_split_into_orders_is_no_more_loyal_than_a_whole_one() -> None:
    whole = [happened(ORDER, days) for days in (200, 120, 30)]
    midnight = NOW - NOW % DAY
    split = [*whole, *(happened(ORDER, (NOW - midnight) / DAY + 30 - hours / 24) for hours in (1, 23))]
    assert figured(split).levels == figured(whole).levels
    assert folded(split).money["EUR"].count == 5


def test_with_purchases_alone_the_level_is_the_chance_of_another_one() -> None:
    bought = [happened(ORDER, days + 0.5) for days in (400, 300, 50)]
    rule = POLICY.purchases
    count = sum(0.5 ** ((days + 0.5) / rule.half_life_days) for days in (400, 300, 50))  # NOW is noon, all happened as a day began
    expected = outlook(count, 400.5, 50.5, rule).probability
    assert level(bought, "commitment") == pytest.approx(expected)


def test_the_last_purchase_before_a_day_is_found_among_the_remembered() -> None:
    state = folded([happened(ORDER, days) for days in (400, 300, 50)])
    today = NOW // DAY
    for before, found in ((0, 50), (50, 300), (51, 300), (300, 400), (400, None), (4000, None)):
        assert state.last_bought_before(today - before) == (None if found is None else today - found)
