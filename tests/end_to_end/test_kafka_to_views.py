"""The whole way, with everything going wrong: Kafka to ledger to views, each touchpoint exactly once."""

import json
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from ledger.ledger import Ledger
from projections.registry import projections
from projections.scoring.policy_file import shipped
from projections.views import ViewRow, Views
from schemas.catalogue import RESERVED_PREFIX
from service import settings, stores
from service.clock import now_us
from service.sample.generator import generate
from tests.service.commands import COMMAND, Rledger, bare, eventually
from tests.services.kafka import Kafka

SEED = 20
TOUCHPOINTS = 20_000  # valid ones
PARTITIONS = 4
KILLS = 10
BAD_EVERY = 100  # one bad message in so many
REPEAT_EVERY = 25  # one repeat in so many
BURSTS = 40  # the messages are published in so many, a little apart
PATIENCE_S = 90.0
Headers = list[tuple[str, str | bytes | None]]
STRUCTURED: Headers = [("content-type", b"application/cloudevents+json")]
UNREADABLE_HEADER = b"caf\xe9=latin"  # a key that is not UTF-8


class Published:
    """What was sent and where the broker put it, by the broker's own reports. Safe to read once the producer was flushed."""

    def __init__(self, broker: Kafka, topic: str) -> None:
        self.broker, self.topic = broker, topic
        # one request at a time and idempotent: retries over the broker's restart neither reorder nor repeat
        self.producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True, "linger.ms": 5})
        self.valid: dict[tuple[str, str], list[tuple[int, int]]] = {}  # (source, id) -> its (partition, offset) places, first to last
        self.bad: set[tuple[int, int]] = set()  # places of what must become a dead letter
        self.subjects: dict[tuple[str, str], str] = {}

    def send(self, subject: str, value: bytes | None, headers: Headers, identity: tuple[str, str] | None) -> None:
        """``identity`` None: it must be refused."""

        def report(error: object, message: Any) -> None:
            assert error is None, error
            place = (message.partition(), message.offset())
            if identity is None:
                self.bad.add(place)
            else:
                self.valid.setdefault(identity, []).append(place)
                self.subjects[identity] = subject

        sent: Any = headers
        partition = sum(subject.encode()) % PARTITIONS
        while True:
            try:
                self.producer.produce(self.topic, value, subject, partition=partition, headers=sent, on_delivery=report)
            except BufferError:
                self.producer.poll(0.1)
            else:
                self.producer.poll(0)
                return


def binary(event: bytes) -> tuple[bytes, Headers]:
    """The same event in binary mode."""
    attributes = json.loads(event)
    data = json.dumps(attributes.pop("data")).encode()
    headers: Headers = [(f"ce_{name}", str(value).encode()) for name, value in attributes.items()]
    return data, [*headers, ("content-type", b"application/json")]


def messages(rng: random.Random) -> Iterator[tuple[str, bytes | None, Headers, tuple[str, str] | None]]:
    """Everything to publish: subject, value, headers, and the identity of what is valid. A bad one never shares a new identity."""
    touchpoints = [one for _, one in zip(range(TOUCHPOINTS), generate(SEED, now_us()), strict=False)]
    assert len(touchpoints) == TOUCHPOINTS
    for start in range(0, TOUCHPOINTS, 50):  # reordered within a window: what happened first does not come first
        window = touchpoints[start : start + 50]
        rng.shuffle(window)
        touchpoints[start : start + 50] = window
    earlier: list[tuple[str, bytes, tuple[str, str]]] = []
    for number, one in enumerate(touchpoints):
        identity = (one.source, one.id)
        value, headers = binary(one.event) if number % 2 else (one.event, STRUCTURED)
        yield one.subject, value, headers, identity
        earlier.append((one.subject, one.event, identity))
        if number % REPEAT_EVERY == 0:
            subject, event, known = rng.choice(earlier)
            again, mode = binary(event) if rng.random() < 0.5 else (event, STRUCTURED)
            yield subject, again, mode, known
        if number % BAD_EVERY == 0:
            subject, event, _ = rng.choice(earlier)
            yield subject, *bad(rng.randrange(6), event), None


