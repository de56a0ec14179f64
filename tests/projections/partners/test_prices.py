"""What was paid is held against the market, and a counter leaves the other side a fair gain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.months import month_number
from projections.partners.prices import Ask, asks, prices
from projections.partners.supply import Item, Rate
from tests.projections.events import NOW, POLICY

JANUARY = month_number("2026-01")
YEAR = range(JANUARY - 6, JANUARY + 6)


def rate(amount: float, benchmark: float | None = 10.0, on: str = "2025-01-01", quantity: float | None = None) -> Rate:
    return Rate(on, amount, "EUR", "kg", benchmark, quantity)


def item(*rates: Rate, bought: dict[str, tuple[float, float]] | None = None, name: str = "steel") -> Item:
    return Item(name, rates, {"EUR": bought} if bought else {})


def asked(*items: Item, peers: tuple[float, ...] = ()) -> list[Ask]:
    return asks(items, NOW, POLICY, {("steel", "kg", "EUR"): peers})


def test_what_was_paid_is_held_against_the_benchmark_of_its_month() -> None:
    steel = item(rate(12, 10), rate(13, 12, "2026-03-10"), bought={"2026-02": (5, 60.0), "2026-03": (2, 30.0), "2024-01": (9, 9.0)})
    assert [(one.quantity, one.paid, one.standard) for one in prices([steel], YEAR)] == [(5, 60.0, 50.0), (2, 30.0, 24.0)]


def test_an_item_without_a_benchmark_is_held_against_where_its_rates_began() -> None:
    steel = item(rate(8, None), rate(9, None, "2025-06-01"), bought={"2026-02": (5, 60.0)})
    assert prices([steel], YEAR)[0].standard == 40.0


def test_an_item_without_any_rate_has_no_standard() -> None:
    assert prices([item(bought={"2026-02": (5, 60.0)})], YEAR) == []


def test_a_rate_above_the_market_is_worth_asking_about_and_one_near_it_is_not() -> None:
    (ask,) = asked(item(rate(12, 10, quantity=1200)))
    assert (ask.basis, ask.above_percent, ask.counter, ask.their_gain) == ("benchmark", 20.0, 10.0, 0.5)
    assert (ask.volume, ask.saving) == (100.0, 200.0)
    assert asked(item(rate(10.3, 10))) == []


def test_what_was_bought_tells_the_volume_better_than_what_was_agreed() -> None:
    (ask,) = asked(item(rate(12, 10, quantity=1200), bought={"2026-02": (600, 7200.0), "2024-02": (9000, 9.0)}))
    assert (ask.volume, ask.saving) == (50.0, 100.0)


def test_a_volume_nobody_told_leaves_the_saving_open() -> None:
    (ask,) = asked(item(rate(12)))
    assert (ask.volume, ask.saving) == (None, None)


def test_without_a_benchmark_others_are_the_reference_and_without_others_its_own_past() -> None:
    rising = item(rate(10, None, "2024-01-01"), rate(12, None, "2026-02-01"))
    (by_peers,), (by_past,) = asked(rising, peers=(9.0, 11.0)), asked(rising, peers=(9.0,))
    assert (by_peers.basis, by_peers.reference) == ("peers", 10.0)
    assert (by_past.basis, by_past.reference, by_past.above_percent) == ("own past", 10.0, 20.0)
    assert asked(item(rate(12, None, "2024-01-01"))) == []


def test_a_rate_that_is_not_in_force_yet_is_not_asked_about() -> None:
    assert asked(item(rate(10), rate(15, 10, "2026-07-01"))) == []
    assert asked(item(rate(15, 10, "2026-07-01"))) == []


@given(st.floats(0.01, 1e6), st.floats(1.031, 50))
def test_the_counter_is_never_above_the_rate_and_keeps_their_fair_gain(benchmark: float, above: float) -> None:
    (ask,) = asked(item(rate(benchmark * above, benchmark, quantity=12)))
    low, high = benchmark * (1 - POLICY.rate.spread), benchmark * (1 + POLICY.rate.spread)
    assert ask.counter <= ask.rate
    assert (ask.counter - low) / (high - low) == pytest.approx(POLICY.deal.fair_gain, abs=0.02)
    assert ask.saving == pytest.approx(ask.rate - ask.counter, abs=0.011)


def test_the_largest_saving_comes_first() -> None:
    found = asked(item(rate(12, 10, quantity=120)), item(rate(11, 10, quantity=12000), name="zinc"), item(rate(20), name="tin"))
    assert [ask.item for ask in found] == ["zinc", "steel", "tin"]
