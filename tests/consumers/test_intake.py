"""The intake loop on a source that fails, and a ledger that is away, at every moment."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from consumers.intake import LIMIT_MAX, LIMIT_MIN, Tally, run, sort, take
from consumers.source import Batch
from ledger.interface import DeadLetter, Delivered
from ledger.ledger import Ledger
from schemas.cloudevents import decode_json
from schemas.errors import OvertakenError, RefusalCode, StoreUnavailableError
from schemas.touchpoint import Touchpoint
from tests.consumers.events import NOW_US, structured

STREAM = "list/1"


class Crash(Exception):  # noqa: N818
    """The process ends here."""


class ListSource:
    """Messages from a list; reads on from the ledger's offset, as every source does. ``crash_at``: the calls that end the process."""

    def __init__(self, messages: Sequence[bytes], ledger: Ledger, *, crash_at: frozenset[str] = frozenset()) -> None:
        self.messages, self.ledger, self.crash_at = messages, ledger, crash_at
        self.idled_ms: list[int] = []
        self.limits: list[int] = []
        self.at = 0
        self.expected: int | None = None
        self.rewind()

    def poll(self, timeout_ms: int, limit: int) -> Batch[int] | None:
        assert timeout_ms > 0
        self.limits.append(limit)
        self._step("poll")
        start, end = self.at, min(self.at + limit, len(self.messages))
        if start == end:
            return None
        delivered = Delivered(STREAM, self.expected, end)
        self.at = self.expected = end
        return Batch(range(start, end), (delivered,))

    def touchpoint(self, message: int, now_us: int) -> Touchpoint:
        return decode_json(self.messages[message], now_us=now_us)

    def letter(self, message: int, code: RefusalCode, reason: str) -> DeadLetter:
        return DeadLetter(code, reason, "list", offset=message, body=self.messages[message])

    def acknowledge(self, batch: Batch[int]) -> None:  # noqa: ARG002  # the protocol's
        self._step("acknowledge")

    def rewind(self) -> None:
        self.expected = self.ledger.streams(STREAM).get(STREAM)
        self.at = self.expected or 0

    def idle(self, timeout_ms: int) -> None:
        self.idled_ms.append(timeout_ms)

    def close(self) -> None:
        pass

    def _step(self, name: str) -> None:
        if f"{name} {self.at}" in self.crash_at:
            raise Crash


class Clock:
    """Each reading is ``step_us`` later."""

    def __init__(self, step_us: int = 0) -> None:
        self.now_us, self.step_us = NOW_US, step_us

    def __call__(self) -> int:
        self.now_us += self.step_us
        return self.now_us


@pytest.fixture
def messages() -> list[bytes]:
    """Thirty, of which every tenth is bad, one repeats and one reuses an id for something else."""
    made = [structured(number, subject=f"customer/c{number % 3}") for number in range(30)]
    made[3] = b"no json"
    made[13] = structured(13, subject="nobody")
    made[23] = structured(22, subject="customer/c1")  # c1 is what 22 has
    made[24] = structured(22, subject="customer/c2")
    return made


def kept(ledger: Ledger) -> tuple[list[str], list[tuple[str, int | None]]]:
    """Ids in the log; code and offset of the dead letters."""
    ids = [msgspec.json.decode(stored.event)["id"] for stored in ledger.read(after=0, limit=10_000)]
    return ids, [(letter.letter.code, letter.letter.offset) for letter in ledger.dead_letters(limit=100)]


EXPECTED_IDS = [f"e{number}" for number in range(30) if number not in {3, 13, 23, 24}]
EXPECTED_LETTERS = [("not_json", 3), ("bad_subject", 13), ("id_reused", 24)]


def test_every_message_becomes_an_event_or_a_dead_letter(messages: list[bytes], ledger: Ledger) -> None:
    tally = run(ListSource(messages, ledger), ledger, clock=Clock())
    assert tally == Tally(appended=26, duplicates=1, refused=3, position=26)
    ids, letters = kept(ledger)
    assert ids == EXPECTED_IDS
    assert sorted(letters) == sorted(EXPECTED_LETTERS)


def test_sorting_keeps_the_order_and_knows_where_each_touchpoint_came_from(messages: list[bytes], ledger: Ledger) -> None:
    source = ListSource(messages, ledger)
    batch = source.poll(1, 30)
    assert batch is not None
    touchpoints, origins, letters = sort(source, batch.messages, NOW_US)
    assert [touchpoint.event for touchpoint in touchpoints] == [messages[origin] for origin in origins]
    assert list(origins) == sorted(origins)
    assert [letter.offset for letter in letters] == [3, 13]


def test_what_is_logged_counts_and_quotes_nothing(messages: list[bytes], ledger: Ledger) -> None:
    with capture_logs() as logs:
        run(ListSource(messages, ledger), ledger, clock=Clock())
    events = {line["event"]: line for line in logs}
    assert events["letter.kept"]["codes"] == {"not_json": 1, "bad_subject": 1, "id_reused": 1}
    assert events["batch.appended"]["offsets"] == {STREAM: 30}
    assert "order_id" not in repr(logs)


def test_how_it_goes_is_told_once_in_a_while_not_for_every_batch(ledger: Ledger) -> None:
    source = ListSource([structured(number) for number in range(3_000)], ledger)
    with capture_logs() as logs:
        run(source, ledger, clock=Clock(10_000_000))  # a reading of the clock every ten seconds
    told = [line for line in logs if line["event"] == "intake.progressed"]
    assert 0 < len(told) < len([line for line in logs if line["event"] == "batch.appended"])
    assert {line["log_level"] for line in told} == {"info"}
    assert told[0]["appended"] > 0
    assert told[0]["in_s"] >= 30


