"""The raw limits: the same parts with nothing of ours in between, in the ledger's own durability. No check, identity, version or offset."""

import contextlib
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import psycopg
from kafka import KafkaConsumer, TopicPartition

from benchmarks import measure
from benchmarks.place import PARTITIONS, Place
from benchmarks.touchpoints import number_of
from consumers import intake
from consumers.connection import FETCH_BYTES, PARTITION_BYTES

SETTINGS = ("journal_mode = WAL", "synchronous = FULL", "cache_size = -131072", "wal_autocheckpoint = 16000")
COLUMNS = "id, source, type, subject, time, body"

Rows = Sequence[tuple[Any, ...]]


class Event(msgspec.Struct, gc=False):
    """What is decoded of a touchpoint."""

    id: str
    source: str
    type: str
    subject: str
    time: str


decode = msgspec.json.Decoder(Event).decode


def row(body: bytes) -> tuple[Any, ...]:
    """A touchpoint as a row of the bare table."""
    event = decode(body)
    return event.id, event.source, event.type, event.subject, event.time, body


class Table(Protocol):
    """A bare table on the place's store."""

    def write(self, rows: Rows) -> None:
        """Write rows in one durable commit."""

    def bodies(self) -> list[bytes]:
        """The last column of every row, in the order they were written."""

    def close(self) -> None: ...


def table(place: Place) -> Table:
    return SQLiteTable(place) if place.is_sqlite else PostgresTable(place)


class SQLiteTable:
    def __init__(self, place: Place) -> None:
        self._database = sqlite3.connect(Path(place.folder) / "raw.db", isolation_level=None)
        for setting in SETTINGS:
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute(
            "CREATE TABLE event (position INTEGER PRIMARY KEY, id TEXT, source TEXT, type TEXT, subject TEXT, time TEXT, body BLOB)"
        )

    def write(self, rows: Rows) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany(f"INSERT INTO event ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def bodies(self) -> list[bytes]:
        return [body for (body,) in self._database.execute("SELECT body FROM event ORDER BY position")]

    def close(self) -> None:
        self._database.close()


class PostgresTable:
    def __init__(self, place: Place) -> None:
        self._connection = psycopg.connect(place.store, autocommit=True)
        self._cursor = self._connection.cursor(binary=True)
        self._cursor.execute("CREATE SCHEMA raw")
        self._cursor.execute(
            "CREATE TABLE raw.event (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " id text, source text, type text, subject text, time text, body bytea)"
        )

    def write(self, rows: Rows) -> None:
        with self._cursor.copy(f"COPY raw.event ({COLUMNS}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.set_types(["text"] * 5 + ["bytea"])
            for one in rows:
                copy.write_row(one)

    def bodies(self) -> list[bytes]:
        return [body for (body,) in self._cursor.execute("SELECT body FROM raw.event ORDER BY position")]

    def close(self) -> None:
        self._connection.close()


def from_kafka(place: Place, topic: str, count: int, *, tell: bool = False) -> tuple[float, list[tuple[float, int]], list[int]]:
    """Poll, decode, write, commit, until there are ``count`` rows.

    Returns: when the poll began that brought the first record; when each commit was done, and how many rows there were then; with
        ``tell``, which touchpoint each row is. Moments are of the machine's monotonic clock.
    """
    consumer = KafkaConsumer(
        bootstrap_servers=place.kafka,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=PARTITION_BYTES,
        metrics_enabled=False,
    )
    consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    started, taken, commits = 0.0, 0, []
    with contextlib.closing(table(place)) as bare:
        while taken < count:
            polling = time.monotonic()
            records = [record for some in consumer.poll(intake.POLL_MS, max_records=intake.LIMIT_MAX).values() for record in some]
            if records:
                started = started or polling
                bare.write([row(record.value) for record in records])
                taken += len(records)
                commits.append((time.monotonic(), taken))
                measure.under_way()
        consumer.close()
        return started, commits, [number_of(body) for body in bare.bodies()] if tell else []
