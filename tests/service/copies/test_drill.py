"""``docs/backup.md``, step by step: with a real Kafka, on both stores, while touchpoints keep coming; nothing is lost, nothing twice."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from threading import Thread
from time import sleep, time_ns
from urllib.parse import urlsplit

import psycopg
import pytest
from confluent_kafka import Producer

from service import settings
from service.stores import open_ledger
from tests.service.commands import Rledger, bare, eventually
from tests.service.copies.conftest import SUBJECTS, lines
from tests.services.kafka import Kafka

DOCS = Path(__file__).parents[3] / "docs" / "backup.md"
PARTITIONS, BEFORE, DURING, AFTER = 3, 200, 300, 100


def steps() -> list[list[str]]:
    """The commands of each block of the page that is to be followed as it is."""
    blocks = re.findall(r"```console\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return [[line.removeprefix("$ ") for line in block.splitlines()] for block in blocks]


class Drill:
    """A ledger fed from a topic, and the shell of who follows the page."""

    def __init__(self, kafka: Kafka, folder: Path, store: dict[str, str]) -> None:
        self.topic = f"drill-{time_ns()}"
        kafka.create_topic(self.topic, PARTITIONS)
        self.rledger = Rledger(bare(folder / "data") | {"RLEDGER_KAFKA": kafka.bootstrap, "RLEDGER_TOPIC": self.topic} | store)
        self.rledger.environ |= {"RLEDGER_GROUP": self.topic, "BACKUP": str(folder / "backup"), "RLEDGER_LOG": "json"}
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap, "enable.idempotence": True})

    def publish(self, start: int, count: int) -> None:
        for line in lines(start, count).splitlines():
            key = json.loads(line)["subject"]
            partition = SUBJECTS.index(key) % PARTITIONS
            self._producer.produce(self.topic, line, key, partition, headers=[("content-type", b"application/cloudevents+json")])
        assert self._producer.flush(30) == 0

    def trickle(self, start: int, count: int) -> None:
        """Publish a few at a time, so that they are appended while something else is done."""
        for burst in range(start, start + count, 20):
            self.publish(burst, 20)
            sleep(0.05)

    def follow(self, command: str) -> str:
        """Do what the page says."""
        program, *arguments = shlex.split(command.replace("$BACKUP", self.rledger.environ["BACKUP"]))
        assert program == "rledger"
        done = self.rledger(*arguments)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def lose_everything(self) -> None:
        if (url := self.rledger.environ.get("RLEDGER_STORE")) is not None:
            with psycopg.connect(url) as server:
                server.execute("DROP SCHEMA ledger CASCADE; DROP SCHEMA IF EXISTS views CASCADE")
        rmtree(self.rledger.environ["RLEDGER_DATA"])

    def head(self) -> int:
        with open_ledger(settings.read(self.rledger.environ), read_only=True) as ledger:
            return ledger.head().position

    def touchpoints(self) -> list[tuple[int, str]]:
        """Position and id of what came from the topic."""
        with open_ledger(settings.read(self.rledger.environ)) as ledger:
            found = [(one[0], json.loads(one[5])) for one in ledger.recorder.rows(0, 10_000)]
        return [(position, event["id"]) for position, event in found if event["source"] == "/crm"]

    def offsets(self) -> int:
        """How many records of the topic the ledger says it has read."""
        with open_ledger(settings.read(self.rledger.environ)) as ledger:
            return sum(ledger.streams("kafka/").values())


@pytest.fixture(params=["sqlite", "postgres"])
def drill(request: pytest.FixtureRequest, kafka: Kafka, tmp_path: Path) -> Iterator[Drill]:
    store = {} if request.param == "sqlite" else {"RLEDGER_STORE": request.getfixturevalue("postgres_url")}
    drill = Drill(kafka, tmp_path, store)
    assert urlsplit(drill.rledger.environ.get("RLEDGER_STORE", "sqlite:")).scheme.startswith(request.param)
    yield drill
    drill.rledger.end()


def test_the_drill(drill: Drill) -> None:
    every_night, the_day_it_is_lost = steps()
    consumer = drill.rledger.start("consume")
    drill.publish(0, BEFORE)
    eventually(lambda: drill.offsets() >= BEFORE)
    publishing = Thread(target=drill.trickle, args=(BEFORE, DURING))
    publishing.start()
    for command in every_night:
        drill.follow(command)
    publishing.join()
    drill.publish(BEFORE + DURING, AFTER)
    eventually(lambda: drill.offsets() == BEFORE + DURING + AFTER)
    consumer.terminate()
    consumer.wait(20)
    before = drill.touchpoints()
    (told,) = [json.loads(line) for line in drill.follow('rledger restore "$BACKUP" --check --json').splitlines()]

    drill.lose_everything()
    for command in the_day_it_is_lost:
        drill.follow(command)
    restored = drill.touchpoints()
    assert BEFORE <= len(restored) <= BEFORE + DURING
    assert restored == before[: len(restored)]
    assert restored[-1][0] <= told["events"] < drill.head()  # a worker's first run closes days, behind what was restored
    assert drill.offsets() == len(restored)  # so Kafka delivers the others, and no other

    consumer = drill.rledger.start("consume")
    eventually(lambda: drill.offsets() == BEFORE + DURING + AFTER)
    consumer.terminate()
    consumer.wait(20)
    after = drill.touchpoints()
    assert after[: len(restored)] == restored
    assert sorted(id_ for _, id_ in after) == sorted(id_ for _, id_ in before)
    assert drill.offsets() == BEFORE + DURING + AFTER
    drill.follow("rledger verify --no-views")
    drill.follow("rledger checkpoint")
