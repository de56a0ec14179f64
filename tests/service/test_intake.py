"""``up`` and ``consume`` with a real broker, and what ``doctor`` says of it."""

import itertools
import json
import signal
from functools import partial

import pytest
from confluent_kafka import Producer

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


def publish(kafka: Kafka, topic: str, *events: str) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for event in events:
        producer.produce(topic, event.encode(), headers=[("content-type", b"application/cloudevents+json")])
    assert producer.flush(10) == 0


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
