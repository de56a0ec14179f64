"""Dead letters published to Kafka, read back by a consumer that is not ours."""

import time
from collections.abc import Callable
from typing import Any

import kafka.errors
import pytest
from confluent_kafka import Consumer, Message
from structlog.testing import capture_logs

from consumers.letters import message, publish, publishing
from consumers.producing import Destination
from ledger.interface import DeadLetter
from ledger.ledger import Ledger
from schemas.errors import OvertakenError
from tests.consumers.conftest import Topic

WITHIN_S = 20.0


def letter(number: int, **changes: object) -> DeadLetter:
    fields: dict[str, object] = {
        "code": "bad_data",
        "reason": "amount is missing",
        "origin": "relationship.touchpoints",
        "partition": 3,
        "offset": number,
        "key": b"customer/c1",
        "headers": (("content-type", b"application/json"), ("twice", b"1"), ("twice", None)),
        "body": b'{"number": %d}' % number,
    }
    return DeadLetter(**(fields | changes))  # type: ignore[arg-type]


def received(topic: Topic, count: int, *, within_s: float = WITHIN_S) -> list[Message]:
    """The first ``count`` records of the topic, or those there are after ``within_s``."""
    consumer = Consumer({"bootstrap.servers": topic.broker.bootstrap, "group.id": f"{topic.name}-reader", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic.name])
    try:
        found: list[Message] = []
        deadline = time.monotonic() + within_s
        while len(found) < count and time.monotonic() < deadline:
            found += consumer.consume(count - len(found), timeout=0.5)
        return found
    finally:
        consumer.close()


def headers(record: Message) -> dict[str, Any]:
    return dict(record.headers() or [])


def test_a_letter_is_published_with_connects_headers_and_as_it_came(topic: Topic, ledger: Ledger) -> None:
    ledger.append([], dead_letters=[letter(7)])
    with publishing(ledger, Destination(topic.broker.bootstrap, topic.name)):
        (record,) = received(topic, 1)
    assert (record.key(), record.value()) == (b"customer/c1", b'{"number": 7}')
    assert record.headers() == [
        ("content-type", b"application/json"),
        ("twice", b"1"),
        ("twice", b""),
        ("__connect.errors.topic", b"relationship.touchpoints"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"7"),
        ("__connect.errors.connector.name", b"relationship-ledger"),
        ("__connect.errors.stage", b"VALUE_CONVERTER"),
        ("__connect.errors.exception.class.name", b"bad_data"),
        ("__connect.errors.exception.message", b"amount is missing"),
        ("ledger.deadletter", b"1"),
    ]


def test_letters_of_a_file_a_tombstone_and_bytes_too_many_are_published_too(topic: Topic, ledger: Ledger) -> None:
    odd = [
        letter(0, origin="orders.csv", partition=None, key=None, headers=()),
        letter(1, key=None, body=None),
        letter(2, body=None),
        letter(3, body=b"x" * 2_000_000, code="unreadable"),
    ]
    ledger.append([], dead_letters=odd)
    with publishing(ledger, Destination(topic.broker.bootstrap, topic.name)):
        records = received(topic, 4)
    assert [record.value() for record in records] == [b'{"number": 0}', b"", None, None]
    assert "__connect.errors.partition" not in headers(records[0])
    assert headers(records[3])["__connect.errors.stage"] == b"KAFKA_CONSUME"
    assert headers(records[3])["ledger.deadletter"] == b"4"


def test_each_letter_is_published_once_over_restarts(topic: Topic, ledger: Ledger) -> None:
    settings = Destination(topic.broker.bootstrap, topic.name)
    for start in (0, 120, 125):
        ledger.append([], dead_letters=[letter(number) for number in range(start, start + 5 if start else 120)])
        with publishing(ledger, settings):
            deadline = time.monotonic() + WITHIN_S
            while ledger.streams("letters/").get(f"letters/{topic.name}") != (start + 6 if start else 121) and time.monotonic() < deadline:
                time.sleep(0.02)
    numbers = [headers(record)["ledger.deadletter"] for record in received(topic, 131, within_s=2)]
    assert sorted(int(number or 0) for number in numbers) == list(range(1, 131))


def test_a_topic_that_is_missing_delays_letters_and_is_told(new_topic: Callable[..., Topic], ledger: Ledger) -> None:
    topic = new_topic()
    topic.broker.delete_topic(topic.name)
    ledger.append([], dead_letters=[letter(0)])
    with capture_logs() as logs, publishing(ledger, Destination(topic.broker.bootstrap, topic.name)):
        deadline = time.monotonic() + WITHIN_S
        while not any(line["event"] == "letters.delayed" for line in logs) and time.monotonic() < deadline:
            time.sleep(0.05)
        topic.broker.create_topic(topic.name)
        (record,) = received(topic, 1)
    assert headers(record)["ledger.deadletter"] == b"1"
    (told,) = (line for line in logs if line["event"] == "letters.delayed")
    assert told["topic"] == topic.name
    assert told["error"].endswith(f"create topic {topic.name}; publishing starts then")


class Sent:
    """What a producer returns for a record; fails when told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def get(self, timeout: float) -> None:
        assert timeout > 0
        if self.error is not None:
            raise self.error


def test_a_crash_before_the_position_is_stored_publishes_again_and_after_it_does_not(ledger: Ledger) -> None:
    ledger.append([], dead_letters=[letter(number) for number in range(3)])
    seen: list[int] = []

    def send(_topic: str, *, headers: list[tuple[str, bytes]], fail: bool = False, **_rest: object) -> Sent:
        seen.append(int(dict(headers)["ledger.deadletter"]))
        return Sent(kafka.errors.KafkaTimeoutError() if fail else None)

    with pytest.raises(kafka.errors.KafkaTimeoutError):
        publish(ledger, lambda topic, **record: send(topic, fail=True, **record), "dead")
    assert publish(ledger, send, "dead") == 3
    assert publish(ledger, send, "dead") == 0
    assert seen == [1, 2, 3, 1, 2, 3]


def test_of_two_publishers_at_the_same_moment_one_stores_the_position(ledger: Ledger) -> None:
    ledger.append([], dead_letters=[letter(0)])

    def send(_topic: str, **_record: object) -> Sent:
        return Sent()

    def send_while_another_does(topic: str, **_record: object) -> Sent:
        publish(ledger, send, topic)
        return Sent()

    with pytest.raises(OvertakenError):
        publish(ledger, send_while_another_does, "dead")
    assert publish(ledger, send, "dead") == 0


def test_a_reason_with_any_character_can_be_a_header(ledger: Ledger) -> None:
    ledger.append([], dead_letters=[letter(0, reason="größer als \U0001f600")])
    (kept,) = ledger.dead_letters(limit=1)
    assert dict(message(kept)["headers"])["__connect.errors.exception.message"].decode() == "größer als \U0001f600"
