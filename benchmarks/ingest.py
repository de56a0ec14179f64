"""How fast touchpoints get from Kafka into the ledger and all views, beside the raw limit of the same parts in the same run.

    python -m benchmarks.ingest [--events 200000] [--kafka HOST:PORT] [--store URL] [--no-views]

The raw limit is kafka-python, msgspec and ``executemany`` into a SQLite file with the ledger's own settings, and nothing else: no check,
no identity, no version, no offset. Both read the same topic; time runs from the poll that brought the first record until the last one is
durable, and for us until every view has it. Intake and views are two processes, as in the service. Prints one JSON object.
"""

import argparse
import contextlib
import json
import logging
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition

from benchmarks.measure import Work, touchpoints
from consumers import intake
from consumers.connection import FETCH_BYTES, KafkaSettings
from consumers.kafka import KafkaSource
from consumers.records import Record
from consumers.source import Batch
from ledger.ledger import Ledger
from projections.registry import projections
from projections.runner import Runner
from projections.scoring.policy_file import shipped
from projections.views import Views
from service.clock import now_us
from tests.services.kafka import Kafka, local_kafka

PARTITIONS = 4
POLL_MS = 250
BATCH = intake.LIMIT_MAX
RAW_SETTINGS = ("journal_mode = WAL", "synchronous = FULL", "cache_size = -262144", "wal_autocheckpoint = 8000")


class Event(msgspec.Struct, gc=False):
    """What the raw limit decodes."""

    id: str
    source: str
    type: str
    subject: str
    time: str


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    with _broker(options.kafka) as broker, tempfile.TemporaryDirectory() as folder:
        topic = f"ingest-{time.time_ns()}"
        broker.create_topic(topic, PARTITIONS)
        try:
            bytes_each = _produce(broker, topic, options.events)
            (raw_started, raw_ended), _ = Work(_raw, broker.bootstrap, topic, options.events, folder).result()
            store = options.store or f"sqlite:///{folder}/ledger.db"
            works = [Work(_intake, broker.bootstrap, topic, options.events, store)]
            works += [Work(_views, options.events, store, folder)] if options.views else []
            results = [work.result() for work in works]
        finally:
            broker.delete_topic(topic)
    started = results[0][0][0]
    ended = max(result[1] for result, _ in results)
    per_s, raw_per_s = options.events / (ended - started), options.events / (raw_ended - raw_started)
    cpu_s = sum(usage.cpu_s for _, usage in results)
    figures = {
        "name": "ingest" if options.views else "ingest without views",
        "events": options.events,
        "bytes_per_event": round(bytes_each),
        "events_per_s": round(per_s),
        "raw_per_s": round(raw_per_s),
        "ratio": round(per_s / raw_per_s, 3),
        "cpu_s_per_100k": round(cpu_s * 100_000 / options.events, 2),
        "peak_rss_mb": round(sum(usage.peak_rss_mb for _, usage in results)),
    }
    print(json.dumps(figures))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kafka to ledger to views, beside the raw limit.")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker; without one, one is started")
    parser.add_argument("--store", metavar="URL", help="an empty store; without one, a SQLite file that is thrown away")
    parser.add_argument("--no-views", dest="views", action="store_false", help="only into the ledger")
    return parser.parse_args(arguments)


@contextlib.contextmanager
def _broker(address: str | None) -> Iterator[Kafka]:
    if address:
        yield Kafka(address)
    else:
        with local_kafka() as broker:
            yield broker


def _produce(broker: Kafka, topic: str, count: int) -> float:
    """Publish ``count`` touchpoints with librdkafka; returns their mean size in bytes."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 20, "queue.buffering.max.messages": count})
    headers: Any = [("content-type", b"application/cloudevents+json")]
    size = 0
    for subject, event in touchpoints(count):
        producer.produce(topic, event, subject, headers=headers)
        size += len(event)
    producer.flush()
    return size / count


def _raw(brokers: str, topic: str, count: int, folder: str) -> tuple[float, float]:
    """The limit: poll, decode, executemany, commit. Returns: when it started and ended, on the machine's monotonic clock."""
    database = sqlite3.connect(Path(folder) / "raw.db", isolation_level=None)
    for setting in RAW_SETTINGS:
        database.execute(f"PRAGMA {setting}")
    database.execute(
        "CREATE TABLE event (position INTEGER PRIMARY KEY, id TEXT, source TEXT, type TEXT, subject TEXT, time TEXT, body BLOB)"
    )
    consumer = KafkaConsumer(
        bootstrap_servers=brokers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_bytes=FETCH_BYTES,
        metrics_enabled=False,
    )
    consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    decode = msgspec.json.Decoder(Event).decode
    started, taken = 0.0, 0
    while taken < count:
        polling = time.monotonic()
        records = [record for some in consumer.poll(POLL_MS, max_records=BATCH).values() for record in some]
        started = started or (polling if records else 0.0)
        taken += len(records)
        rows = []
        for record in records:
            event = decode(record.value)
            rows.append((event.id, event.source, event.type, event.subject, event.time, record.value))
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO event (id, source, type, subject, time, body) VALUES (?, ?, ?, ?, ?, ?)", rows)
        database.execute("COMMIT")
    ended = time.monotonic()
    consumer.close()
    database.close()
    return started, ended


class _Timed(KafkaSource):
    """Notes when the poll began that brought the first record."""

    started = 0.0

    def poll(self, timeout_ms: int, limit: int) -> Batch[Record]:
        polling = time.monotonic()
        batch = super().poll(timeout_ms, limit)
        self.started = self.started or (polling if batch else 0.0)
        return batch


def _intake(brokers: str, topic: str, count: int, store: str) -> tuple[float, float]:
    _quiet()
    with Ledger.open(store, clock=now_us) as ledger:
        source = _Timed(KafkaSettings(brokers, topic, topic), ledger)
        intake.run(source, ledger, clock=now_us, stopped=lambda: ledger.head().position >= count)
        ended = time.monotonic()
        source.close()
    return source.started, ended


def _views(count: int, store: str, folder: str) -> tuple[float, float]:
    _quiet()
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(Ledger.open(store, clock=now_us))
        views = stack.enter_context(contextlib.closing(Views.open(Path(folder) / "views.db")))
        lock = views.try_lock()
        assert lock is not None, "nobody else keeps views that are just being made"
        stack.enter_context(lock)
        runner = stack.enter_context(contextlib.closing(Runner(ledger, views, projections(shipped()), clock=now_us)))
        started = time.monotonic()
        while runner.position < count:
            if not runner.run_once():
                ledger.wait(runner.position, 1.0)
        return started, time.monotonic()


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


if __name__ == "__main__":
    main()
