"""Parking: one event that fails holds up its relationship alone, and nothing of it is lost."""

import msgspec
import pytest

from projections.keeper import Keeper, Retried
from tests.projections.chains import (
    House,
    Row,
    State,
    chains,
    from_nothing,
    naive,
    parked,
    row,
    table,
)


@pytest.mark.usefixtures("small")
def test_a_failing_event_parks_its_relationship_in_order_and_the_others_flow(house: House) -> None:
    house.log.add_many(100)
    poisoned = [one for one in house.log.events if one.relationship == "customer/c3"][5].position
    broken = chains(lambda id_: id_ == f"e{poisoned}")
    house.catch_up(broken)
    house.log.add_many(50)
    house.catch_up(broken)

    flowing = [one for one in house.log.events if one.relationship != "customer/c3" or one.position < poisoned]
    assert {one.state.chain: (one.state, one.position) for one in house.views.select(chains(), state=True)} == naive(flowing, chains())
    (waiting,) = house.views.parked()
    assert (waiting.projection, waiting.relationship, waiting.position) == ("chains", "customer/c3", poisoned)
    assert (waiting.error, waiting.attempts) == ("RuntimeError", 3)  # when built, and at the start of each worker
    assert waiting.message.startswith(f"poisoned by e{poisoned} (chains.py:")
    assert house.views.status(head=150)[0].parked == 1


@pytest.mark.usefixtures("small")
def test_parked_events_are_folded_in_order_when_the_fold_is_mended(house: House) -> None:
    house.log.add_many(100)
    house.catch_up(chains(lambda id_: int(id_[1:]) % 40 == 13))
    house.log.add_many(100)
    house.log.close_day()
    house.catch_up(chains(lambda id_: int(id_[1:]) % 40 == 13))
    assert parked(house.place) != []
    house.catch_up()
    assert parked(house.place) == []
    assert (table(house.place), []) == from_nothing(house.log)


def test_a_retry_that_fails_further_on_keeps_what_went_well(house: House) -> None:
    for number in range(10):
        house.log.add("customer/a", f"e{number}")
    house.catch_up(chains(lambda id_: id_ in {"e2", "e6"}))
    assert parked(house.place) == [("customer/a", "RuntimeError", 3)]
    house.catch_up(chains(lambda id_: id_ == "e6"))
    assert parked(house.place) == [("customer/a", "RuntimeError", 7)]
    assert {one.position for one in house.views.select(chains())} == {5, 6}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("beside", [False, True], ids=["live", "built beside"])
@pytest.mark.parametrize(("chain", "nth"), [("customer/c3", 3), ("customer/c3#second", 8)])
def test_a_row_that_cannot_be_published_parks_its_relationship(house: House, beside: bool, chain: str, nth: int) -> None:
    def publish(state: State, moment_us: int) -> Row:
        if state.events >= 3 and state.chain == chain:
            raise ZeroDivisionError
        return row(state, moment_us)

    if not beside:
        house.catch_up(chains(publish=publish))
    for _ in range(4):
        house.log.add_many(15)  # two events for each main row, one for each second
        if not beside:
            house.catch_up(chains(publish=publish))
    house.catch_up(chains(publish=publish))
    third = [one.position for one in house.log.events if one.relationship == "customer/c3"][nth]  # of that row
    assert parked(house.place) == [("customer/c3", "ZeroDivisionError", third)]
    house.catch_up()
    assert (table(house.place), []) == from_nothing(house.log)


def test_a_row_is_not_removed_by_an_event_that_waits(house: House) -> None:
    def publish(state: State, moment_us: int) -> Row:
        if "#second" in state.chain:
            raise ZeroDivisionError
        return row(state, moment_us)

    for id_ in ("e1", "e2"):
        house.log.add("customer/a", id_)
    house.catch_up(chains(publish=publish))
    for id_ in ("e3", "remove-4"):  # the third event is for the second row
        house.log.add("customer/a", id_)
    house.catch_up(chains(publish=publish))
    assert [one.state.last for one in house.views.select(chains(), state=True)] == ["e2"]
    house.catch_up()
    assert [one.state.last for one in house.views.select(chains(), state=True)] == ["e3"]


@pytest.mark.parametrize("value", [2**63, "\ud800"], ids=["too large an integer", "half a character"])
def test_a_value_no_column_can_hold_parks_its_relationship(house: House, value: int | str) -> None:
    def publish(state: State, moment_us: int) -> Row:
        field = "events" if isinstance(value, int) else "digest"
        return msgspec.structs.replace(row(state, moment_us), **{field: value} if state.events == 4 and state.chain.endswith("c3") else {})

    house.catch_up(chains(publish=publish))
    house.log.add_many(21)
    house.catch_up(chains(publish=publish))
    assert [one.relationship for one in house.views.parked()] == []  # four events of it were never the last
    house.log.add_many(5)
    house.catch_up(chains(publish=publish))
    assert [one.relationship for one in house.views.parked()] == ["customer/c3"]
    house.catch_up()
    assert (table(house.place), []) == from_nothing(house.log)