def bad(kind: int, event: bytes) -> tuple[bytes | None, Headers]:
    """A message that must be refused, made of a good one that was published before."""
    attributes = json.loads(event)
    if kind == 0:
        return event[:-7], STRUCTURED  # cut off
    if kind == 1:
        return None, STRUCTURED  # nothing in it
    if kind == 2:
        return json.dumps(attributes | {"subject": "nobody"}).encode(), STRUCTURED
    if kind == 3:
        return json.dumps(attributes | {"time": "2999-01-01T00:00:00Z"}).encode(), STRUCTURED
    if kind == 4:
        return json.dumps(
            attributes | {"type": "relationship.feedback.v1", "id": "x", "data": {"scale": "nps", "value": 99}}
        ).encode(), STRUCTURED
    return json.dumps(attributes | {"actor": "somebody else"}).encode(), STRUCTURED  # the same identity, other content


class Consumer:
    """``rledger consume`` as a process that a test may treat badly."""

    def __init__(self, rledger: Rledger, log: Path) -> None:
        self._rledger, self._log = rledger, log.open("ab")
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        self.process = subprocess.Popen(
            [*COMMAND, "consume", "--consumers", "1"], env=self._rledger.environ, stdout=self._log, stderr=self._log
        )
        return self.process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self._log.close()


@pytest.fixture
def rledger(tmp_path: Path) -> Iterator[Rledger]:
    """The command line on an empty data folder."""
    command = Rledger(bare(tmp_path / "data"))
    yield command
    command.end()


def tables(folder: Path) -> dict[str, list[ViewRow]]:
    """Every row of every view, with its state."""
    with closing(Views.open(folder / "views.db")) as views:
        return {one.name: list(views.select(one, state=True)) for one in projections(shipped())}


@pytest.mark.timeout(240)
def test_killed_paused_and_cut_off_consumers_put_each_touchpoint_in_the_ledger_once(
    own_kafka: Kafka, rledger: Rledger, tmp_path: Path
) -> None:
    topic = f"end-to-end-{time.time_ns()}"
    own_kafka.create_topic(topic, PARTITIONS)
    own_kafka.create_topic(f"{topic}-dead")
    rledger.environ |= {"RLEDGER_KAFKA": own_kafka.bootstrap, "RLEDGER_TOPIC": topic, "RLEDGER_GROUP": topic}
    rledger.environ |= {"RLEDGER_DEADLETTERS": f"{topic}-dead", "RLEDGER_LOG": "json"}
    rng = random.Random(SEED)
    published = Published(own_kafka, topic)
    everything = list(messages(rng))
    producing = threading.Thread(target=produce, args=(published, everything))
    with closing(Consumer(rledger, tmp_path / "victim.log")) as victim, closing(Consumer(rledger, tmp_path / "other.log")) as other:
        producing.start()
        worker = torment(rng, rledger, victim, other, own_kafka)
        producing.join(PATIENCE_S)
        assert not producing.is_alive()
        where = ["kcat", "-P", "-b", own_kafka.bootstrap, "-t", topic, "-p", "0"]
        subprocess.run([*where, "-H", UNREADABLE_HEADER], input=b"{}", check=True, timeout=20)
        letters = len(published.bad) + 1
        eventually(lambda: progress(rledger) >= (TOUCHPOINTS, letters), PATIENCE_S)
        assert (victim.stop(), other.stop()) == (0, 0)
        worker.send_signal(signal.SIGTERM)
        worker.wait(20)
    the_ledger_has_each_once(rledger, published)
    the_views_equal_a_rebuild_from_nothing(rledger, {*published.subjects.values()})


