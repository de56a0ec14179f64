"""What goes wrong has a cost a month, with an interval that holds, and a remedy whose effect is recomputed."""

import numpy as np
import pytest

from projections.months import month_name, month_number
from projections.partners.leaks import BY_NAME, KINDS, Leak, better, interval, leaks
from projections.partners.prices import Ask, Price
from projections.partners.scorecards import Card, Ordered
from projections.scoring.figures import Total, Totals, levels, quality
from tests.projections.events import MODELS, POLICY

FIRST = month_number("2025-06")
YEAR = range(FIRST, FIRST + 12)
RULE = POLICY.leaks
HOUR = RULE.hour_cost
MODEL = MODELS["partner"]


def card(**counts: float) -> Card:
    """Ten orders of 1,000 EUR each, of which a hundred pieces were delivered."""
    found = Card("", "", "", {"EUR": Ordered(10, 10_000.0)}, delivered=100)
    for name, count in counts.items():
        setattr(found, name, count)
    return found


def told(cards: dict[int, Card], window: range = YEAR, **more: object) -> dict[str, Leak]:
    given = {"prices": [], "rushed": {}, "asks": []} | more
    return {leak.leak: leak for leak in leaks(cards, window, currency="EUR", policy=POLICY, **given)}  # type: ignore[arg-type]


def test_late_and_short_deliveries_cost_idle_stock_and_work_on_both_sides() -> None:
    (leak,) = told({FIRST: card(deliveries=10, on_time=7, in_full=9, otif=6, days_late=12.0, short=0.4)}).values()
    goods = 1000 * (RULE.late_day_share * 12 + RULE.short_share * 0.4)
    work = 4 * RULE.late_hours * HOUR
    assert leak.cost == pytest.approx((goods + work) / 12, abs=0.01)
    assert (leak.times, leak.months, leak.currency) == (4, 12, "EUR")
    assert leak.effect.ours == pytest.approx(leak.cost / 2, abs=0.01)
    assert leak.effect.theirs == pytest.approx(work / 2 / 12, abs=0.01)


def test_defects_cost_the_pieces_delivered_at_the_share_found_and_wrong_information_the_order() -> None:
    (leak,) = told({FIRST: card(checked=50, defective=5, bad_lots=2, supplied=3, refuted=1)}).values()
    goods = RULE.defect_share * (0.1 * 100 * 100 + 1000)  # a piece is worth 100
    assert leak.leak == "defects"
    assert leak.cost == pytest.approx((goods + 3 * RULE.defect_hours * HOUR) / 12, abs=0.01)


def test_slow_answers_cost_us_alone() -> None:
    (leak,) = told({FIRST: card(answered=5, answer_hours=300.0, slow=2, slow_hours=100.0, unanswered=1)}).values()
    assert leak.cost == pytest.approx((100 * RULE.wait_hours + RULE.unanswered_hours) * HOUR / 12, abs=0.01)
    assert (leak.leak, leak.times, leak.effect.theirs) == ("answers", 3, 0.0)


def test_disputes_and_rushed_renewals_cost_work_on_both_sides() -> None:
    found = told({FIRST: card(disputes=2)}, rushed={month_name(FIRST): 1, "2020-01": 7})
    assert found["disputes"].cost == pytest.approx(2 * RULE.dispute_hours * HOUR / 12, abs=0.01)
    assert found["renewals"].cost == pytest.approx(RULE.rush_hours * HOUR / 12, abs=0.01)
    assert all(leak.effect.theirs == leak.effect.ours for leak in found.values())


def test_rates_above_the_market_cost_what_was_paid_above_and_asking_takes_it_from_them() -> None:
    paid = [Price(FIRST, "EUR", 10, 120.0, 100.0), Price(FIRST, "EUR", 10, 80.0, 100.0), Price(FIRST, "USD", 10, 900.0, 100.0)]
    ask = Ask("steel", "kg", "EUR", 12, "", 10, "benchmark", 20.0, 10, 0.5, 10.0, 20.0)
    (leak,) = told({FIRST: card()}, prices=paid, asks=[ask]).values()
    assert leak.cost == pytest.approx(20 / 12, abs=0.01)
    assert leak.times == 1
    assert (leak.effect.ours, leak.effect.theirs) == (20.0, -20.0)


def test_the_dearest_leak_comes_first_and_what_never_happened_is_left_out() -> None:
    found = list(told({FIRST: card(disputes=9, deliveries=5, otif=4, on_time=4, in_full=5, days_late=1.0)}).values())
    assert [leak.leak for leak in found] == ["disputes", "deliveries"]
    assert told({FIRST: card(deliveries=5, otif=5, on_time=5, in_full=5)}) == {}


def test_without_a_full_month_nothing_is_told_and_other_months_do_not_count() -> None:
    assert told({FIRST: card(disputes=9)}, range(FIRST, FIRST)) == {}
    assert told({FIRST - 1: card(disputes=9), FIRST + 12: card(disputes=9)}) == {}


@pytest.mark.parametrize(("events", "months"), [(0.5, 12), (1.0, 12), (2.0, 12), (8.0, 12), (2.0, 4)])
def test_nine_in_ten_intervals_cover_what_a_month_truly_costs(events: float, months: int) -> None:
    rng = np.random.default_rng(3)
    inside = []
    for counts in rng.poisson(events, (800, months)):
        if counts.sum():
            costs = [float(rng.exponential(60.0, count).sum()) for count in counts]
            low, high = interval(costs, int(counts.sum()), 0.9)
            inside.append(low <= 60.0 * events <= high)
    assert 0.86 <= np.mean(inside) <= 0.94


def test_an_interval_is_wide_for_one_month_and_never_below_nothing() -> None:
    low, high = interval([100.0], 1, 0.9)
    assert 0 < low < 20
    assert high > 250
    low, high = interval([100.0] * 12, 120, 0.9)
    assert 70 < low < high < 130


def evidence(**minus: float) -> Totals:
    return Totals([Total(5.0, minus.get(name, 1.0), 0.5 if name == "trust" else 0.0) for name in MODEL.names])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.dimension])
def test_a_remedy_s_points_are_those_of_a_quality_recomputed_without_half_the_harm(kind: object) -> None:
    kind = BY_NAME[kind.name]  # type: ignore[attr-defined]
    before, after = evidence(), evidence()
    total = after.dimensions[MODEL.numbers[kind.dimension or ""]]
    gone = (total.minus - total.minus_ours) / 2
    total.minus -= gone
    total.plus += gone if kind.remedied == "better" else 0.0
    points = quality(levels(after, MODEL), MODEL) - quality(levels(before, MODEL), MODEL)
    assert better(kind, before, MODEL, 0.5) == pytest.approx(points, abs=0.01)
    assert points > 0


def test_a_leak_that_is_no_evidence_promises_no_points() -> None:
    assert better(BY_NAME["renewals"], evidence(), MODEL, 0.5) is None
