"""Rows that change although nothing happens: published for the moment they do, at the close of the day after, and no others then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.projection import fading
from schemas.touchpoint import Recorded
from tests.projections.alerts.folds import VIEW as ALERTS
from tests.projections.alerts.folds import folded
from tests.projections.alerts.test_time import stories
from tests.projections.chains import SECOND, Clock, House, Row, State, chains, own_time, row, stepping
from tests.projections.events import DAY, NOW

seconds = st.integers(1, 400).map(SECOND.__mul__)


clocks = st.sampled_from([Clock(fading), Clock(stepping), Clock(stepping, own_time)])


@given(clocks, st.integers(0, 9), seconds, st.lists(seconds, min_size=1, max_size=12).map(sorted))
def test_how_often_a_day_is_closed_does_not_change_what_a_row_is_published_for(
    clock: Clock, events: int, recorded_us: int, closes: list[int]
) -> None:
    view, state = chains(clock=clock), State("customer/c1", events)
    at = view.moment(state, recorded_us, 0)
    for close_us in closes:
        if at[1] is not None and at[1] <= close_us:
            at = view.moment(state, recorded_us, close_us)
    assert at == view.moment(state, recorded_us, closes[-1])
    assert at[0] <= max(recorded_us if clock.told is None else clock.told(state), closes[-1])


@pytest.mark.usefixtures("small")
def test_the_close_of_a_day_publishes_what_is_due_and_nothing_else(house: House) -> None:
    published = list[str]()

    def due(state: State, moment_us: int) -> int | None:
        return 70 * SECOND if state.events == 2 and moment_us < 70 * SECOND else None

    def publish(state: State, moment_us: int) -> Row:
        published.append(state.chain)
        return row(state, moment_us)

    view = chains(clock=Clock(due), publish=publish)
    house.log.add_many(28, relationships=20)  # eight have two
    house.log.close_day()
    house.catch_up(view)
    assert {one.evaluated_us for one in house.views.select(view)} == {number * SECOND for number in range(9, 29)}
    house.log.add_many(41, relationships=1)
    house.log.close_day()
    published.clear()
    house.catch_up(view)
    expected = {one.state.chain for one in house.views.select(view, state=True) if one.state.events == 2}
    assert len(expected) == 8
    assert set(published) - {"customer/c0", "customer/c0#second"} == expected
    assert {one.evaluated_us for one in house.views.select(view) if one.row.chain in expected} == {70 * SECOND}
    house.log.close_day()
    published.clear()
    house.catch_up(view)
    assert published == []


@given(stories(), st.integers(0, 200 * DAY), st.integers(0, 400 * DAY))
def test_until_they_are_due_alerts_stay_as_they_are(events: list[Recorded], later: int, more: int) -> None:
    book = folded(events)
    moment_us = NOW - 200 * DAY + later
    assert ALERTS.due is not None
    due_us = ALERTS.due(book, moment_us)
    assert due_us is None or due_us > moment_us
    until_us = min(moment_us + more, NOW + 10_000 * DAY if due_us is None else due_us - 1)
    assert ALERTS.publish(book, until_us) == ALERTS.publish(book, moment_us)
