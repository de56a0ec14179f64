"""What a row of reputation tells: our own conduct and nothing else, whatever the order it is told in."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from math import exp2

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.reputation.conduct import COLUMNS, Row, State, reputation
from projections.reputation.topics import CASES, NUMBERS, SIMPLE, told
from projections.scoring.cases import Case
from schemas import catalogue as c
from schemas.touchpoint import Recorded, moment
from tests.projections import houses
from tests.projections.events import DAY, NOW, POLICY, happened, sample
from tests.projections.houses import rows

VIEW = reputation(POLICY)
row = partial(houses.row, VIEW)
TODAY = date(2026, 6, 1)
SOON = moment(NOW - 5 * DAY)


def amounts(row: Row) -> dict[str, float]:
    return {name: getattr(row, name) for name in COLUMNS if getattr(row, name)}


@st.composite
def histories(draw: st.DrawFn) -> list[Recorded]:
    """Some of what happened in one relationship of the sample, arriving in any order."""
    relationship = draw(st.sampled_from(sorted(sample())))
    events = [event for event in sample()[relationship] if VIEW.row_key(event)]
    chosen = draw(st.lists(st.sampled_from(events), min_size=1, max_size=60, unique_by=lambda event: event.position))
    return draw(st.permutations(chosen))


def same(one: Row, other: Row) -> None:
    """Equal but for the last digit a row tells."""
    for name in ("level", "evidence", *COLUMNS):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=0.011 if name == "level" else 3e-6)
    assert one.months.keys() == other.months.keys()
    for month, sides in one.months.items():
        assert sides == pytest.approx(other.months[month], abs=3e-6)


@given(histories(), st.integers(0, 400))
def test_the_order_of_arrival_does_not_matter(events: list[Recorded], days_later: int) -> None:
    moment_us = NOW + days_later * DAY
    same(row(events, moment_us), row(sorted(events, key=lambda event: event.occurred_us), moment_us))


@given(histories(), st.data())
def test_a_state_written_down_and_read_again_goes_on_as_before(events: list[Recorded], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(events)))
    state = None
    for event in events[:cut]:
        state = VIEW.fold(state, [event])
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State)
    for event in events[cut:]:
        state = VIEW.fold(state, [event])
    same(VIEW.publish(state, NOW), row(events))  # type: ignore[arg-type]


@given(histories(), st.integers(0, 400))
def test_a_row_is_what_adding_up_every_event_anew_gives(events: list[Recorded], days_later: int) -> None:
    moment_us = NOW + days_later * DAY
    kind = events[0].relationship.partition("/")[0]
    cases: dict[str, Case] = {}
    found = [[0.0, 0.0] for _ in NUMBERS]

    def add(number: int, at_us: int, plus: float, minus: float) -> None:
        fade = exp2((at_us - moment_us) / POLICY.reputation.half_life_us)
        found[number][0] += plus * fade
        found[number][1] += minus * fade

    for event in events:
        for number, source in SIMPLE[kind].get(type(event.data), ()):
            evidence = source(event.data, POLICY)
            if evidence is not None and evidence.ours:
                add(number, event.occurred_us, evidence.plus, evidence.minus)
        if (case_type := CASES.get(type(event.data))) is not None:
            case = cases.setdefault(case_type.key(event.data), case_type())  # type: ignore[arg-type]
            case.take(event, event.data, POLICY)  # type: ignore[arg-type]
    for case in cases.values():
        for number, item, minus in told(case, moment_us, kind, POLICY):
            add(number, item.at_us, item.plus, minus)
    published = row(events, moment_us)
    for topic, number in NUMBERS.items():
        for side, amount in zip(("for", "against"), found[number], strict=True):
            assert getattr(published, f"{side}_{topic}", 0.0) == pytest.approx(amount, abs=2e-6)
    assert published.evidence == pytest.approx(sum(map(sum, found)), abs=1e-5)


def delivered(by: c.By, late_days: float = 0.0) -> c.Delivery:
    return c.Delivery("o1", by, SOON, SOON + timedelta(days=late_days), 10, 10)


def paid(by: c.By, late_days: int) -> c.Payment:
    return c.Payment("i1", by, c.Money("5.00", "EUR"), TODAY, TODAY + timedelta(days=late_days))


def agreed(price: float) -> list[c.Data]:
    issue = c.Issue("price", c.Ours(14, 10), theirs=c.Theirs(8, 12))
    return [c.NegotiationOpened("n1", (issue,)), c.NegotiationClosed("n1", "agreed", {"price": price})]


OURS: list[tuple[list[c.Data], set[str]]] = [
    ([delivered("us")], {"for_deliveries"}),
    ([delivered("us", 9)], {"against_deliveries"}),
    ([paid("us", 0)], {"for_payments"}),
    ([paid("us", 15)], {"for_payments", "against_payments"}),
    ([c.InvoiceDisputed("i1", "them")], {"against_invoices"}),
    ([c.ContractBreached("k1", "us", "major")], {"against_contracts"}),
    ([c.Incident("e1", "us", "major")], {"against_incidents"}),
    ([c.Return("o1", "defect")], {"against_returns"}),
    ([c.Return("o1", "changed_mind")], set()),
    ([c.Feedback("nps", 10)], {"for_feedback"}),
    ([c.Contact("mail", "inbound", 48.0)], {"for_answers", "against_answers"}),
    ([c.RequestAnswered("r1", "us", SOON, SOON)], {"for_answers"}),
    ([c.Complaint("c1", "them", "major")], {"against_complaints", "against_handling"}),
    ([c.Promise("p1", "us", SOON), c.PromiseSettled("p1", "kept")], {"for_promises"}),
    ([c.Promise("p1", "us", SOON)], {"against_promises"}),
    (agreed(11.9), {"for_deals", "against_deals"}),
]
THEIRS: list[list[c.Data]] = [
    [delivered("them", 9)],
    [paid("them", 40)],
    [c.InvoiceDisputed("i1", "us")],
    [c.ContractBreached("k1", "them", "critical")],
    [c.Incident("e1", "them", "critical")],
    [c.RequestAnswered("r1", "them", SOON, SOON)],
    [c.Complaint("c1", "us", "critical")],
    [c.Promise("p1", "them", SOON)],
    [c.Contact("mail", "outbound", 200.0)],
    agreed(10.1),
]


@pytest.mark.parametrize(("data", "columns"), OURS)
def test_each_kind_of_conduct_of_ours_speaks_in_its_topic(data: Sequence[c.Data], columns: set[str]) -> None:
    assert amounts(row([happened(one, 3) for one in data])).keys() == columns


@pytest.mark.parametrize("kind", ["customer", "partner"])
@pytest.mark.parametrize("data", THEIRS)
def test_what_they_do_says_nothing_of_us(kind: str, data: Sequence[c.Data]) -> None:
    opened = happened(c.Opened("Acme", segment="retail"), 9, relationship=f"{kind}/acme")
    found = row([opened, *(happened(one, 3, relationship=f"{kind}/acme") for one in data)])
    assert (amounts(found), found.segment) == ({}, "retail")


def test_what_we_send_back_to_a_partner_is_its_fault() -> None:
    assert not rows(VIEW, [happened(c.Return("o1", "defect"), relationship="partner/p")])["partner/p"].evidence


def test_a_complaint_settled_at_once_costs_less_than_one_left_open_and_the_difference_is_handling() -> None:
    complaint = happened(c.Complaint("c1", "them", "major"), 40)
    settled = happened(c.ComplaintResolved("c1", "resolved", satisfied=True), 40)
    rejected = happened(c.ComplaintResolved("c1", "rejected"), 20)
    at_once, open_, refused = row([complaint, settled]), row([complaint]), row([complaint, rejected])
    assert at_once.against_handling == pytest.approx(0.0, abs=1e-6)
    assert at_once.against_complaints == open_.against_complaints == refused.against_complaints > 0
    assert open_.against_handling > refused.against_handling > 1


def test_a_recovery_stands_in_the_month_it_was_made() -> None:
    complaint = happened(c.Complaint("c1", "them", "major"), 40)  # in April
    settled = happened(c.ComplaintResolved("c1", "resolved", satisfied=True), 10)  # in May
    months = row([complaint, settled]).months
    assert months["2026-04"][1] > 0 > months["2026-05"][1]


def test_months_beyond_those_told_singly_are_added_together() -> None:
    events = [happened(delivered("us"), 30 * ago) for ago in range(60)]
    found = row(events)
    assert len(found.months) <= POLICY.reputation.months_kept + 1
    assert sum(good for good, _ in found.months.values()) == pytest.approx(found.for_deliveries, abs=1e-4)
    assert found.months["earlier"][0] > 0
    state = None
    for event in events:
        state = VIEW.fold(state, [event])
    assert state is not None
    assert len(state.sums.months) < 40
