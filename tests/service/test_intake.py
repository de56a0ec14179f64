"""``up`` and ``consume`` with a real broker, and what ``doctor`` says of it."""

import itertools
import json
import signal
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Producer

from service import settings
from service.stores import open_ledger
from tests.service.commands import PATIENCE_S, Rledger, eventually, part
from tests.service.test_putting import BAD, purchase
from tests.services.kafka import Kafka

_numbers = itertools.count()


@pytest.fixture
def topic(kafka: Kafka) -> str:
    """A topic of its own, beside one for its dead letters."""
    name = f"service-{next(_numbers)}"
    kafka.create_topic(name, partitions=2)
    kafka.create_topic(f"{name}-dead")
    return name


@pytest.fixture
def connected(rledger: Rledger, kafka: Kafka, topic: str) -> Rledger:
    """The command line, told of the broker and the topic."""
    rledger.environ |= {"RLEDGER_KAFKA": kafka.bootstrap, "RLEDGER_TOPIC": topic, "RLEDGER_DEADLETTERS": f"{topic}-dead"}
    rledger.environ |= {"RLEDGER_GROUP": topic}
    return rledger


def publish(kafka: Kafka, topic: str, *events: str, keyed: bool = False) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for event in events:
        key = json.loads(event)["subject"] if keyed else None
        producer.produce(topic, event.encode(), key, headers=[("content-type", b"application/cloudevents+json")])
    assert producer.flush(10) == 0


def logged(said: str) -> list[dict[str, Any]]:
    """The log lines among what a process said, where it logs in JSON."""
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def kafka_check(rledger: Rledger) -> dict[str, str]:
    checks = json.loads(rledger.process("doctor", "--json").stdout)["checks"]
    return {check["name"]: f"{check['verdict']}: {check['found']}" for check in checks}


def test_a_published_touchpoint_is_seen_and_a_killed_intake_loses_none(connected: Rledger, kafka: Kafka, topic: str) -> None:
    up = connected.start("up")
    publish(kafka, topic, purchase(1), BAD)
    eventually(lambda: connected("show", "customer/acme").returncode == 0)
    assert [letter["code"] for letter in connected.json("deadletters", "list")] == ["bad_subject"]
    victim = eventually(partial(part, up, "consume"))
    victim.kill()
    publish(kafka, topic, purchase(2), purchase(1), purchase(3))
    eventually(lambda: len(connected.json("history", "customer/acme")) == 3)
    assert "0 records behind" in kafka_check(connected)["kafka"]
    up.send_signal(signal.SIGINT)
    said, _ = up.communicate(timeout=PATIENCE_S)
    assert up.returncode == 0
    assert f"topic {topic} at {kafka.bootstrap}" in said


def test_consumers_share_a_topic_and_one_killed_and_one_joining_lose_repeat_and_reorder_nothing(either: Rledger, kafka: Kafka) -> None:
    topic = f"shared-{next(_numbers)}"
    kafka.create_topic(topic, partitions=4)
    kafka.create_topic(f"{topic}-dead")
    either.environ |= {"RLEDGER_KAFKA": kafka.bootstrap, "RLEDGER_TOPIC": topic, "RLEDGER_GROUP": topic}
    either.environ |= {"RLEDGER_DEADLETTERS": f"{topic}-dead", "RLEDGER_LOG": "json"}
    sent = [purchase(number, subject=f"customer/c{number * number % 41}") for number in range(6_000)]
    publish(kafka, topic, *sent[:2_000], keyed=True)

    def appended(count: int) -> bool:
        with open_ledger(settings.read(either.environ), read_only=True) as ledger:
            return ledger.head().position >= count

    with open_ledger(settings.read(either.environ)):
        pass
    consume = either.start("consume", "--consumers", "2", "--instance", "shop")
    victim = eventually(partial(part, consume, "shop-1"))
    eventually(lambda: appended(1))
    victim.kill()
    publish(kafka, topic, *sent[2_000:4_000], keyed=True)
    joining = either.start("consume", "--consumers", "1")
    assert joining.stdout is not None
    assert next(line for line in joining.stdout if "partition.assigned" in line)
    eventually(lambda: appended(4_000))
    publish(kafka, topic, *sent[4_000:], keyed=True)
    eventually(lambda: appended(6_000))
    ended = []
    for process in (consume, joining):
        process.terminate()
        ended.append(process.communicate(timeout=PATIENCE_S)[0])
        assert process.returncode == 0
    (death,) = [line for line in logged(ended[0]) if line["event"] == "part.ended"]
    assert (death["part"], death["number"], death["how"]) == ("intake", 1, "killed by SIGKILL")
    assert {line["consumer"] for line in logged(ended[0]) if line["event"] == "partition.assigned"} == {1, 2}

    with open_ledger(settings.read(either.environ), read_only=True) as ledger:
        log = ledger.read(after=0, limit=10_000)
        assert ledger.check() == []
    assert [one.position for one in log] == list(range(1, 6_001))
    found: dict[str, list[str]] = {}
    for one in log:
        found.setdefault(one.relationship, []).append(json.loads(one.event)["id"])
    expected: dict[str, list[str]] = {}
    for event in map(json.loads, sent):
        expected.setdefault(event["subject"], []).append(event["id"])
    assert found == expected


def test_a_consumer_more_than_there_are_partitions_stands_by_and_says_so(connected: Rledger, kafka: Kafka, topic: str) -> None:
    publish(kafka, topic, purchase(1), purchase(2), BAD)
    connected.environ["RLEDGER_LOG"] = "json"
    consume = connected.start("consume", "--consumers", "3")
    assert consume.stdout is not None
    said = next(line for line in consume.stdout if "consumer.standing_by" in line)
    assert logged(said)[0]["partitions"] == 2
    eventually(lambda: connected.head() == 2)
    consume.terminate()
    consume.communicate(timeout=PATIENCE_S)
    assert consume.returncode == 0


def test_what_stops_one_consumer_stops_all_and_is_told_as_by_one(connected: Rledger, kafka: Kafka, topic: str) -> None:
    connected("append", "-", stdin=purchase(1))
    publish(kafka, topic, purchase(2))
    once = connected.start("consume", "--consumers", "1")
    eventually(lambda: connected.head() == 2)
    once.terminate()
    once.communicate(timeout=PATIENCE_S)
    kafka.delete_topic(topic)
    kafka.create_topic(topic, partitions=2)
    consume = connected.start("consume", "--consumers", "2")
    said, _ = consume.communicate(timeout=PATIENCE_S)
    assert consume.returncode == 1
    assert "--accept-new-topic" in said


def test_a_doctor_tells_how_far_behind_the_intake_is(connected: Rledger, kafka: Kafka, topic: str) -> None:
    connected("append", "-", stdin=purchase(1))
    publish(kafka, topic, purchase(1), purchase(2))
    assert "2 partitions, 2 records behind" in kafka_check(connected)["kafka"]
    kafka.delete_topic(topic)
    eventually(lambda: kafka_check(connected)["kafka"].startswith(f"wrong: {kafka.bootstrap} has no topic"))


def test_consuming_without_a_broker_says_how_to_name_one(rledger: Rledger) -> None:
    done = rledger("consume")
    assert done.returncode == 1
    assert done.stderr == "error: no Kafka is named: give --kafka HOST:PORT, or set RLEDGER_KAFKA\n"