def torment(rng: random.Random, rledger: Rledger, victim: Consumer, other: Consumer, broker: Kafka) -> subprocess.Popen[str]:
    """Kill one consumer again and again, make a zombie of the other, kill the worker, restart the broker. Returns the worker."""
    worker = rledger.start("project")
    for kill in range(KILLS):
        time.sleep(rng.uniform(0.3, 1.5))
        victim.kill()
        victim.start()
        if kill == 3:  # gone for longer than the broker waits, then back with its old batch
            other.process.send_signal(signal.SIGSTOP)
        elif kill == 5:
            worker.kill()
            worker.wait()
            worker = rledger.start("project")
        elif kill == 8:
            broker.restart()
    time.sleep(2.0)
    other.process.send_signal(signal.SIGCONT)
    return worker


def progress(rledger: Rledger) -> tuple[int, int]:
    """Touchpoints from outside and dead letters in the ledger."""
    with closing(sqlite3.connect(f"file:{rledger.environ['RLEDGER_DATA']}/ledger.db?mode=ro", uri=True)) as store:
        ((touchpoints,),) = store.execute("SELECT count(*) FROM events WHERE type NOT LIKE 'ledger.%'")
        ((letters,),) = store.execute("SELECT count(*) FROM dead_letters")
    return touchpoints, letters


def the_ledger_has_each_once(rledger: Rledger, published: Published) -> None:
    with open_ledger(rledger) as ledger:
        stored = [one for after in range(0, ledger.head().position, 10_000) for one in ledger.read(after=after, limit=10_000)]
        kept = [one.letter for one in ledger.dead_letters(limit=1000)]
    ours = [one for one in stored if not one.type.startswith(RESERVED_PREFIX)]

    # nothing lost, nothing twice, nothing invented
    identities = [(event["source"], event["id"]) for event in (json.loads(one.event) for one in ours)]
    assert len(identities) == len(set(identities)) == TOUCHPOINTS
    assert set(identities) == published.valid.keys()
    assert [one.position for one in stored] == list(range(1, len(stored) + 1))

    # every bad one is a dead letter, once, where the broker put it
    places = [(letter.partition, letter.offset) for letter in kept]
    assert len(places) == len(set(places)) == len(published.bad) + 1
    assert published.bad <= set(places)
    assert {letter.code for letter in kept} == {"not_json", "bad_subject", "bad_data", "time_ahead", "id_reused", "unreadable"}

    # per relationship, positions follow the order of its partition
    sent: dict[str, list[tuple[str, str]]] = {}
    for identity in sorted(published.valid, key=lambda identity: published.valid[identity][0]):
        sent.setdefault(published.subjects[identity], []).append(identity)
    found: dict[str, list[tuple[str, str]]] = {}
    for one, identity in zip(ours, identities, strict=True):
        found.setdefault(one.relationship, []).append(identity)
    assert found == sent


def the_views_equal_a_rebuild_from_nothing(rledger: Rledger, relationships_: set[str]) -> None:
    assert rledger("project", "--once").returncode == 0
    folder = Path(rledger.environ["RLEDGER_DATA"])
    live = tables(folder)
    assert {row.row.relationship for row in live["relationships"]} == relationships_
    rebuilt = rledger.json("rebuild", "--all")
    assert {one["name"]: one["comparison"]["same"] for one in rebuilt} == {name: len(rows) for name, rows in live.items()}
    assert all(one["comparison"]["differences"] == [] for one in rebuilt)
    for file in folder.glob("views.db*"):
        file.unlink()
    assert rledger("project", "--once").returncode == 0
    assert tables(folder) == live


def produce(published: Published, everything: list[tuple[str, bytes | None, Headers, tuple[str, str] | None]]) -> None:
    """Publish in bursts, so that consumers are killed live as well as behind."""
    size = -(-len(everything) // BURSTS)
    for start in range(0, len(everything), size):
        for subject, value, headers, identity in everything[start : start + size]:
            published.send(subject, value, headers, identity)
        published.producer.poll(0.2)
    assert published.producer.flush(60) == 0


def open_ledger(rledger: Rledger) -> Ledger:
    return stores.open_ledger(settings.read(rledger.environ), read_only=True)
