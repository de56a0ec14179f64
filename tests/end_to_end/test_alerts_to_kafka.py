"""Alerts from the worker to Kafka: each once, whatever is killed and rebuilt."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message

from tests.service.commands import Rledger, bare, eventually
from tests.service.test_alerts import ACME, late_delivery
from tests.services.kafka import Kafka

TOPIC = "alerts-once"
QUIET_S = 4.0  # two rounds of delivering: a repeat would have come
PATIENCE_S = 60.0  # a delivery lease of one that died is waited for


@pytest.fixture
def rledger(kafka: Kafka, tmp_path: Path) -> Iterator[Rledger]:
    kafka.create_topic(TOPIC, 1)
    command = Rledger(bare(tmp_path / "data") | {"RLEDGER_KAFKA": kafka.bootstrap, "RLEDGER_ALERTS": TOPIC})
    yield command
    command.end()


def received(kafka: Kafka, count: int) -> list[Message]:
    """All records of the topic, once there are ``count`` and no more come."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": f"reader-{count}", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    found: list[Message] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < count and time.monotonic() < deadline:
        found += consumer.consume(100, timeout=0.5)
    found += consumer.consume(100, timeout=QUIET_S)
    consumer.close()
    return found


def test_each_alert_is_delivered_once_over_kills_and_rebuilds(kafka: Kafka, rledger: Rledger) -> None:
    rledger("append", "-", stdin=late_delivery(1, 1.0) + late_delivery(2, 0.5))
    worker = rledger.start("project")
    (record,) = received(kafka, 1)
    alert = json.loads(record.value() or b"")
    assert (record.key(), dict(record.headers() or [])["ledger.alert"]) == (ACME.encode(), alert["id"].encode())
    assert (alert["kind"], alert["state"], alert["evidence"]) == ("we_fail_again", "open", [1, 2])
    eventually(lambda: rledger.json("alerts", "list")[0]["delivered"] == [f"kafka:{TOPIC}"])
    worker.kill()
    worker.wait()
    rledger("rebuild", "--all")
    rledger.start("project")
    rledger("append", "-", stdin=(late_delivery(3, 0.4) + late_delivery(4, 0.3)).replace(ACME, "customer/bolt"))
    records = received(kafka, 2)
    assert [record.key() for record in records] == [ACME.encode(), b"customer/bolt"]
