"""What a partner supplies: chosen by name and by when it happened, whatever arrives first."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.partners.supply import State, supply
from projections.scoring.policy import Policy
from schemas import catalogue as c
from schemas.touchpoint import Recorded
from tests.projections import houses
from tests.projections.events import NOW, POLICY, happened, sample

PARTNERS = sorted(name for name in sample() if name.startswith("partner/"))
SMALL = msgspec.structs.replace(POLICY, supply=msgspec.structs.replace(POLICY.supply, items_kept=3, months_kept=13))


def row(events: Sequence[Recorded], policy: Policy = POLICY) -> Any:
    return houses.row(supply(policy), events)


def told(data: c.Data, days_ago: float = 3.0) -> Recorded:
    return happened(data, days_ago, relationship="partner/p")


def rate(item: str, euros: float, day: date = date(2026, 1, 1), benchmark: float | None = None) -> c.Rate:
    return c.Rate(item, "kg", c.Money(f"{euros:.2f}", "EUR"), day, None if benchmark is None else c.Money(f"{benchmark:.2f}", "EUR"))


def order(item: str, quantity: float = 10, price: float | None = 2.0, days_ago: float = 3.0) -> Recorded:
    line = c.OrderedItem(item, quantity, None if price is None else c.Money(f"{price:.2f}", "EUR"))
    return told(c.OrderPlaced("o1", c.Money("50.00", "EUR"), items=(line,)), days_ago)


@given(st.data())
def test_the_order_of_arrival_does_not_matter(data: st.DataObject) -> None:
    kept = [event for event in sample()[data.draw(st.sampled_from(PARTNERS))] if supply(POLICY).row_key(event)]
    events = data.draw(st.lists(st.sampled_from(kept), min_size=1, max_size=60, unique_by=lambda event: event.position))
    assert row(data.draw(st.permutations(events))) == row(sorted(events, key=lambda event: event.occurred_us))


@given(st.data())
def test_of_very_many_items_and_months_the_same_sample_is_kept_whatever_arrives_first(data: st.DataObject) -> None:
    names = st.sampled_from([f"item-{number}" for number in range(12)])
    orders = st.builds(lambda item, ago: order(item, days_ago=30.0 * ago), names, st.integers(0, 40))
    rates = st.builds(lambda item, euros: told(rate(item, euros)), names, st.floats(1, 9))
    events = data.draw(st.lists(orders | rates, min_size=1, max_size=60))
    found = row(events, SMALL)
    assert found == row(data.draw(st.permutations(events)), SMALL)
    assert len(found.items) <= 3
    assert all(len(months) <= 13 for item in found.items for months in item.bought.values())


@given(st.data())
def test_a_state_written_down_and_read_again_goes_on_as_before(data: st.DataObject) -> None:
    view = supply(POLICY)
    events = [event for event in sample()[data.draw(st.sampled_from(PARTNERS))] if view.row_key(event)]
    cut = data.draw(st.integers(1, len(events)))
    state = None
    for event in events[:cut]:
        state = view.fold(state, [event])
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State)
    for event in events[cut:]:
        state = view.fold(state, [event])
    assert view.publish(state, NOW) == row(events)


def test_rates_stand_in_the_order_they_take_effect() -> None:
    found = row([told(rate("steel", 3, date(2026, 3, 1), 2.5)), told(rate("steel", 2, date(2026, 1, 1)))])
    (item,) = found.items
    assert [(one.effective_on, one.rate, one.benchmark) for one in item.rates] == [("2026-01-01", 2.0, None), ("2026-03-01", 3.0, 2.5)]


def test_a_benchmark_in_another_currency_is_none() -> None:
    foreign = c.Rate("steel", "kg", c.Money("3.00", "EUR"), date(2026, 1, 1), c.Money("3.30", "USD"))
    assert row([told(foreign)]).items[0].rates[0].benchmark is None


def test_what_was_bought_is_added_up_by_month_and_currency() -> None:
    found = row([order("steel", 10, 2.0), order("steel", 5, 4.0), order("steel", 1, 1.0, days_ago=40)])
    assert found.items[0].bought == {"EUR": {"2026-04": (1, 1), "2026-05": (15, 40)}}


def test_an_order_of_one_line_without_a_price_has_the_order_s() -> None:
    assert row([order("steel", 10, None)]).items[0].bought == {"EUR": {"2026-05": (10, 50)}}
    two = c.OrderPlaced("o", c.Money("9.00", "EUR"), items=(c.OrderedItem("a", 1), c.OrderedItem("b", 1)))
    assert row([told(two)]).items == ()


def test_a_category_without_another_source_is_sole_source_until_the_newest_word_says_otherwise() -> None:
    sole, two = c.Qualified("steel", 0), c.Qualified("steel", 2)
    assert row([told(sole, 9), told(c.Qualified("zinc", 1), 9)]).sole_source == ("steel",)
    for events in ([told(sole, 9), told(two, 3)], [told(two, 3), told(sole, 9)]):
        assert (row(events).sole_source, row(events).alternatives) == ((), {"steel": 2})


ENDS = date(2026, 5, 20)  # NOW is 1 June


@pytest.mark.parametrize(("days_ago", "rushed"), [(60, {}), (20, {}), (17, {"2026-05": 1}), (3, {"2026-05": 1})])
def test_a_renewal_in_the_last_days_or_after_the_end_was_left_too_late(days_ago: float, rushed: dict[str, int]) -> None:
    signed = told(c.ContractSigned("k1", date(2025, 5, 21), ENDS), 370)
    renewed = told(c.ContractRenewed("k1", date(2027, 5, 20)), days_ago)
    for events in ([signed, renewed], [renewed, signed]):
        assert row(events).rushed_renewals == rushed


def test_a_contract_that_goes_on_by_itself_is_never_late() -> None:
    signed = told(c.ContractSigned("k1", date(2025, 5, 21), ENDS, renewal="auto"), 370)
    assert row([signed, told(c.ContractRenewed("k1", date(2027, 5, 20)), 12)]).rushed_renewals == {}


def test_disruptions_are_kept_from_the_newest_back() -> None:
    events = [told(c.Disrupted(date.fromordinal(date(2024, 1, 1).toordinal() + 10 * n), ends_on=None), 3) for n in range(40)]
    found = row(events[::-1]).disruptions
    assert len(found) == 24
    assert found[-1] == ("2025-01-25", None)


def test_the_newest_name_and_segment_hold() -> None:
    found = row([told(c.Opened("New", segment="metal"), 2), told(c.Opened("Old", segment="wood"), 200)])
    assert (found.name, found.segment) == ("New", "metal")
