"""Views by way of a pooler that gives every transaction another session of the server."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from projections.views import Views
from schemas.errors import StoreUnavailableError
from tests.projections.chains import House, Place, from_nothing, table


@pytest.fixture
def house(postgres_url: str, pooler: Callable[[str], str]) -> Iterator[House]:
    house = House(pooler(postgres_url))
    yield house
    house.views.close()


@pytest.fixture
def place(postgres_url: str) -> Place:
    return postgres_url


def test_views_are_a_fold_of_the_log(house: House, place: Place, small: None) -> None:
    for _ in range(12):  # more often than a statement is asked before it is prepared
        house.log.add_many(25)
        house.catch_up()
    assert (table(place), []) == from_nothing(house.log)


def test_workers_share_the_slices_and_commit_in_turn(house: House, place: Place) -> None:
    other = Views.open(place)
    house.log.add_many(100)
    with house.views.join() as one, other.join() as two:
        for _ in range(2):
            shares = [one.look(), two.look()]
        assert all(shares)
        for share in shares:
            with closing(house.runner(share=share)) as runner:
                runner.catch_up()
    other.close()
    assert (table(place), []) == from_nothing(house.log)


def test_one_rebuilds_at_a_time(house: House, place: Place) -> None:
    house.log.add_many(20)
    lock = house.views.try_lock("rebuild")
    assert lock is not None
    with lock:
        for _ in range(8):  # whichever session is asked
            assert house.views.try_lock("rebuild") is None
            list(house.views.holdings())
        with closing(house.runner()) as runner, pytest.raises(StoreUnavailableError, match="another rebuild is under way"):
            runner.run_once()
    house.catch_up()
    assert (table(place), []) == from_nothing(house.log)