def test_a_value_no_column_can_hold_does_not_hinder_another_projection(house: House) -> None:
    def publish(state: State, moment_us: int) -> Row:
        return msgspec.structs.replace(row(state, moment_us), events=2**63 if state.chain == "customer/c3" else 0)

    both = chains(), chains(publish=publish, name="others")
    house.catch_up(*both)
    house.log.add_many(20)
    house.catch_up(*both)
    assert [(one.projection, one.relationship) for one in house.views.parked()] == [("others", "customer/c3")]
    assert table(house.place) == from_nothing(house.log)[0]


def test_an_event_that_cannot_be_read_parks_its_relationship(house: House) -> None:
    house.log.add_many(20)
    house.log.add("customer/c3", "damaged", event=b'{"id": ')
    house.log.add_many(20)
    house.catch_up()
    assert parked(house.place) == [("customer/c3", "AlteredError", 21)]
    assert house.views.parked()[0].key is None
    whole = [one for one in house.log.events if one.relationship != "customer/c3" or one.position < 21]
    assert {one.state.chain: (one.state, one.position) for one in house.views.select(chains(), state=True)} == naive(whole, chains())


def test_an_event_whose_row_cannot_be_told_parks_its_relationship(house: House) -> None:
    def key(event: object) -> str | None:
        if broken and event.id == "e9":  # type: ignore[attr-defined]
            raise LookupError
        return chains().key(event)  # type: ignore[arg-type]

    broken = True
    projection = msgspec.structs.replace(chains(), key=key)
    house.log.add_many(30)
    house.catch_up(projection)
    assert parked(house.place) == [(house.log.events[8].relationship, "LookupError", 9)]
    broken = False
    house.catch_up(projection)
    assert (table(house.place), []) == from_nothing(house.log)


def test_a_row_that_fails_at_the_close_of_a_day_is_retried(house: House) -> None:
    def publish(state: State, moment_us: int) -> Row:
        if moment_us == tick_us and state.chain == "customer/c3":
            raise ZeroDivisionError
        return row(state, moment_us)

    tick_us = 0
    projection = chains(publish=publish)
    house.log.add_many(40)
    house.catch_up(projection)
    tick_us = house.log.close_day()
    house.catch_up(projection)
    assert parked(house.place) == [("customer/c3", "ZeroDivisionError", 42)]  # events from there on wait
    house.catch_up(projection)
    assert house.views.parked()[0].attempts == 2
    house.log.add_many(10)
    house.catch_up()
    assert (table(house.place), []) == from_nothing(house.log)


def test_a_relationship_parked_at_an_event_stays_there_when_the_close_of_a_day_fails_too(house: House) -> None:
    def publish(state: State, moment_us: int) -> Row:
        if moment_us == tick_us and state.chain == "customer/c3":
            raise ZeroDivisionError
        return row(state, moment_us)

    tick_us = 0
    projection = chains({"e29"}.__contains__, publish=publish)
    house.log.add_many(40)
    house.catch_up(projection)
    tick_us = house.log.close_day()
    house.catch_up(projection)
    assert parked(house.place) == [("customer/c3", "RuntimeError", 29)]
    house.catch_up()
    assert (table(house.place), []) == from_nothing(house.log)


@pytest.mark.usefixtures("small")
def test_a_fold_that_fails_once_is_folded_again(house: House) -> None:
    failures = {"e9", "e15", "e30"}

    def poison(id_: str) -> bool:
        once = id_ in failures
        failures.discard(id_)
        return once

    house.catch_up()
    house.log.add_many(60)
    house.catch_up(chains(poison))
    assert not failures
    assert (table(house.place), parked(house.place)) == from_nothing(house.log)


def test_a_worker_goes_on_with_what_it_retried_itself(house: House) -> None:
    poison = {"e32", "e33"}
    worker = house.runner(chains(poison.__contains__))
    worker.catch_up()
    for _ in range(20):
        house.log.add_many(4)
        worker.catch_up()
    assert len(parked(house.place)) == 2
    poison.clear()
    assert worker.retry_parked() == Retried(freed=2, waiting=0)
    for _ in range(10):
        house.log.add_many(4)
        worker.catch_up()
    worker.close()
    assert (table(house.place), []) == from_nothing(house.log)


def test_parked_relationships_may_be_retried_beside_a_worker(house: House) -> None:
    house.log.add_many(20)
    poison = {"e3"}
    worker = house.runner(chains(poison.__contains__))
    worker.catch_up()
    poison.clear()
    other = Keeper(house.log.ledger, house.views, [chains()], clock=lambda: 0)
    assert other.retry_parked() == Retried(freed=1, waiting=0)
    house.log.add_many(20)
    worker.catch_up()
    worker.close()
    other.close()
    assert (table(house.place), []) == from_nothing(house.log)
