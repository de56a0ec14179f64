"""The long-running parts of the service, each a process of its own: intake, projections, and the sample's trickle."""

import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

import msgspec
import structlog

from consumers import intake
from consumers.connection import KafkaSettings
from consumers.kafka import KafkaSource
from consumers.letters import LetterSettings, publishing
from ledger.interface import Appended
from ledger.ledger import Ledger
from projections.views import Lock, Views
from schemas.errors import StoreUnavailableError
from schemas.touchpoint import microseconds
from service import sample
from service.clock import now_us
from service.days import DAY_US, DayCloser
from service.settings import Settings
from service.wiring import open_ledger, open_runner, open_views

WAIT_S = 1.0  # between two looks at a quiet log; also how long a stop may take
AGAIN_S = 2.0  # after the store was unavailable
SAMPLE_SEED = 42
BATCH = 5_000  # sample touchpoints a commit

log = structlog.get_logger()


class _Timed(msgspec.Struct):
    time: datetime


def consume(settings: Settings, kafka: KafkaSettings, stopped: Callable[[], bool]) -> None:
    """Kafka into the ledger until ``stopped``; the batch under way is finished. What is refused is published as dead letters."""
    letters = LetterSettings(kafka.brokers, settings.deadletters, kafka.client)
    with open_ledger(settings) as ledger, publishing(ledger, letters), closing(KafkaSource(kafka, ledger)) as source:
        intake.run(source, ledger, clock=now_us, stopped=stopped)


def project(settings: Settings, stopped: Callable[[], bool]) -> None:
    """The ledger into the views until ``stopped``. A second worker stands by until the first is gone."""
    with open_ledger(settings) as ledger:
        views = open_views(settings)
        lock = _stand_by(views, stopped)
        if lock is None:
            return
        with lock, open_runner(ledger, views) as runner:
            days = DayCloser(ledger)
            log.info("worker.started")
            while not stopped():
                try:
                    days.close(now_us())
                    if not runner.run_once():
                        ledger.wait(runner.position, WAIT_S)
                except StoreUnavailableError as error:
                    log.warning("store.unavailable", error=str(error), again_in_s=AGAIN_S)
                    time.sleep(AGAIN_S)
            log.info("worker.stopped", position=runner.position)


def _stand_by(views: Views, stopped: Callable[[], bool]) -> Lock | None:
    """The worker's lock, once it is free; None when asked to stop before."""
    waiting = False
    while not stopped():
        if (lock := views.try_lock()) is not None:
            return lock
        if not waiting:
            log.info("worker.standing-by", views=str(views.path))
            waiting = True
        time.sleep(WAIT_S)
    return None


def project_once(settings: Settings) -> int:
    """Catch up and stop. Returns: the position the views have reached.

    Raises:
        StoreUnavailableError: another worker keeps these views.
    """
    with open_ledger(settings) as ledger:
        views = open_views(settings)
        lock = views.try_lock()
        if lock is None:
            raise StoreUnavailableError(f"{views.path}: another worker keeps these views already; `rledger doctor` shows how far it is")
        with lock, open_runner(ledger, views) as runner:
            DayCloser(ledger).close(now_us())
            runner.catch_up()
            return runner.position


def load_sample(ledger: Ledger) -> int:
    """Append the sample, or what is missing of it. Returns: touchpoints that are new."""
    ahead = ledger.find(*sample.first(SAMPLE_SEED))
    end_us = now_us() if ahead is None else _occurred_us(ahead.event) + sample.SPAN_DAYS * DAY_US
    touchpoints = list(sample.generate(SAMPLE_SEED, end_us))
    last = touchpoints[-1]
    if ledger.find(last.source, last.id) is not None:
        return 0
    new = 0
    for start in range(0, len(touchpoints), BATCH):
        outcomes = ledger.append(touchpoints[start : start + BATCH])
        new += sum(isinstance(outcome, Appended) and not outcome.duplicate for outcome in outcomes)
    return new


def trickle(settings: Settings, stopped: Callable[[], bool]) -> None:
    """The sample goes on as time goes by, until ``stopped``."""
    with open_ledger(settings) as ledger:
        for touchpoint in sample.trickle(SAMPLE_SEED, now_us()):
            due_us = _occurred_us(touchpoint.event)
            while (left_s := (due_us - now_us()) / 1e6) > 0 and not stopped():
                time.sleep(min(left_s, 0.2))
            if stopped():
                break
            ledger.append([touchpoint])


def _occurred_us(event: bytes) -> int:
    return microseconds(msgspec.json.decode(event, type=_Timed).time)
