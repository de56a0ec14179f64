"""How a relationship began, and how good it was later: as it was told then, whatever the order in which it was reported."""

import random
from datetime import date, timedelta
from functools import partial
from math import isclose
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.acquisition.beginnings import acquisition
from projections.acquisition.days import UNTOLD
from projections.scoring.figures import figures
from schemas import catalogue as c
from schemas.touchpoint import Recorded, moment
from tests.projections import houses
from tests.projections.events import DAY, MODELS, NOW, POLICY, folded, happened, sample

VIEW = acquisition(POLICY)
row = partial(houses.row, VIEW)
RULE = POLICY.acquisition
EUR = "EUR"


def bought(days_ago: float, amount: str = "100", margin: str | None = "30") -> Recorded:
    money = None if margin is None else c.SignedMoney(margin, EUR)
    return happened(c.Purchase(f"o{days_ago}", c.Money(amount, EUR), money), days_ago)


def delivered(days_ago: float, late_days: int = 0, **more: Any) -> Recorded:
    at = moment(NOW - int(days_ago * DAY))
    return happened(c.Delivery(f"d{days_ago}", "us", at - timedelta(days=late_days), at, **more), days_ago)


def alike(one: Any, other: Any) -> bool:
    """Equal but for the last bits of sums that were added up in another order."""
    pairs = zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True)
    return all(isclose(a, b, abs_tol=0.011) if isinstance(a, float) and isinstance(b, float) else a == b for a, b in pairs)


@pytest.mark.parametrize("days", [RULE.near_days, RULE.far_days])
def test_quality_is_what_was_told_that_day_on_the_evidence_of_then(days: int) -> None:
    for relationship, events in list(sample().items())[::12]:
        begun = min(event.occurred_us for event in events) // DAY
        end_us = (begun + days) * DAY
        then = [msgspec.structs.replace(event, recorded_us=end_us) for event in events if event.occurred_us < end_us]
        told = figures(folded(then), MODELS[relationship.partition("/")[0]], end_us)
        found = row(list(events))
        quality = found.near_quality if days == RULE.near_days else found.far_quality
        assert quality == (None if end_us > NOW or told.evidence <= 0.0 else pytest.approx(told.quality, abs=0.011))


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_arrival_changes_nothing(seed: int) -> None:
    rng = random.Random(seed)
    for events in list(sample().values())[seed::30]:
        shuffled = list(events)
        rng.shuffle(shuffled)
        assert alike(row(shuffled), row(list(events)))


def test_what_happens_after_the_later_moment_changes_nothing() -> None:
    events = [bought(400), bought(390), delivered(380)]
    later = [
        bought(400 - RULE.far_days),
        happened(c.Opened("Acme", channel="fair"), 10),
        happened(c.Complaint("x", "them", "critical"), 200),
    ]
    assert row(events + later) == row(events)
    state = VIEW.fold(None, events)
    assert not any(VIEW.in_time(state, event) for event in later)


def test_a_touchpoint_from_before_moves_the_beginning_and_both_moments() -> None:
    first, events = bought(430, "50"), [bought(400), bought(300), bought(230)]
    assert row(events).begun_on == moment(NOW - 400 * DAY).date().isoformat()
    moved = row([*events, first])
    assert moved.begun_on == moment(NOW - 430 * DAY).date().isoformat()
    assert alike(moved, row([first, *events]))
    assert (row(events).far_value, moved.far_value) == (90.0, 90.0)  # one bought day came in, one went out
    assert moved.first_purchase == 50.0


def test_it_was_won_as_first_told() -> None:
    later = happened(c.Opened("Acme", channel="web", segment="gold", incentive="free-trial"), 90)
    first = happened(c.Opened("Acme", channel="referral"), 100)
    for events in ([later, first], [first, later]):
        found = row(events)
        assert (found.channel, found.segment, found.incentive) == ("referral", "gold", "free-trial")
    assert not row([bought(3)]).opened


def test_an_incentive_of_the_first_days_is_one_it_was_won_with() -> None:
    rebate = c.Incentive("i", "us", "rebate", c.Money("20", EUR))
    assert row([bought(100), happened(rebate, 100 - RULE.first_days + 1)]).incentive == "rebate, from us"
    assert row([bought(100), happened(rebate, 100 - RULE.first_days - 1)]).incentive is None


def test_first_experiences_are_the_first_to_happen_within_the_first_days() -> None:
    asked = moment(NOW - 95 * DAY)
    events = [
        delivered(80),
        delivered(92, late_days=2),
        happened(c.RequestAnswered("r", "us", asked, asked + timedelta(hours=30)), 94),
        happened(c.Payment("i", "them", c.Money("9", EUR), date(2026, 3, 1), date(2026, 3, 1)), 70),
        bought(95, "250"),
    ]
    found = row(events)
    assert (found.first_delivery, found.first_answer, found.first_payment, found.first_complaint) == ("late", "slow", "in time", None)
    assert (found.first_purchase, found.first_purchase_currency) == (250.0, EUR)
    assert row([bought(200), delivered(100)]).first_delivery is None
    assert row([delivered(9, quantity_promised=5, quantity_delivered=4)]).first_delivery == "short"


