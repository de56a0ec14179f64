"""A ledger, topics of its own for each test, and a producer that is not ours."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from consumers.connection import KafkaSettings
from consumers.kafka import KafkaSource
from ledger.ledger import Ledger
from tests.consumers.events import NOW_US, STRUCTURED, structured
from tests.services.kafka import Kafka


class Topic:
    """One topic, and a librdkafka producer for it."""

    def __init__(self, broker: Kafka, name: str, partitions: int) -> None:
        self.broker, self.name = broker, name
        broker.create_topic(name, partitions)
        self.producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 0})

    def send(
        self,
        value: bytes | None,
        headers: list[tuple[str, bytes | None]] | None = None,
        *,
        key: bytes | None = None,
        partition: int = 0,
        producer: Producer | None = None,
    ) -> None:
        sent: Any = STRUCTURED if headers is None else headers
        (producer or self.producer).produce(self.name, value, key, partition=partition, headers=sent)

    def send_events(self, numbers: range, *, partition: int = 0) -> None:
        for number in numbers:
            self.send(structured(number), partition=partition)
        self.flush()

    def flush(self) -> None:
        assert self.producer.flush(10) == 0

    def settings(self, **changes: Any) -> KafkaSettings:
        return KafkaSettings(**{"brokers": self.broker.bootstrap, "topic": self.name, "group": f"group-of-{self.name}"} | changes)


_numbers = itertools.count()


@pytest.fixture
def new_topic(kafka: Kafka, request: pytest.FixtureRequest) -> Callable[..., Topic]:
    """Makes a topic with the given number of partitions."""
    return lambda partitions=1: Topic(kafka, f"{request.node.name[:80].replace('[', '-').rstrip(']')}-{next(_numbers)}", partitions)


@pytest.fixture
def topic(new_topic: Callable[..., Topic]) -> Topic:
    """A topic with one partition."""
    return new_topic()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db", clock=lambda: NOW_US) as opened:
        yield opened


@pytest.fixture
def open_source(ledger: Ledger) -> Iterator[Callable[[KafkaSettings], KafkaSource]]:
    """Makes sources of the test's ledger, closed at its end; may be closed before."""
    sources: list[KafkaSource] = []

    def opened(settings: KafkaSettings) -> KafkaSource:
        sources.append(KafkaSource(settings, ledger))
        return sources[-1]

    yield opened
    for source in sources:
        source.close()
