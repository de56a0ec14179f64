"""When it is told that something is wrong, and for how long it has been."""

from collections.abc import Callable

import kafka.errors
import pytest
from structlog.testing import capture_logs

from consumers import trouble


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the monotonic clock."""
    return lambda now_s: monkeypatch.setattr("consumers.trouble.time.monotonic", lambda: now_s)


def test_what_lasts_is_told_with_how_long_however_often_it_was_heard_of(at: Callable[[float], None]) -> None:
    wrong = trouble.Trouble()
    with capture_logs() as logs:
        for tenths in range(700):
            at(100.0 + tenths / 10)
            wrong.tell("topic.missing", topic="t")
        wrong.end()
    assert [(line["event"], line["lasted_s"]) for line in logs] == [
        ("topic.missing", 2),
        ("topic.missing", 32),
        ("topic.missing", 62),
        ("trouble.ended", 70),
    ]


def test_what_is_over_soon_is_not_told(at: Callable[[float], None]) -> None:
    wrong = trouble.Trouble()
    with capture_logs() as logs:
        for now_s in (5.0, 6.9):
            at(now_s)
            wrong.tell("kafka.unreachable")
        wrong.end()
        at(7.1)
        wrong.tell("kafka.unreachable")
        wrong.tell("group.rebalancing")  # another trouble begins anew
        wrong.end()
    assert logs == []


def test_a_try_that_took_long_and_failed_is_told_at_once(at: Callable[[float], None]) -> None:
    wrong = trouble.Trouble()
    at(50.0)
    with capture_logs() as logs:
        wrong.tell("letters.delayed", kafka.errors.KafkaTimeoutError("too late"), after_s=5.0)
        wrong.tell("store.unavailable", OSError("full"), after_s=5.0)
    assert [(line["lasted_s"], line["error"]) for line in logs] == [(5, "KafkaTimeoutError: too late"), (5, "OSError: full")]
