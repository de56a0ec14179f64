"""Committed events published to a real broker, read back by a consumer that is not ours."""

import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from structlog.testing import capture_logs

from consumers import relay
from consumers.producing import Destination, beside
from consumers.relay import ForeignTopicError
from ledger.ledger import Ledger
from schemas.touchpoint import Stored, Touchpoint
from tests.consumers.conftest import Topic
from tests.consumers.events import NOW_US, structured

PARTITIONS = 3
WITHIN_S = 30.0
TERM_S = 2.0
KILLS = 3


def touchpoint(number: int) -> Touchpoint:
    subject = f"customer/c{number % 7}"
    return Touchpoint("/shop", f"e{number}", "relationship.purchase.v1", subject, structured(number, subject=subject))


def destination(topic: Topic) -> Destination:
    return Destination(topic.broker.bootstrap, topic.name)


@pytest.fixture
def topic(new_topic: Callable[..., Topic]) -> Topic:
    return new_topic(PARTITIONS)


def relaying(ledger: Ledger, topic: Topic) -> AbstractContextManager[None]:
    return beside("relay", lambda stopped: relay.run(ledger, destination(topic), stopped.is_set, term_s=TERM_S))


def received(topic: Topic) -> list[Message]:
    """All the topic holds, in order within each partition."""
    options = {"bootstrap.servers": topic.broker.bootstrap, "group.id": "reader", "enable.partition.eof": True, "fetch.wait.max.ms": 10}
    consumer = Consumer(options)
    consumer.assign([TopicPartition(topic.name, partition, 0) for partition in range(PARTITIONS)])
    found: list[Message] = []
    ended = 0
    try:
        while ended < PARTITIONS:
            record = consumer.poll(WITHIN_S)
            assert record is not None, "the broker does not answer"
            if record.error():
                ended += 1
            else:
                found.append(record)
    finally:
        consumer.close()
    return found


def header(record: Message, name: str) -> str:
    value = dict(record.headers() or [])[name]
    assert isinstance(value, bytes)
    return value.decode()


def positions(records: Sequence[Message]) -> list[int]:
    return [int(header(record, "ledger.position")) for record in records]


def until_published(topic: Topic, count: int) -> list[Message]:
    deadline_s = time.monotonic() + WITHIN_S
    while len(records := received(topic)) < count:
        assert time.monotonic() < deadline_s, f"{len(records)} of {count} were published"
        time.sleep(0.1)
    return records


def test_each_event_is_published_as_stored_keyed_by_its_relationship_with_its_place(ledger: Ledger, topic: Topic) -> None:
    ledger.append([touchpoint(number) for number in range(20)])
    with relaying(ledger, topic):
        records = until_published(topic, 20)
    stored = {one.position: one for one in ledger.read(after=0, limit=100)}
    assert sorted(positions(records)) == list(range(1, 21))
    for record, position in zip(records, positions(records), strict=True):
        one = stored[position]
        assert (record.key(), record.value()) == (one.relationship.encode(), one.event)
        assert (header(record, "ledger.version"), header(record, "ledger.recorded_at")) == (str(one.version), "2026-09-21T14:13:20Z")
        assert header(record, "content-type").startswith("application/cloudevents+json")


