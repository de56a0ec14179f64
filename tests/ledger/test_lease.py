"""A lease has one holder at a time, on both stores."""

import pytest

from ledger.interface import Delivered
from ledger.lease import Lease
from ledger.ledger import Ledger
from schemas.errors import OvertakenError

TERM_S = 10.0


class Watch:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def first(ledger: Ledger, watch: Watch) -> Lease:
    return Lease(ledger, "work", term_s=TERM_S, clock_s=watch)


@pytest.fixture
def second(ledger: Ledger, watch: Watch) -> Lease:
    return Lease(ledger, "work", term_s=TERM_S, clock_s=watch)


def test_whoever_asks_first_holds_it_until_it_is_released(first: Lease, second: Lease) -> None:
    assert first.acquire()
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    assert not first.acquire()


def test_one_that_is_renewed_is_never_taken_over(first: Lease, second: Lease, watch: Watch) -> None:
    assert first.acquire()
    for _ in range(20):
        watch.now_s += TERM_S * 0.9
        first.renew()
        assert not second.acquire()


def test_one_that_is_not_renewed_for_a_term_is_taken_over_and_its_former_holder_refused(first: Lease, second: Lease, watch: Watch) -> None:
    first.acquire()
    assert not second.acquire()
    watch.now_s += TERM_S - 0.1
    assert not second.acquire()
    watch.now_s += 0.2
    assert second.acquire()
    with pytest.raises(OvertakenError):
        first.renew()
    assert not first.fresh()
    assert not first.acquire()


def test_who_just_came_waits_a_whole_term_by_its_own_clock(first: Lease, second: Lease, watch: Watch) -> None:
    first.acquire()
    watch.now_s += 100 * TERM_S
    assert not second.acquire()
    watch.now_s += TERM_S
    assert second.acquire()


def test_of_two_that_take_over_at_the_same_moment_one_does(ledger: Ledger, first: Lease, second: Lease, watch: Watch) -> None:
    third = Lease(ledger, "work", term_s=TERM_S, clock_s=watch)
    first.acquire()
    assert (second.acquire(), third.acquire()) == (False, False)
    watch.now_s += TERM_S
    assert (second.acquire(), third.acquire()) == (True, False)


def test_what_its_holder_stores_is_stored_with_a_renewal_or_not_at_all(ledger: Ledger, first: Lease, second: Lease, watch: Watch) -> None:
    first.acquire()
    second.acquire()
    first.renew(Delivered("done", None, 5))
    assert ledger.next_offsets(["done"]) == {"done": 5}
    second.acquire()
    watch.now_s += TERM_S
    assert second.acquire()
    with pytest.raises(OvertakenError):
        first.renew(Delivered("done", 5, 6))
    assert ledger.next_offsets(["done"]) == {"done": 5}


def test_its_holder_may_act_for_less_than_a_term_and_is_told_when_to_renew(first: Lease, watch: Watch) -> None:
    assert not first.fresh()
    first.acquire()
    assert first.fresh()
    assert not first.due()
    watch.now_s += TERM_S * 0.3
    assert first.fresh()
    assert first.due()
    watch.now_s += TERM_S * 0.2
    assert not first.fresh()
    first.renew()
    assert first.fresh()


def test_leases_of_other_names_know_nothing_of_each_other(ledger: Ledger, first: Lease) -> None:
    assert first.acquire()
    assert Lease(ledger, "other work", term_s=TERM_S).acquire()


def test_only_a_holder_renews_and_releasing_what_is_not_held_does_nothing(first: Lease, second: Lease) -> None:
    with pytest.raises(ValueError, match="holder"):
        second.renew()
    first.acquire()
    second.release()
    first.renew()
