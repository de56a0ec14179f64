"""rates: an item's rate now, beside the benchmark and what it was, whatever arrived first."""

from datetime import date, timedelta
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from projections.partners.rates import RATES, RATES_KEPT
from schemas.catalogue import Contact, Money, Rate
from schemas.touchpoint import Recorded
from tests.projections.events import happened
from tests.projections.houses import row

FIRST = date(2026, 1, 1)


def rate(amount: str, day: int = 0, *, currency: str = "EUR", unit: str = "t", benchmark: Money | None = None) -> Recorded:
    data = Rate("steel", unit, Money(amount, currency), FIRST + timedelta(days=day), benchmark)
    return happened(data, 10, relationship="partner/acme")


row_of = partial(row, RATES)


def test_the_newest_rate_in_effect_is_told_beside_the_one_before_and_the_first() -> None:
    found = row_of([rate("100", 0), rate("110", 60), rate("125", 30)])
    assert (found.item_rate, found.amount, found.currency, found.effective_on) == ("partner/acme#steel", "110", "EUR", "2026-03-02")
    assert (found.change, found.change_all, found.count) == (-0.12, 0.1, 3)
    assert [point.amount for point in found.history] == ["100", "125", "110"]


def test_a_rate_is_held_against_its_benchmark_in_the_same_currency_alone() -> None:
    assert row_of([rate("110", benchmark=Money("100", "EUR"))]).above_benchmark == 0.1
    assert row_of([rate("110", benchmark=Money("100", "USD"))]).above_benchmark is None
    assert row_of([rate("110", benchmark=Money("0", "EUR"))]).above_benchmark is None


def test_rates_in_other_currencies_or_units_are_told_without_a_change() -> None:
    assert row_of([rate("100"), rate("110", 1, currency="USD")]).change is None
    assert row_of([rate("100"), rate("110", 1, unit="kg")]).change is None
    assert row_of([rate("100")]).change is None


def test_of_very_many_the_newest_are_remembered_and_all_are_counted() -> None:
    found = row_of([rate(str(100 + day), day) for day in range(RATES_KEPT + 10)])
    assert (len(found.history), found.count, found.history[0].amount) == (RATES_KEPT, RATES_KEPT + 10, "110")


def test_customers_and_other_touchpoints_have_no_rates() -> None:
    assert RATES.row_key(happened(Contact("phone", "inbound"), relationship="partner/acme")) is None
    assert RATES.row_key(happened(Rate("steel", "t", Money("1", "EUR"), FIRST))) is None


@given(st.lists(st.builds(rate, st.sampled_from(["90", "100"]), st.integers(0, 3)), min_size=1, max_size=8), st.data())
def test_the_order_of_arrival_does_not_matter(said: list[Recorded], data: st.DataObject) -> None:
    assert row_of(data.draw(st.permutations(said))) == row_of(said)