def test_what_is_appended_meanwhile_and_later_follows_once_and_in_order(ledger: Ledger, topic: Topic) -> None:
    for start in (0, 100, 200):
        with relaying(ledger, topic):
            ledger.append([touchpoint(number) for number in range(start, start + 60)])
            until_published(topic, start // 100 * 100 + 60)
            ledger.append([touchpoint(number) for number in range(start + 60, start + 100)])
            until_published(topic, start + 100)
    assert_each_once_in_order(received(topic), 300)


def test_a_topic_that_was_deleted_and_made_again_has_everything_once_more(ledger: Ledger, topic: Topic) -> None:
    ledger.append([touchpoint(number) for number in range(50)])
    with relaying(ledger, topic):
        until_published(topic, 50)
    topic.broker.delete_topic(topic.name)
    topic.broker.create_topic(topic.name, PARTITIONS)
    for count in (50, 60):
        with capture_logs() as logs, relaying(ledger, topic):
            ledger.append([touchpoint(number) for number in range(count)])
            until_published(topic, count)
        assert ("relay.begins_anew" in [line["event"] for line in logs]) == (count == 50)
    assert_each_once_in_order(received(topic), 60)


def test_a_second_relay_stands_by_until_the_first_has_stopped(ledger: Ledger, topic: Topic) -> None:
    with capture_logs() as logs, relaying(ledger, topic):
        ledger.append([touchpoint(0)])
        until_published(topic, 1)
        with relaying(ledger, topic):
            deadline_s = time.monotonic() + WITHIN_S
            while not any(line["event"] == "relay.standing_by" for line in logs) and time.monotonic() < deadline_s:
                time.sleep(0.02)
            ledger.append([touchpoint(1)])
            until_published(topic, 2)
    assert sum(line["event"] == "relay.started" for line in logs) == 1
    assert_each_once_in_order(received(topic), 2)


def test_a_topic_that_is_missing_is_waited_for_and_told(ledger: Ledger, topic: Topic) -> None:
    topic.broker.delete_topic(topic.name)
    ledger.append([touchpoint(0)])
    with capture_logs() as logs, relaying(ledger, topic):
        deadline_s = time.monotonic() + WITHIN_S
        while not any(line["event"] == "relay.delayed" for line in logs) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        topic.broker.create_topic(topic.name, PARTITIONS)
        until_published(topic, 1)


@pytest.mark.parametrize("theirs", [5, 1])
def test_a_topic_of_another_ledger_is_refused(theirs: int, ledger: Ledger, topic: Topic) -> None:
    ledger.append([touchpoint(1), touchpoint(2)])
    record = relay.message(Stored(theirs, "customer/c1", 1, "relationship.purchase.v1", 0, structured(99)))
    topic.producer.produce(topic.name, record["value"], record["key"], headers=record["headers"])
    topic.flush()
    with pytest.raises(ForeignTopicError, match="topic of this ledger's own"):
        relay.run(ledger, destination(topic), lambda: False)


def test_records_that_are_nobodys_do_not_disturb(ledger: Ledger, topic: Topic) -> None:
    ledger.append([touchpoint(number) for number in range(5)])
    topic.send(b"?", [])
    topic.flush()
    with relaying(ledger, topic):
        until_published(topic, 6)
    assert sorted(positions([record for record in received(topic) if record.value() != b"?"])) == [1, 2, 3, 4, 5]


def test_a_relay_that_is_killed_at_any_moment_neither_loses_nor_repeats(tmp_path: Path, topic: Topic) -> None:
    url, rng = f"sqlite:///{tmp_path}/ledger.db", random.Random(4)
    context = multiprocessing.get_context("spawn")
    with Ledger.open(url, clock=lambda: NOW_US) as ledger:
        number = 0
        for _ in range(KILLS):
            victim = context.Process(target=relay_for_ever, args=(url, destination(topic)))
            victim.start()
            before, at_work, kill_at_s = len(received(topic)), False, time.monotonic() + WITHIN_S
            while time.monotonic() < kill_at_s:
                ledger.append([touchpoint(number + more) for more in range(50)])
                number += 50
                if not at_work and len(received(topic)) > before:  # some of what it publishes is not stored yet
                    at_work, kill_at_s = True, time.monotonic() + rng.uniform(0.0, 0.8)
                time.sleep(0.01)
            assert at_work
            victim.kill()
            victim.join()
        with relaying(ledger, topic):
            until_published(topic, number)
    assert_each_once_in_order(received(topic), number)


def relay_for_ever(url: str, to: Destination) -> None:
    with Ledger.open(url, clock=lambda: NOW_US) as ledger:
        relay.run(ledger, to, lambda: False, term_s=TERM_S)


def assert_each_once_in_order(records: list[Message], count: int) -> None:
    assert sorted(positions(records)) == list(range(1, count + 1))
    for partition in range(PARTITIONS):
        mine = positions([record for record in records if record.partition() == partition])
        assert mine == sorted(mine)
