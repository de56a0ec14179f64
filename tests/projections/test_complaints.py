"""complaints: the row does not depend on the order in which we heard of things."""

import itertools
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from projections.complaints import COMPLAINTS, Row
from projections.scoring.cases.complaint import ComplaintCase
from projections.scoring.marks import mark
from projections.scoring.policy_file import shipped
from schemas.catalogue import Complaint, ComplaintResolved, Contact, Data, Money
from schemas.touchpoint import Recorded
from tests.projections.houses import rows

RELATIONSHIP = "customer/acme"
HOUR = 3_600_000_000
OPENING = Complaint("17", by="them", severity="major", topic="delivery")
RESOLUTION = ComplaintResolved("17", outcome="resolved", satisfied=True, compensation=Money("20.00", "EUR"))
_positions = itertools.count(1)


def said(data: Data | None, *, hour: int = 0, source: str = "crm", id_: str = "1", relationship: str = RELATIONSHIP) -> Recorded:
    position = next(_positions)
    return Recorded(position, relationship, position, "", position, hour * HOUR, source, id_, None, data)


def folded(events: Iterable[Recorded]) -> Row | None:
    return rows(COMPLAINTS, events).get(f"{RELATIONSHIP}#17")


def test_a_complaint_is_open_until_it_is_resolved() -> None:
    opened = Row(
        complaint="customer/acme#17",
        relationship=RELATIONSHIP,
        complaint_id="17",
        status="open",
        by="them",
        severity="major",
        topic="delivery",
        opened_at="1970-01-01T00:00:00Z",
        resolved_at=None,
        outcome=None,
        satisfied=None,
        compensation_amount=None,
        compensation_currency=None,
    )
    assert folded([said(OPENING)]) == opened
    row = folded([said(OPENING), said(RESOLUTION, hour=30)])
    assert row is not None
    assert (row.status, row.outcome, row.satisfied) == ("resolved", "resolved", True)
    assert (row.opened_at, row.resolved_at) == ("1970-01-01T00:00:00Z", "1970-01-02T06:00:00Z")
    assert (row.compensation_amount, row.compensation_currency) == ("20.00", "EUR")


def test_a_resolution_nobody_had_reported_shows_and_joins_its_opening_when_that_comes() -> None:
    row = folded([said(RESOLUTION, hour=30)])
    assert row is not None
    assert (row.status, row.outcome, row.by, row.opened_at) == ("unknown_opening", "resolved", None, None)
    assert folded([said(RESOLUTION, hour=30), said(OPENING)]) == folded([said(OPENING), said(RESOLUTION, hour=30)])


def test_complaints_of_other_relationships_and_other_touchpoints_are_other_rows_or_none() -> None:
    assert COMPLAINTS.row_key(said(OPENING)) == COMPLAINTS.key(said(RESOLUTION)) == "customer/acme#17"
    assert COMPLAINTS.row_key(said(OPENING, relationship="partner/acme")) == "partner/acme#17"
    assert COMPLAINTS.row_key(said(Contact(channel="mail", direction="inbound"))) is None
    assert COMPLAINTS.row_key(said(None)) is None


words = st.builds(
    said,
    st.one_of(
        st.builds(
            Complaint, st.just("17"), by=st.sampled_from(["us", "them"]), severity=st.sampled_from(["minor", "critical"]), topic=st.none()
        ),
        st.builds(ComplaintResolved, st.just("17"), outcome=st.sampled_from(["resolved", "rejected", "withdrawn"])),
    ),
    hour=st.integers(0, 3),
    source=st.sampled_from(["crm", "desk"]),
    id_=st.sampled_from("abc"),
)


@given(said_=st.lists(words, max_size=8, unique_by=lambda event: (event.source, event.id)), data=st.data())
def test_the_order_of_arrival_does_not_matter(said_: list[Recorded], data: st.DataObject) -> None:
    assert folded(data.draw(st.permutations(said_))) == folded(said_)


@given(said_=st.lists(words, min_size=1, max_size=8, unique_by=lambda event: (event.source, event.id)))
def test_the_word_that_holds_is_the_earliest(said_: list[Recorded]) -> None:
    row = folded(said_)
    assert row is not None
    in_order = sorted(said_, key=mark)
    opening = next((event.data for event in in_order if isinstance(event.data, Complaint)), None)
    resolution = next((event.data for event in in_order if isinstance(event.data, ComplaintResolved)), None)
    assert (row.by, row.severity) == (opening and opening.by, opening and opening.severity)
    assert row.outcome == (resolution and resolution.outcome)
    assert row.status == ("unknown_opening" if opening is None else "open" if resolution is None else resolution.outcome)


@given(said_=st.lists(words, min_size=1, max_size=8, unique_by=lambda event: (event.source, event.id)))
def test_the_view_tells_the_complaint_that_the_score_weighs(said_: list[Recorded]) -> None:
    row, case = folded(said_), ComplaintCase()
    for event in said_:
        assert isinstance(event.data, Complaint | ComplaintResolved)
        case.take(event, event.data, shipped())
    assert row is not None
    if case.opened is not None:
        assert (row.by, row.severity) == (case.by, case.severity)
    if case.resolved is not None:
        assert row.outcome == case.outcome
