"""The sample into the ledger: its two years once, then its trickle as time goes by."""

import time
from collections.abc import Callable
from datetime import datetime

import msgspec

from ledger.interface import Appended
from ledger.ledger import Ledger
from schemas.touchpoint import microseconds
from service import sample
from service.clock import now_us
from service.days import DAY_US
from service.settings import Settings
from service.stores import open_ledger

SEED = 42
BATCH = 5_000  # touchpoints a commit
NAP_S = 0.2  # how long a stop may take


class _Timed(msgspec.Struct):
    time: datetime


def load_sample(ledger: Ledger) -> int:
    """Append the sample, or what is missing of it. Returns: touchpoints that are new."""
    ahead = ledger.find(*sample.first(SEED))
    end_us = now_us() if ahead is None else _occurred_us(ahead.event) + sample.SPAN_DAYS * DAY_US
    touchpoints = list(sample.generate(SEED, end_us))
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
        for touchpoint in sample.trickle(SEED, now_us()):
            due_us = _occurred_us(touchpoint.event)
            while (left_s := (due_us - now_us()) / 1e6) > 0 and not stopped():
                time.sleep(min(left_s, NAP_S))
            if stopped():
                break
            ledger.append([touchpoint])


def _occurred_us(event: bytes) -> int:
    return microseconds(msgspec.json.decode(event, type=_Timed).time)
