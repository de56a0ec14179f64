"""One topic, two ledgers: each has its own relationships, whole, whoever consumes and however the topic grows."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from consumers.connection import KafkaSettings
from consumers.division import WHOLE, DividedOtherwiseError, Division, number_of
from consumers.intake import run
from consumers.kafka import KafkaSource
from consumers.producing import beside
from ledger.ledger import Ledger
from tests.consumers.conftest import Topic
from tests.consumers.events import NOW_US, STRUCTURED, structured
from tests.services.postgres import Postgres

WITHIN_S = 30.0
CUSTOMERS = 40
HALVES = (Division(1, 2), Division(2, 2))


@pytest.fixture
def topic(new_topic: Callable[..., Topic]) -> Topic:
    return new_topic(4)


@pytest.fixture
def ledgers(postgres: Postgres) -> Iterator[Sequence[Ledger]]:
    """Two PostgreSQL databases."""
    with ExitStack() as stack:
        urls = [stack.enter_context(postgres.database()) for _ in HALVES]
        yield [stack.enter_context(Ledger.open(url, clock=lambda: NOW_US)) for url in urls]


def publish(topic: Topic, numbers: range) -> None:
    """Each customer's touchpoints in the partition of its key, as Kafka's own clients place them."""
    producer = Producer({"bootstrap.servers": topic.broker.bootstrap, "partitioner": "murmur2_random"})
    for number in numbers:
        subject = f"customer/c{number % CUSTOMERS}"
        producer.produce(topic.name, structured(number, subject=subject), subject.encode(), headers=list(STRUCTURED))
    assert producer.flush(10) == 0


def of(topic: Topic, division: Division, group: str = "half") -> KafkaSettings:
    return topic.settings(group=f"{group}-{division.number}-{topic.name}", division=division)


def consuming(ledger: Ledger, settings: KafkaSettings) -> AbstractContextManager[None]:
    def consume(stopped: threading.Event) -> None:
        source = KafkaSource(settings, ledger)
        try:
            run(source, ledger, clock=lambda: NOW_US, stopped=stopped.is_set)
        finally:
            source.close()

    return beside("consumer", consume)


def until(ledgers: Sequence[Ledger], count: int) -> None:
    deadline_s = time.monotonic() + WITHIN_S
    while (found := sum(ledger.head().position for ledger in ledgers)) < count:
        assert time.monotonic() < deadline_s, f"{found} of {count} arrived"
        time.sleep(0.05)


def relationships(ledger: Ledger) -> dict[str, int]:
    """How many touchpoints each has."""
    found: dict[str, int] = {}
    for stored in ledger.read(after=0, limit=10_000):
        found[stored.relationship] = found.get(stored.relationship, 0) + 1
    return found


def test_each_relationship_is_whole_in_the_ledger_of_its_key(topic: Topic, ledgers: Sequence[Ledger]) -> None:
    publish(topic, range(400))
    with ExitStack() as stack:
        for ledger, division in zip(ledgers, HALVES, strict=True):
            for _ in range(2):  # two consumers share the ledger's partitions
                stack.enter_context(consuming(ledger, of(topic, division)))
        until(ledgers, 400)
    for ledger, division in zip(ledgers, HALVES, strict=True):
        assert set(relationships(ledger).values()) == {400 // CUSTOMERS}
        assert {number_of(one, 2) for one in relationships(ledger)} == {division.number}
    assert len(relationships(ledgers[0])) + len(relationships(ledgers[1])) == CUSTOMERS


def test_a_topic_that_grows_moves_no_relationship_to_another_ledger(topic: Topic, ledgers: Sequence[Ledger]) -> None:
    with consuming(ledgers[0], of(topic, HALVES[0])), consuming(ledgers[1], of(topic, HALVES[1])):
        publish(topic, range(200))
        until(ledgers, 200)
        admin = AdminClient({"bootstrap.servers": topic.broker.bootstrap})
        admin.create_partitions([NewPartitions(topic.name, 8)])[topic.name].result(10)
        publish(topic, range(200, 400))
        until(ledgers, 400)
    assert not relationships(ledgers[0]).keys() & relationships(ledgers[1]).keys()


def test_a_ledger_keeps_its_share_for_ever(topic: Topic, ledgers: Sequence[Ledger]) -> None:
    publish(topic, range(200))
    with consuming(ledgers[0], of(topic, HALVES[0])):
        until(ledgers, 1)
    for other in (HALVES[1], WHOLE, Division(1, 4)):
        source = KafkaSource(of(topic, other, group="other"), ledgers[0])
        with pytest.raises(DividedOtherwiseError, match="number 1 of 2"):
            run(source, ledgers[0], clock=lambda: NOW_US)
        source.close()


def test_a_ledger_that_read_a_whole_topic_is_not_given_a_part_of_it(topic: Topic, ledgers: Sequence[Ledger]) -> None:
    publish(topic, range(200))
    with consuming(ledgers[0], topic.settings()):
        until(ledgers, 1)
    source = KafkaSource(of(topic, HALVES[0]), ledgers[0])
    with pytest.raises(DividedOtherwiseError, match="number 1 of 1"):
        run(source, ledgers[0], clock=lambda: NOW_US)
    source.close()


def test_partitions_that_cannot_be_shared_evenly_are_refused(topic: Topic, ledgers: Sequence[Ledger]) -> None:
    publish(topic, range(200))
    source = KafkaSource(of(topic, Division(1, 3)), ledgers[0])
    with pytest.raises(DividedOtherwiseError, match="give it 6"):
        run(source, ledgers[0], clock=lambda: NOW_US)
    source.close()
