"""Where the ledger publishes to: a topic, a producer that gives up what it cannot deliver in time, and a thread beside all else.

Idempotent, and without transactions. Readers know what they have seen before by a header, since a crash may publish some twice.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import kafka.errors
import msgspec
from kafka import KafkaProducer

from consumers.connection import connect

DELIVERY_MS = 5_000  # how long a missing topic or broker is waited for, and a record tried


class Destination(msgspec.Struct, frozen=True):
    """A topic. ``client``: further options of kafka-python, for TLS and SASL."""

    brokers: str
    topic: str
    client: Mapping[str, Any] = {}


@contextmanager
def producing(to: Destination, *, delivery_ms: int = DELIVERY_MS, **options: int) -> Iterator[KafkaProducer]:
    """A producer; what it has not sent when the block ends is tried for ``delivery_ms`` at most.

    Raises:
        KafkaError, OSError: the brokers cannot be reached, or have no such topic.
        SettingsError: ``client`` has an option that is ours.
    """
    producer, *_ = connect(
        KafkaProducer,
        to.client,
        bootstrap_servers=to.brokers.split(","),
        bootstrap_timeout_ms=DELIVERY_MS,
        max_block_ms=delivery_ms,
        request_timeout_ms=delivery_ms // 2,
        delivery_timeout_ms=delivery_ms,
        metrics_enabled=False,
        **options,
    )
    try:
        _find(producer, to.topic)
        yield producer
    finally:
        producer.close(timeout=2 * delivery_ms / 1_000)  # by then each record was sent or given up: closing earlier leaves its thread


@contextmanager
def beside(name: str, run: Callable[[threading.Event], None]) -> Iterator[None]:
    """Have ``run`` go on in a thread of its own; when the block ends it is told by the event, and waited for."""
    stopped = threading.Event()
    thread = threading.Thread(target=run, args=(stopped,), name=name)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _find(producer: KafkaProducer, topic: str) -> None:
    try:
        producer.partitions_for(topic)
    except kafka.errors.KafkaTimeoutError as error:  # as a missing one shows itself: brokers that create none keep silent
        raise kafka.errors.UnknownTopicOrPartitionError(f"create topic {topic}; publishing starts then") from error
