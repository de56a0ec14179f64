"""Concurrent appends share a commit, and nothing else: neither errors nor bugs nor fates."""

import gc
import signal
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from ledger import gather
from ledger.gather import GROUP_MAX, SEVERAL, Gatherer, Record
from ledger.interface import Appended, DeadLetter, Delivered, Refused
from ledger.ledger import Ledger
from ledger.plan import Answer, Outcome, Request
from schemas.errors import OvertakenError, StoreUnavailableError
from tests.ledger.events import assert_orderly, everything, positions, touchpoint, touchpoints


def test_appends_of_many_threads_are_all_there_once_in_order(ledger: Ledger) -> None:
    def append(client: int) -> list[int]:
        return [position for id_ in range(20) for position in positions(ledger.append([touchpoint(id_, source=f"client/{client}")]))]

    with ThreadPoolExecutor(32) as pool:
        answered = list(pool.map(append, range(32)))
    log = everything(ledger)
    assert_orderly(log)
    assert sorted(position for client in answered for position in client) == list(range(1, 32 * 20 + 1))
    assert all(client == sorted(client) for client in answered)
    assert len({event.recorded_us for event in log}) == 1


def test_threads_that_race_with_the_same_touchpoint_agree_where_it_stands(ledger: Ledger) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda id_: ledger.append([touchpoint(id_ // 16)])[0], range(16 * 20)))
    assert len(everything(ledger)) == 20
    assert [answer.duplicate for answer in answers if isinstance(answer, Appended)].count(False) == 20
    for id_ in range(20):
        assert len(set(positions(answers[16 * id_ : 16 * (id_ + 1)]))) == 1


def test_what_was_answered_is_let_go_at_once(ledger: Ledger) -> None:
    ledger.append(touchpoints(10))
    gc.collect()
    gc.disable()  # a circle would keep thousands of touchpoints until Python looks for circles
    try:
        ledger.append(touchpoints(20))
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_what_failed_is_let_go_at_once() -> None:
    class Letter(DeadLetter, frozen=True, weakref=True): ...

    def record(_: Sequence[Request], __: Callable[[], None]) -> list[Outcome]:
        raise StoreUnavailableError("the disk is full")

    gatherer, letter = Gatherer(record), Letter("not_json", "no JSON", "t")
    known = weakref.ref(letter)
    gc.disable()  # an outage of hours would fill the memory, a batch a try
    try:
        with pytest.raises(StoreUnavailableError):
            gatherer.submit(Request([], [], dead_letters=[letter]))
        del letter
        assert known() is None
    finally:
        gc.enable()


class Held:
    """A gatherer whose first group is held back until ``release``, so that what comes meanwhile makes the second group."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.groups: list[int] = []
        self.entered, self.free = threading.Event(), threading.Event()
        self.gatherer = Gatherer(self._hold)
        self.pool = ThreadPoolExecutor(16)
        self.first = self.pool.submit(self.gatherer.submit, request())
        assert self.entered.wait(10)

    def _hold(self, requests: Sequence[Request], committing: Callable[[], None]) -> list[Outcome]:
        self.groups.append(len(requests))
        if len(self.groups) == 1:
            self.entered.set()
            assert self.free.wait(10)
        return self.record(requests, committing)

    def submit(self, *requests: Request) -> "list[Future[Answer]]":
        futures = []
        for count, each in enumerate(requests, 1):
            futures.append(self.pool.submit(self.gatherer.submit, each))
            while len(self.gatherer._forming.tickets) < count:  # noqa: SLF001  # in this order
                pass
        return futures

    def release(self) -> None:
        self.free.set()
        self.pool.shutdown()


def request(name: str = "", size: int = 1) -> Request:
    return Request([touchpoint(f"{name}{number}") for number in range(size)], [b""] * size, dead_letters=(), letter_for=None)


def echo(requests: Sequence[Request], _: Callable[[], None]) -> list[Outcome]:
    """Answer each request with its first touchpoint's id, for lack of a ledger."""
    return [[Refused("id_reused", each.touchpoints[0].id)] for each in requests]


def reasons(futures: "list[Future[Answer]]") -> list[str]:
    return [refused.reason for future in futures for refused in future.result() if isinstance(refused, Refused)]


def test_what_comes_while_a_commit_is_made_shares_the_next_one() -> None:
    held = Held(echo)
    futures = held.submit(*[request(name) for name in "abcde"])
    held.release()
    assert reasons(futures) == ["a0", "b0", "c0", "d0", "e0"]
    assert held.groups == [1, 5]


def test_a_commit_has_a_size_and_a_larger_request_one_of_its_own() -> None:
    held = Held(echo)
    futures = held.submit(request("a", GROUP_MAX - 1), request("b"), request("c"), request("d", 2 * GROUP_MAX), request("e"))
    held.release()
    assert reasons(futures) == ["a0", "b0", "c0", "d0", "e0"]
    assert held.groups == [1, 2, 1, 1, 1]


def test_a_request_that_fails_by_a_bug_fails_alone() -> None:
    def record(requests: Sequence[Request], _: Callable[[], None]) -> list[Outcome]:
        if any(each.touchpoints[0].id == "bug0" for each in requests):
            raise ZeroDivisionError
        return echo(requests, _)

    held = Held(record)
    a, bug, b = held.submit(request("a"), request("bug"), request("b"))
    held.release()
    assert reasons([a, b]) == ["a0", "b0"]
    assert isinstance(bug.exception(), ZeroDivisionError)


def test_a_store_that_fails_fails_everyone_with_an_error_of_their_own() -> None:
    def record(requests: Sequence[Request], _: Callable[[], None]) -> list[Outcome]:
        if len(requests) > 1:
            raise StoreUnavailableError("full")
        return echo(requests, _)

    held = Held(record)
    futures = held.submit(request("a"), request("b"))
    held.release()
    errors = [future.exception() for future in futures]
    assert [str(error) for error in errors] == ["full", "full"]
    assert errors[0] is not errors[1]
    assert reasons([held.first]) == ["0"]


@pytest.mark.parametrize("patience_s", [0.01, 60])
def test_several_answers_are_handed_out_once_the_next_commit_is_under_way_or_patience_ends(
    monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    monkeypatch.setattr(gather, "PATIENCE_S", patience_s)
    written, planned, durable = (threading.Event() for _ in range(3))

    def record(requests: Sequence[Request], committing: Callable[[], None]) -> list[Outcome]:
        if len(requests) == SEVERAL:
            assert written.wait(10)
        elif requests[0].touchpoints[0].id == "last0":
            assert planned.wait(10)
            committing()
            assert durable.wait(10)
        return echo(requests, committing)

    held = Held(record)
    several = held.submit(*[request(str(number)) for number in range(SEVERAL)])
    held.free.set()
    while held.gatherer._forming.tickets:  # noqa: SLF001  # until they are being written
        pass
    (last,) = held.submit(request("last"))
    written.set()
    if patience_s > 1:
        assert not wait(several, 0.05).done
        planned.set()
    assert len(reasons(several)) == SEVERAL
    assert not last.done()
    planned.set()
    durable.set()
    held.release()
    assert reasons([last]) == ["last0"]
    assert held.groups == [1, SEVERAL, 1]


def test_an_interrupted_leader_leaves_the_others_served() -> None:
    def record(requests: Sequence[Request], _: Callable[[], None]) -> list[Outcome]:
        if len(requests) == 3:
            raise KeyboardInterrupt
        return echo(requests, _)

    held = Held(record)
    futures = held.submit(request("a"), request("b"), request("c"))
    held.release()
    (leader,) = (future for future in futures if isinstance(future.exception(), KeyboardInterrupt))
    expected = {future: name for future, name in zip(futures, ["a0", "b0", "c0"], strict=True) if future is not leader}
    assert reasons(list(expected)) == list(expected.values())
    assert held.groups == [1, 3, 2]


def test_every_leader_may_be_interrupted_and_whoever_is_left_is_served() -> None:
    def record(requests: Sequence[Request], _: Callable[[], None]) -> list[Outcome]:
        if len(requests) > 1:
            raise KeyboardInterrupt
        return echo(requests, _)

    held = Held(record)
    futures = held.submit(*[request(name) for name in "abcdef"])
    held.release()
    assert sum(isinstance(future.exception(), KeyboardInterrupt) for future in futures) == 5
    assert len(reasons([future for future in futures if future.exception() is None])) == 1
    assert held.groups == [1, 6, 5, 4, 3, 2, 1]
    assert reasons([held.first]) == ["0"]


def test_who_is_interrupted_while_waiting_is_left_out_and_keeps_nobody_waiting() -> None:
    held = Held(echo)
    futures = held.submit(request("a"))
    main = threading.get_ident()
    threading.Timer(0.05, signal.pthread_kill, [main, signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        held.gatherer.submit(request("main"))
    futures += held.submit(request("b"))
    held.release()
    assert reasons(futures) == ["a0", "b0"]
    assert held.groups[0] == 1
    assert sum(held.groups) == 3


def test_a_bug_or_a_zombie_in_the_group_costs_the_others_nothing(ledger: Ledger) -> None:
    def broken(index: int, refused: Refused) -> DeadLetter:
        raise ZeroDivisionError

    ledger.append([touchpoint("reused")], delivered=[Delivered("s", None, 1)])
    failures: list[type[Exception]] = []

    def append(client: int) -> None:
        try:
            if client % 4 == 1:
                ledger.append([touchpoint(client), touchpoint("reused", note="other")], letter_for=broken)
            elif client % 4 == 2:
                ledger.append([touchpoint(client)], delivered=[Delivered("s", 7, 8)])
            else:
                ledger.append([touchpoint(client)])
        except (ZeroDivisionError, OvertakenError) as error:
            failures.append(type(error))

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(append, range(40)))
    assert sorted(failures, key=str) == [ZeroDivisionError] * 10 + [OvertakenError] * 10
    log = everything(ledger)
    assert_orderly(log)
    assert len(log) == 1 + 20
    assert ledger.next_offsets(["s"]) == {"s": 1}


def test_closing_waits_for_the_commit_on_its_way(open_ledger: Callable[[], Ledger]) -> None:
    ledger = open_ledger()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ledger.append, touchpoints(20_000))
        while not answer.running():
            pass
        ledger.close()
    stands = len(everything(open_ledger()))
    assert stands == (0 if answer.exception() else 20_000)
