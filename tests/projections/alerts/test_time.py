"""Time passes by events and closes of days alone: whatever the batches, a replay raises the same alerts. Old imports raise no storm."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from projections import keeper
from projections.alerts.queries import Asked, listed
from projections.alerts.view import Row
from projections.moments import Moments
from projections.rebuild import rebuild
from projections.registry import projections
from schemas import catalogue as c
from schemas.cloudevents import touchpoint
from schemas.touchpoint import Recorded, Touchpoint
from service.days import day_closed
from service.sample.generator import generate
from tests.projections.alerts.folds import VIEW, day, folded, live, told
from tests.projections.events import DAY, NOW, POLICY, SEED, TYPES
from tests.projections.houses import House

HISTORY = "customer/acme"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def complaint(days_ago: float, id_: str = "C-1") -> Touchpoint:
    data = c.Complaint(id_, "them", "major")
    return touchpoint("crm", f"{id_}-opened", TYPES[type(data)], HISTORY, NOW - int(days_ago * DAY), data)


def resolution(days_ago: float, id_: str = "C-1") -> Touchpoint:
    data = c.ComplaintResolved(id_, "resolved")
    return touchpoint("crm", f"{id_}-resolved", TYPES[type(data)], HISTORY, NOW - int(days_ago * DAY), data)


def standing(house: House) -> Row:
    house.runner.catch_up()
    found = house.views.get(VIEW, HISTORY)
    assert found is not None
    return found.row  # type: ignore[no-any-return]


def test_the_close_of_a_day_raises_what_became_due_and_nothing_else_is_needed(house: House) -> None:
    house.append([complaint(0.0)])
    assert standing(house).alerts == ()
    house.now_us += 5 * DAY
    assert standing(house).alerts == ()  # no day was closed: the ledger knows of no time
    house.append([day_closed(house.now_us)])
    (one,) = standing(house).alerts
    assert (one.kind, one.state, one.historical) == ("complaint_overdue", "open", False)


def test_what_arrives_together_with_its_resolution_raises_nothing(house: House) -> None:
    house.append([complaint(300.0), resolution(299.0)])
    house.append([day_closed(house.now_us)])
    assert standing(house).alerts == ()


def test_what_lay_in_the_past_when_it_was_recorded_is_history_and_is_gone_when_it_proves_untrue(house: House) -> None:
    house.append([complaint(300.0), complaint(290.0, "C-2")])
    (one,) = standing(house).alerts
    assert (one.historical, one.state) == (True, "open")
    house.append([resolution(299.0)])
    (one,) = standing(house).alerts
    assert (one.historical, len(one.evidence)) == (True, 1)
    house.append([resolution(289.0, "C-2")])
    assert standing(house).alerts == ()


def test_a_rebuild_gives_the_same_alerts_after_two_years_of_the_sample(house: House) -> None:
    house.append(list(generate(SEED, NOW)))
    for _ in range(3):
        house.now_us += DAY
        house.append([day_closed(house.now_us)])
    kept = projections(POLICY)
    (rebuilt,) = rebuild(house.ledger, house.views, kept, names=["alerts"], clock=lambda: NOW)
    assert rebuilt.comparison is not None
    assert rebuilt.comparison.equal
    assert rebuilt.comparison.same > 250


def test_the_sample_read_in_at_once_delivers_next_to_nothing(house: House) -> None:
    house.append(list(generate(SEED, NOW)))
    house.append([day_closed(house.now_us)])
    found = listed(house.reader, Asked(states=()), Moments(house.now_us))
    assert len(found) > 500
    fresh = [one for one in found if not one.historical and one.state == "open"]
    assert len(fresh) < 20  # what is due later than it was read in, and the newest days


def test_the_views_answer_about_the_past_as_they_did_then(house: House) -> None:
    house.append([complaint(0.0)])
    house.now_us += 9 * DAY
    house.append([day_closed(house.now_us), resolution(-9.0)])
    asked = Asked(relationship=HISTORY, states=())
    assert [one.state for one in listed(house.reader, asked, Moments(house.now_us))] == ["closed"]
    assert [one.state for one in listed(house.reader, asked, Moments(house.now_us, as_of_us=NOW + 5 * DAY))] == ["open"]
    assert listed(house.reader, asked, Moments(house.now_us, as_of_us=NOW + DAY)) == []


@st.composite
def stories(draw: st.DrawFn) -> list[Recorded]:
    """Some months of a relationship, recorded in any order of time and with any delay."""
    events = []
    for number in range(draw(st.integers(3, 25))):
        ago, name = draw(st.floats(0.0, 200.0)), f"C-{draw(st.integers(0, 4))}"
        data = draw(
            st.sampled_from(
                [
                    c.Complaint(name, "them", "moderate"),
                    c.ComplaintResolved(name, "resolved"),
                    c.Promise(name, "us", day(ago - 5.0)),
                    c.PromiseSettled(name, "broken"),
                    c.Purchase(f"O-{number}", c.Money("10", "EUR")),
                    c.Delivery(f"O-{number}", "us", day(ago + 3.0), day(ago)),
                ]
            )
        )
        event = live(data, ago)
        events.append(replace(event, recorded_us=min(NOW, event.occurred_us + draw(st.sampled_from([0, DAY, 60 * DAY])))))
    return sorted(events, key=lambda event: event.recorded_us)


@given(stories(), st.lists(st.floats(0.0, 200.0), max_size=6))
def test_looking_changes_nothing_however_often_and_whenever(events: list[Recorded], looks: list[float]) -> None:
    book = folded(events[:1])
    for event in events[1:]:
        for ago in looks:
            VIEW.publish(book, max(event.recorded_us - int(ago * DAY), book.seen_us))
        book = VIEW.fold(book, [event])
    assert VIEW.publish(book, NOW) == VIEW.publish(folded(events), NOW)


def test_what_was_over_and_comes_again_on_the_same_day_is_another_alert() -> None:
    first = [live(c.Complaint("C-1", "them", "major"), 20.0), live(c.ComplaintResolved("C-1", "resolved"), 5.0)]
    again = replace(live(c.Complaint("C-2", "them", "major"), 20.0), recorded_us=NOW - 5 * DAY)  # and was due as the other was
    found = told([*first, again])
    assert [one.state for one in found].count("closed") == 1
    assert len({one.id for one in found}) == len(found) == 2


@given(stories())
def test_one_alert_stands_for_a_cause_at_a_time_and_ids_are_unique(events: list[Recorded]) -> None:
    found = told(events)
    standing = [one.cause for one in found if one.state == "open"]
    assert len(standing) == len(set(standing))
    assert len({one.id for one in found}) == len(found)
    positions = {event.position for event in events}
    assert all(one.evidence and positions.issuperset(one.evidence) for one in found)


def test_the_size_of_batches_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for size in (1, 7, 5_000):
        monkeypatch.setattr(keeper, "READ_EVENTS", size)
        (tmp_path / str(size)).mkdir()
        house = House(tmp_path / str(size))
        for number in range(30):
            house.now_us = NOW + number * DAY
            house.ledger.append([complaint(-number, f"C-{number}"), day_closed(house.now_us)])
            if number % 3:
                house.ledger.append([resolution(-number, f"C-{number - 1}")])
            if size == 1:
                house.runner.catch_up()
        found.append(standing(house))
        house.close()
    assert found[0] == found[1] == found[2]
    assert len(found[0].alerts) > 1