@pytest.mark.parametrize(("settled_after", "told"), [(3, "settled"), (60, "left open"), (None, "left open")])
def test_a_first_complaint_is_settled_or_left_open_when_the_first_days_end(settled_after: int | None, told: str) -> None:
    events = [bought(200), happened(c.Complaint("x", "them", "major"), 195)]
    if settled_after is not None:
        events.append(happened(c.ComplaintResolved("x", "resolved"), 195 - settled_after))
    assert row(events).first_complaint == row(events[::-1]).first_complaint == told


def test_a_partner_is_judged_by_what_it_does_and_by_our_payments() -> None:
    at, to = moment(NOW - 90 * DAY), "partner/p"
    quote = c.Quote("q", at, answered_at=at + timedelta(hours=3))
    rate = c.Rate("bolt", "piece", c.Money("1.20", EUR), date(2026, 3, 1), c.Money("1.00", EUR))
    paid = c.Payment("i", "us", c.Money("9", EUR), date(2026, 3, 1), date(2026, 3, 9))
    theirs = c.Delivery("d", "them", at, at)
    found = row([happened(data, 90 - number, relationship=to) for number, data in enumerate((quote, rate, paid, theirs))])
    told = found.first_quote, found.first_rate, found.first_payment, found.first_delivery
    assert told == ("quick", "above the benchmark", "late", "on time and in full")


def test_value_and_cost_are_sums_up_to_each_moment_and_active_is_who_bought_lately() -> None:
    given = happened(c.Incentive("i", "us", "discount", c.Money("20", EUR)), 399)
    talk = happened(c.Contact("phone", "inbound"), 395)
    found = row([bought(400), bought(350), bought(250), given, talk])
    hour = POLICY.serve.hour_cost * POLICY.serve.contact_hours
    assert (found.near_value, found.near_cost, found.near_active) == (60.0, 20.0 + hour, True)
    assert (found.far_value, found.far_cost, found.far_active) == (90.0, 20.0 + hour, True)
    assert (found.basis, found.currency) == ("margin", EUR)
    assert not row([bought(400), bought(390)]).near_active
    assert row([bought(400), bought(390, margin=None)]).basis == "revenue"


@given(st.sets(st.integers(0, RULE.far_days + 70), min_size=1, max_size=6), st.integers(0, 64))
def test_active_is_who_bought_within_so_many_days_before_a_moment(later: set[int], shift: int) -> None:
    found = row([bought(500 + shift - day) for day in sorted(later | {0})])
    for active, end in ((found.near_active, RULE.near_days), (found.far_active, RULE.far_days)):
        assert active == any(end - RULE.active_days <= day < end for day in later)


def test_nothing_is_told_of_a_moment_before_it_has_passed_and_the_same_ever_after() -> None:
    begun_us = (NOW - 400 * DAY) // DAY * DAY
    near_us, far_us = begun_us + RULE.near_days * DAY, begun_us + RULE.far_days * DAY
    events = [bought(400), bought(350), bought(250)]
    last = row(events)
    for moment_us in (begun_us, near_us - 1, near_us, far_us - 1, far_us, NOW + 400 * DAY):
        found = row(events, moment_us)
        assert {name: value for name, value in msgspec.structs.asdict(found).items() if value is not None} == {
            name: value
            for name, value in msgspec.structs.asdict(last).items()
            if value is not None
            and not (name.startswith("near_") and moment_us < near_us)
            and not (name.startswith("far_") and moment_us < far_us)
        }


@given(st.sampled_from(sorted(sample())), st.integers(0, 500 * DAY), st.integers(0, 300 * DAY))
def test_until_it_is_due_a_row_stays_as_it_is(relationship: str, ago: int, more: int) -> None:
    (state,) = houses.states(VIEW, sample()[relationship]).values()
    assert VIEW.due is not None
    due_us, until_us = VIEW.due(state, NOW - ago), NOW - ago + more
    assert due_us is None or due_us > NOW - ago
    assert VIEW.publish(state, until_us if due_us is None else min(until_us, due_us - 1)) == VIEW.publish(state, NOW - ago)


def test_the_nearer_figure_is_remembered_until_one_from_before_it_is_heard_of() -> None:
    events = [bought(400), delivered(380, late_days=3), bought(400 - RULE.near_days), bought(250)]
    (state,) = houses.states(VIEW, events).values()
    known = row(events[:2]).near_quality
    assert state.near == row(events).near_quality == known
    unknown = VIEW.fold(state, [happened(c.Complaint("x", "them", "critical"), 390)])
    assert unknown.near == UNTOLD
    assert row([*events, happened(c.Complaint("x", "them", "critical"), 390)]).near_quality < known - 1.0
