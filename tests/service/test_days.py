"""Every day is closed once, whoever tries and however often."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ledger.ledger import Ledger
from schemas.catalogue import Closed
from schemas.cloudevents import touchpoint
from schemas.touchpoint import LEDGER_SUBJECT
from service.days import DAY_US, DayCloser

NOON_US = 1_790_000_000_000_000 // DAY_US * DAY_US + DAY_US // 2  # 2026-09-21


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db", clock=lambda: NOON_US) as opened:
        opened.append([touchpoint("crm", "1", "relationship.closed.v1", "customer/acme", NOON_US, Closed("them"))])
        yield opened


def closed(ledger: Ledger) -> list[str]:
    return [msgspec.json.decode(one.event)["data"]["day"] for one in ledger.history(LEDGER_SUBJECT)]


def test_yesterday_is_closed_at_the_start_and_today_after_midnight(ledger: Ledger) -> None:
    closer = DayCloser(ledger)
    for now_us in (NOON_US, NOON_US + 1, NOON_US + DAY_US // 2 - 1):
        closer.close(now_us)
        assert closed(ledger) == ["2026-09-20"]
    closer.close(NOON_US + DAY_US // 2)
    assert closed(ledger) == ["2026-09-20", "2026-09-21"]


def test_several_workers_close_a_day_once(ledger: Ledger) -> None:
    for closer in (DayCloser(ledger), DayCloser(ledger)):
        closer.close(NOON_US)
    assert closed(ledger) == ["2026-09-20"]


def test_an_empty_ledger_has_no_days(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/empty.db", clock=lambda: NOON_US) as empty:
        DayCloser(empty).close(NOON_US)
        assert empty.head().position == 0
