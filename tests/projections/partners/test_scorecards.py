"""A partner's month is what counting its touchpoints anew gives, and a period is the sum of its months."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.months import month_name, month_of
from projections.partners.period import Period, period, scorecard, summed
from projections.partners.scorecards import Card, scorecards
from schemas import catalogue as c
from schemas.errors import SettingsError
from schemas.touchpoint import Recorded, microseconds, moment
from tests.projections.events import DAY, NOW, POLICY, happened, sample
from tests.projections.houses import rows

VIEW = scorecards(POLICY)
PARTNERS = sorted(name for name in sample() if name.startswith("partner/"))
PROMISED = moment(NOW - 20 * DAY)


@st.composite
def histories(draw: st.DrawFn) -> list[Recorded]:
    relationship = draw(st.sampled_from(PARTNERS))
    chosen = draw(st.lists(st.sampled_from(sample()[relationship]), min_size=1, max_size=80, unique_by=lambda event: event.position))
    return draw(st.permutations(chosen))


@given(histories())
def test_the_order_of_arrival_does_not_matter(events: list[Recorded]) -> None:
    found, by_time = rows(VIEW, events), rows(VIEW, sorted(events, key=lambda event: event.occurred_us))
    assert found.keys() == by_time.keys()
    for key, card in found.items():
        one, other = msgspec.to_builtins(card), msgspec.to_builtins(by_time[key])
        assert one[:3] == other[:3]
        assert {currency: (orders, pytest.approx(amount)) for currency, (orders, amount) in one[3].items()} == {
            currency: tuple(ordered) for currency, ordered in other[3].items()
        }
        assert one[4:] == pytest.approx(other[4:])


def counted(events: Sequence[Recorded]) -> dict[str, float]:
    """What a clerk would count."""
    told = [event.data for event in events]
    deliveries = [one for one in told if isinstance(one, c.Delivery) and one.by == "them"]
    on_time = [one for one in deliveries if one.delivered_at <= one.promised_at]
    full = [one for one in deliveries if (one.quantity_delivered or 0) >= (one.quantity_promised or 0)]
    lots: list[tuple[float, float]] = [(one.inspected, one.defective) for one in told if isinstance(one, c.Inspection)]
    lots += [(one.quantity_delivered, one.defective) for one in deliveries if one.quantity_delivered and one.defective is not None]
    hours = [one.answered_at - one.asked_at for one in told if isinstance(one, c.RequestAnswered) and one.by == "them"]
    hours += [one.answered_at - one.asked_at for one in told if isinstance(one, c.Quote) and one.answered_at]
    in_hours = [wait / timedelta(hours=1) for wait in hours]
    return {
        "deliveries": len(deliveries),
        "on_time": len(on_time),
        "in_full": len(full),
        "otif": sum(one in full for one in on_time),
        "days_late": sum((one.delivered_at - one.promised_at) / timedelta(days=1) for one in deliveries if one not in on_time),
        "delivered": sum(one.quantity_delivered or 0 for one in deliveries),
        "checked": sum(pieces for pieces, _ in lots),
        "defective": sum(defective for _, defective in lots),
        "bad_lots": sum(defective > 0 for _, defective in lots),
        "answered": len(in_hours),
        "answer_hours": sum(in_hours),
        "slow": sum(wait > 24 for wait in in_hours),
        "unanswered": sum(isinstance(one, c.Quote) and one.answered_at is None for one in told),
        "disputes": sum(isinstance(one, c.InvoiceDisputed) and one.by == "us" for one in told),
        "complaints": sum(isinstance(one, c.Complaint) and one.by == "us" for one in told),
        "supplied": sum(isinstance(one, c.Information) for one in told),
        "refuted": sum(isinstance(one, c.Information) and one.accuracy == "refuted" for one in told),
    }


@pytest.mark.parametrize("relationship", PARTNERS[::7])
def test_each_month_of_the_sample_is_what_a_clerk_would_count(relationship: str) -> None:
    events = sample()[relationship]
    for key, card in rows(VIEW, events).items():
        month = [event for event in events if f"{relationship}#{month_name(month_of(event.occurred_us))}" == key]
        for name, count in counted(month).items():
            assert getattr(card, name) == pytest.approx(count), (key, name)
        spent = sum(float(event.data.amount.amount) for event in month if isinstance(event.data, c.OrderPlaced))
        assert sum(ordered.amount for ordered in card.ordered.values()) == pytest.approx(spent)


def delivered(late_days: float = 0.0, quantity: float = 10.0) -> c.Delivery:
    return c.Delivery("o1", "them", PROMISED, PROMISED + timedelta(days=late_days), 10, quantity)


def card(*data: c.Data) -> Card:
    return summed(rows(VIEW, [happened(one, 3, relationship="partner/p") for one in data]).values())


def test_on_time_in_full_needs_both() -> None:
    found = card(delivered(), delivered(-2), delivered(1), delivered(0, 9), delivered(2, 5))
    assert (found.deliveries, found.on_time, found.in_full, found.otif) == (5, 3, 3, 2)
    assert (found.days_late, found.short) == pytest.approx((3.0, 0.6))


def test_a_delivery_that_names_no_quantity_is_in_full() -> None:
    assert card(c.Delivery("o1", "them", PROMISED, PROMISED)).otif == 1


def test_customers_and_our_own_conduct_have_no_scorecard_figures() -> None:
    assert not rows(VIEW, [happened(delivered(), relationship="customer/acme")])
    ours = c.RequestAnswered("r", "us", PROMISED, PROMISED), c.InvoiceDisputed("i", "them"), c.Complaint("k", "them", "major")
    found = card(*ours, msgspec.structs.replace(delivered(), by="us"))
    assert msgspec.structs.replace(found, scorecard="", relationship="", month="") == Card("", "", "")


def test_figures_are_those_of_the_sums_and_nothing_is_divided_by_nothing() -> None:
    found = scorecard(
        card(delivered(), delivered(4), c.Inspection("l", 1000, 5), c.Information("i", PROMISED, accuracy="refuted")), [], POLICY
    )
    assert (found.otif_percent, found.days_late, found.defect_ppm, found.refuted_percent) == (50.0, 4.0, 5000.0, 100.0)
    assert found.otif_interval is not None
    assert found.otif_interval[0] < 10
    assert found.otif_interval[1] > 90
    nothing = scorecard(summed([], "2026"), [], POLICY)
    assert [name for name in nothing.__struct_fields__ if getattr(nothing, name) is None] == [
        "otif_percent",
        "otif_interval",
        "on_time_percent",
        "in_full_percent",
        "days_late",
        "defect_ppm",
        "price_variance_percent",
        "response_hours",
        "refuted_percent",
    ]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [("2026", "2026-01", "2026-12"), ("2026-Q2", "2026-04", "2026-06"), ("2026-05", "2026-05", "2026-05"), (None, "2025-07", "2026-06")],
)
def test_a_period_is_a_year_a_quarter_a_month_or_the_last_twelve(text: str | None, first: str, last: str) -> None:
    found = period(text, microseconds(datetime(2026, 6, 15, tzinfo=UTC)))
    assert (month_name(found.first), month_name(found.last)) == (first, last)
    assert found == Period(text or "12 months", found.first, found.last)


@pytest.mark.parametrize("text", ["26", "2026-13", "2026-Q5", "2026-5", "may", ""])
def test_anything_else_is_told_to_be_no_period(text: str) -> None:
    with pytest.raises(SettingsError, match="is no period: expected a year, quarter or month"):
        period(text, NOW)
