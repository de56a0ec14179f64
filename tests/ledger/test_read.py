"""Reading the log: pages, histories, waiting for more."""

import threading
import time
from collections.abc import Callable

import pytest

from ledger.ledger import READ_LIMIT_MAX, Ledger
from schemas.touchpoint import Stored
from tests.ledger.events import everything, touchpoint, touchpoints


def test_pages_join_without_gap_or_overlap(ledger: Ledger) -> None:
    ledger.append(touchpoints(25))
    pages = [ledger.read(after=after, limit=10) for after in (0, 10, 20, 25)]
    assert [[event.position for event in page] for page in pages] == [list(range(1, 11)), list(range(11, 21)), list(range(21, 26)), []]


@pytest.mark.parametrize("limit", [0, -1, READ_LIMIT_MAX + 1])
def test_a_limit_out_of_range_is_our_own_bug(ledger: Ledger, limit: int) -> None:
    with pytest.raises(ValueError, match="limit is"):
        ledger.read(after=0, limit=limit)


def test_a_history_is_one_relationships_events_in_order(ledger: Ledger) -> None:
    ledger.append(touchpoints(30))
    ours = [event for event in everything(ledger) if event.relationship == "customer/3"]
    assert ledger.history("customer/3") == ours
    assert ledger.history("customer/3", after_version=1, limit=2) == ours[1:3]
    assert ledger.history("customer/3", after_version=len(ours)) == []
    assert ledger.history("customer/nobody") == []


@pytest.mark.parametrize("limit", [1, 7, 1_000])
def test_histories_are_all_relationships_up_to_a_position_one_after_the_other(ledger: Ledger, limit: int) -> None:
    ledger.append(touchpoints(30))
    expected = sorted(everything(ledger), key=lambda event: (event.relationship, event.version))
    ledger.append(touchpoints(45))  # of the same relationships, and later
    found: list[Stored] = []
    after = ("", 0)
    while page := ledger.histories(after=after, upto=30, limit=limit):
        found += page
        after = page[-1].relationship, page[-1].version
    assert found == expected


def test_relationships_that_differ_in_case_are_two(ledger: Ledger) -> None:
    ledger.append([touchpoint(1, "customer/Ada"), touchpoint(2, "customer/ada")])
    assert [event.position for event in ledger.history("customer/ada")] == [2]


def test_waiting_ends_at_once_where_there_is_more_already(ledger: Ledger) -> None:
    ledger.append([touchpoint(1)])
    assert ledger.wait(0, 0) is True


def test_waiting_ends_in_time_where_nothing_comes(ledger: Ledger) -> None:
    started = time.monotonic()
    assert ledger.wait(0, 0.05) is False
    assert 0.05 <= time.monotonic() - started < 1


@pytest.mark.parametrize("elsewhere", [False, True], ids=["by this ledger", "by another one"])
def test_those_who_wait_are_woken_by_an_append(ledger: Ledger, open_ledger: Callable[[], Ledger], elsewhere: bool) -> None:
    writer = open_ledger() if elsewhere else ledger
    woken: list[float] = []

    def wait() -> None:
        if ledger.wait(0, 20):
            woken.append(time.monotonic())

    waiting = [threading.Thread(target=wait) for _ in range(3)]
    for thread in waiting:
        thread.start()
    time.sleep(0.3)  # until they all wait
    assert woken == []
    appended = time.monotonic()
    writer.append([touchpoint(1)])
    for thread in waiting:
        thread.join()
    assert len(woken) == 3
    assert max(woken) - appended < 0.5  # a loaded machine's; 2 ms is usual