@pytest.mark.parametrize("step", ["poll 0", *(f"{name} {at}" for name in ("acknowledge", "poll") for at in (7, 14, 21, 28, 30))])
def test_a_crash_at_any_step_loses_nothing_and_repeats_nothing(step: str, messages: list[bytes], ledger: Ledger) -> None:
    def limited(source: ListSource) -> ListSource:
        poll = source.poll
        source.poll = lambda timeout_ms, limit: poll(timeout_ms, min(limit, 7))  # type: ignore[method-assign]
        return source

    with pytest.raises(Crash):
        run(limited(ListSource(messages, ledger, crash_at=frozenset({step}))), ledger, clock=Clock())
    run(limited(ListSource(messages, ledger)), ledger, clock=Clock())
    ids, letters = kept(ledger)
    assert ids == EXPECTED_IDS
    assert sorted(letters) == sorted(EXPECTED_LETTERS)


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8), crashes=st.frozensets(st.integers(0, 60), max_size=6))
def test_neither_batch_sizes_nor_crashes_change_what_is_kept(sizes: list[int], crashes: frozenset[int]) -> None:
    """A crash after every commit in ``crashes``, before it could be acknowledged, with batches of the ``sizes`` in turn."""
    messages = [structured(number % 37) if number % 11 else b"{" for number in range(60)]
    with TemporaryDirectory() as folder, Ledger.open(f"sqlite:///{Path(folder)}/ledger.db", clock=Clock()) as ledger:
        turn: Iterator[int] = (size for _ in range(100) for size in sizes)
        while True:
            source = ListSource(messages, ledger)
            while (batch := source.poll(1, next(turn))) is not None:
                take(batch, source, ledger, NOW_US)
                if source.at in crashes:
                    crashes -= {source.at}
                    break
            else:
                break
        ids, letters = kept(ledger)
        assert len(ids) == len(set(ids)) == len({number % 37 for number in range(60) if number % 11})
        assert [offset for _, offset in letters] == list(range(0, 60, 11))


def test_a_batch_that_was_overtaken_is_dropped_and_reading_goes_on_behind_it(messages: list[bytes], ledger: Ledger) -> None:
    zombie = ListSource(messages, ledger)
    heir = ListSource(messages, ledger)
    batch = heir.poll(1, 12)
    assert batch is not None
    take(batch, heir, ledger, NOW_US)
    with capture_logs() as logs:
        run(zombie, ledger, clock=Clock())
    (overtaken,) = (line for line in logs if line["event"] == "consumer.overtaken")
    assert (overtaken["stream"], overtaken["expected"], overtaken["stored"]) == (STREAM, None, 12)
    ids, letters = kept(ledger)
    assert ids == EXPECTED_IDS
    assert sorted(letters) == sorted(EXPECTED_LETTERS)


def test_a_zombies_batch_is_refused_whole(messages: list[bytes], ledger: Ledger) -> None:
    zombie, heir = ListSource(messages, ledger), ListSource(messages[:5], ledger)
    late = zombie.poll(1, 30)
    assert late is not None
    run(heir, ledger, clock=Clock())
    before = kept(ledger)
    with pytest.raises(OvertakenError):
        take(late, zombie, ledger, NOW_US)
    assert kept(ledger) == before


class Away:
    """A ledger that is away for its first appends."""

    def __init__(self, ledger: Ledger, times: int) -> None:
        self._ledger, self.times = ledger, times

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    def append(self, *arguments: object, **options: object) -> object:
        if self.times:
            self.times -= 1
            raise StoreUnavailableError("locked")
        return self._ledger.append(*arguments, **options)  # type: ignore[arg-type]


def test_while_the_store_is_away_the_batch_is_kept_and_the_source_kept_alive(
    messages: list[bytes], ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Away(ledger, 7)  # six waits last three seconds at least
    source = ListSource(messages, ledger)
    monkeypatch.setattr("consumers.trouble.time.monotonic", lambda: sum(source.idled_ms) / 1_000)
    with capture_logs() as logs:
        run(source, away, clock=Clock())  # type: ignore[arg-type]
    assert away.times == 0
    assert source.idled_ms
    assert sum(source.idled_ms[-10:]) > sum(source.idled_ms[:2])  # it waits longer each time
    assert [line["event"] for line in logs].count("store.unavailable") == 1  # told once, not each time
    ids, letters = kept(ledger)
    assert ids == EXPECTED_IDS
    assert sorted(letters) == sorted(EXPECTED_LETTERS)


def test_a_stop_finishes_the_batch_under_way(messages: list[bytes], ledger: Ledger) -> None:
    source = ListSource(messages, ledger)

    def stopped_once_polled() -> bool:
        return source.at > 0

    run(source, ledger, clock=Clock(), stopped=stopped_once_polled)
    assert ledger.streams(STREAM) == {STREAM: source.at}


def test_a_stop_is_heard_while_the_store_is_away(messages: list[bytes], ledger: Ledger) -> None:
    source = ListSource(messages, ledger)
    run(source, Away(ledger, 1_000_000), clock=Clock(), stopped=lambda: len(source.idled_ms) > 3)  # type: ignore[arg-type]
    assert ledger.head().position == 0


@pytest.mark.parametrize(("step_us", "last"), [(1_000, LIMIT_MAX), (10_000_000, LIMIT_MIN)], ids=["fast store", "slow store"])
def test_batches_grow_on_a_fast_store_and_shrink_on_a_slow_one(step_us: int, last: int, ledger: Ledger) -> None:
    source = ListSource([b"{}"] * 32_000, ledger)
    run(source, ledger, clock=Clock(step_us), stopped=lambda: source.limits[-1:] == [last])
    assert source.limits[-1] == last
