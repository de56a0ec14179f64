"""The intake loop: poll, decode, one commit, acknowledge. Every message becomes an event or a dead letter, once.

What a source polled stays with the loop until the ledger has it: a store that is away delays it, and only another consumer that
took over makes the loop drop it. A crash anywhere repeats at most what the ledger then recognises.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, cast

import msgspec
import structlog

from consumers.source import Batch, M, Source
from consumers.trouble import Trouble
from ledger.interface import Appended, DeadLetter, Refused
from ledger.ledger import Ledger
from schemas.errors import OvertakenError, RefusalCode, RefusedError, StoreUnavailableError
from schemas.touchpoint import Touchpoint

POLL_MS = 250  # how long a poll waits for a message; a stop is heard within that
LIMIT_MIN, LIMIT_START, LIMIT_MAX = 50, 500, 20_000  # messages a batch: one of 250 costs twice what one of 5,000 does
COMMIT_US = 500_000  # a batch should take about that long: limits grow below half of it and shrink above twice
TELL_US = 30_000_000  # between two log lines about how it goes
BACKOFF_MS_MIN, BACKOFF_MS_MAX = 100, 10_000  # between two tries while the store is away

log = structlog.get_logger()


class Tally(msgspec.Struct):
    """What became of messages. ``position``: the last one appended or recognised, 0 when none was."""

    appended: int = 0
    duplicates: int = 0
    refused: int = 0
    position: int = 0

    def add(self, other: "Tally") -> None:
        self.appended += other.appended
        self.duplicates += other.duplicates
        self.refused += other.refused
        self.position = max(self.position, other.position)


class Sorted(NamedTuple, Generic[M]):
    """Messages by what they are. ``origins``: the message of each touchpoint, at the same index."""

    touchpoints: list[Touchpoint]
    origins: Sequence[M]
    letters: list[DeadLetter]


def sort(source: Source[M], messages: Sequence[M], now_us: int) -> Sorted[M]:
    """Decode ``messages``, keeping their order; what is refused becomes a dead letter."""
    touchpoints: list[Touchpoint] = []
    origins: list[M] = []
    letters: list[DeadLetter] = []
    for message in messages:
        try:
            touchpoints.append(source.touchpoint(message, now_us))
        except RefusedError as refused:
            letters.append(source.letter(message, cast("RefusalCode", refused.code), refused.reason))
        else:
            origins.append(message)
    return Sorted(touchpoints, origins, letters)


def take(batch: Batch[M], source: Source[M], ledger: Ledger, now_us: int) -> Tally:
    """Append ``batch`` in one commit with the source's offsets and the dead letters, and acknowledge it.

    Raises:
        OvertakenError: another consumer has read on from there. Nothing was appended: drop the batch and rewind.
        StoreUnavailableError: nothing was appended; try the same batch again.
    """
    touchpoints, origins, letters = sort(source, batch.messages, now_us)
    outcomes = ledger.append(
        touchpoints,
        delivered=batch.delivered,
        dead_letters=letters,
        letter_for=lambda index, refused: source.letter(origins[index], refused.code, refused.reason),
    )
    source.acknowledge(batch)
    return _tally(outcomes, letters, batch)


def _tally(outcomes: Sequence[Appended | Refused], letters: Sequence[DeadLetter], batch: Batch[M]) -> Tally:
    codes = Counter[str](letter.code for letter in letters)
    tally = Tally()
    for outcome in outcomes:
        if isinstance(outcome, Refused):
            codes[outcome.code] += 1
        else:
            tally.duplicates += outcome.duplicate
            tally.position = max(tally.position, outcome.position)
    tally.refused = codes.total()
    tally.appended = len(outcomes) + len(letters) - tally.refused - tally.duplicates
    offsets = {delivered.stream: delivered.next for delivered in batch.delivered}
    log.debug("batch.appended", **msgspec.structs.asdict(tally), offsets=offsets)
    if codes:
        log.warning("letter.kept", count=tally.refused, codes=dict(codes), offsets=offsets)
    return tally


def run(source: Source[M], ledger: Ledger, *, clock: Callable[[], int], stopped: Callable[[], bool] = lambda: False) -> Tally:
    """Take messages until ``stopped`` or the source's end; a batch under way is finished first. ``clock``: microseconds since 1970 UTC.

    Raises:
        LedgerError: going on would lose or repeat something silently; the message says what to do.
    """
    progress = _Progress(clock())
    limit = LIMIT_START
    waiting = _Waiting(source, stopped)
    batch: Batch[M] | None = Batch(())
    while batch is not None:
        try:
            if not batch:
                if stopped():
                    break
                batch = source.poll(POLL_MS, limit)
            if batch:
                start_us = clock()
                tally = take(batch, source, ledger, start_us)
                end_us = clock()
                progress.add(tally, end_us)
                limit = _limit(limit, len(batch), end_us - start_us)
                batch = Batch(())
            waiting.over()
        except OvertakenError as overtaken:
            log.warning("consumer.overtaken", stream=overtaken.stream, expected=overtaken.expected, stored=overtaken.stored)
            source.rewind()
            batch = Batch(())
        except StoreUnavailableError as error:
            if stopped():
                break  # nothing of the batch was appended: it will be delivered again
            waiting.wait(error)
    log.info("intake.stopped", **msgspec.structs.asdict(progress.total))
    return progress.total


def _limit(limit: int, taken: int, took_us: int) -> int:
    """The limit of the next batch: commits long enough to be worth their sync, short enough to stay responsive."""
    if took_us > 2 * COMMIT_US:
        return max(limit // 2, LIMIT_MIN)
    if taken >= limit and took_us < COMMIT_US // 2:
        return min(limit * 2, LIMIT_MAX)
    return limit


class _Progress:
    """Adds up what became of messages, and says so once in a while."""

    def __init__(self, now_us: int) -> None:
        self.total = Tally()
        self._untold = Tally()
        self._told_us = now_us

    def add(self, tally: Tally, now_us: int) -> None:
        self.total.add(tally)
        self._untold.add(tally)
        if now_us - self._told_us >= TELL_US:
            log.info("intake.progressed", **msgspec.structs.asdict(self._untold), in_s=(now_us - self._told_us) // 1_000_000)
            self._untold, self._told_us = Tally(), now_us


class _Waiting:
    """Waits while the store is away, longer each time, with the source kept alive."""

    def __init__(self, source: Source[M], stopped: Callable[[], bool]) -> None:
        self._source = source
        self._stopped = stopped
        self._trouble = Trouble()
        self._backoff_ms = BACKOFF_MS_MIN

    def wait(self, error: StoreUnavailableError) -> None:
        left_ms = int(self._backoff_ms * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the tries of several consumers
        self._trouble.tell("store.unavailable", error, again_in_ms=left_ms)
        self._backoff_ms = min(self._backoff_ms * 2, BACKOFF_MS_MAX)
        while left_ms > 0 and not self._stopped():
            self._source.idle(min(left_ms, POLL_MS))
            left_ms -= POLL_MS

    def over(self) -> None:
        self._trouble.end()
        self._backoff_ms = BACKOFF_MS_MIN
