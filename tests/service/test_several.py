"""Several ledgers that share a topic: questions span them, and what is done to one says to which."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Producer

from consumers.division import number_of
from tests.service.commands import PATIENCE_S, Rledger, eventually
from tests.service.test_putting import purchase
from tests.services.kafka import Kafka
from tests.services.postgres import Postgres

WITHIN_S = 90.0  # five processes and their imports, however busy the machine
CUSTOMERS = [f"customer/c{number}" for number in range(8)]


@pytest.fixture
def two(rledger: Rledger, postgres: Postgres) -> Iterator[Rledger]:
    """The command line, with two PostgreSQL databases as its ledgers."""
    with ExitStack() as stack:
        rledger.environ["RLEDGER_STORE"] = " ".join(stack.enter_context(postgres.database()) for _ in range(2))
        yield rledger


def fill(two: Rledger) -> None:
    """Append each customer's touchpoints to the ledger of its key."""
    for number, subject in enumerate(CUSTOMERS):
        two.environ["RLEDGER_LEDGER"] = str(number_of(subject, 2))
        assert two("append", "-", stdin=purchase(number, subject=subject)).returncode == 0
    del two.environ["RLEDGER_LEDGER"]


def test_a_list_spans_all_ledgers_in_one_order(two: Rledger) -> None:
    fill(two)
    rows = two.json("list", "--sort", "name", "--limit", "0")
    assert sorted(row["relationship"] for row in rows) == CUSTOMERS
    rows = two.json("list", "--sort", "first_at", "--limit", "3")
    assert [row["relationship"] for row in rows] == CUSTOMERS[:3]


def test_a_relationship_is_found_in_whichever_ledger_has_it(two: Rledger) -> None:
    fill(two)
    for subject in CUSTOMERS:
        assert two.json("show", subject)[0]["events"] == 1
        assert len(two.json("history", subject)) == 1
        assert two.json("explain", subject)[0]["relationship"] == subject
    assert two("show", "customer/nobody").returncode == 1


def test_a_doctor_looks_at_each(two: Rledger) -> None:
    fill(two)
    two.json("list")
    (report,) = two.json("doctor")
    ledgers = {check["name"]: check["found"] for check in report["checks"] if check["name"].startswith("ledger ")}
    assert ledgers.keys() == {"ledger (ledger 1)", "ledger (ledger 2)"}
    assert report["ok"]


def test_an_auditor_verifies_each_ledger_against_its_own_checkpoints_wherever_they_are_kept(two: Rledger, tmp_path: Path) -> None:
    fill(two)
    two.environ["RLEDGER_ANCHOR"] = str(anchor := tmp_path / "anchor")
    for number in ("1", "2"):
        two.environ["RLEDGER_LEDGER"] = number
        assert two("checkpoint").returncode == 0
    del two.environ["RLEDGER_LEDGER"]
    reports = two.json("verify", "--checkpoint", str(anchor))
    assert [(one["ledger"], one["ok"], one["problems"]) for one in reports] == [(1, True, []), (2, True, [])]
    assert sum(one["size"] for one in reports) >= len(CUSTOMERS)
    assert "✓ ledger 1: " in two("verify", "--no-views").stdout

    second = two.environ["RLEDGER_STORE"].split()[1]
    with psycopg.connect(second) as connection:
        connection.execute("SET session_replication_role = replica")  # past the triggers, as somebody with the database in hand
        connection.execute("UPDATE ledger.stored_events SET recorded_us = recorded_us - 1 WHERE notification_id = 1")
    done = two("verify", "--no-views")
    assert done.returncode == 1
    assert "✓ ledger 1: " in done.stdout
    assert "✗ ledger 2: " in done.stdout

    anchor.write_bytes(anchor.read_bytes().replace(b"\n\n", b"!\n\n", 1))
    del two.environ["RLEDGER_ANCHOR"]
    two.environ["RLEDGER_LEDGER"] = "1"
    assert two("verify", "--no-views").returncode == 0
    assert two("verify", "--no-views", "--checkpoint", str(anchor)).returncode == 1  # whose ever it is, it was altered


def test_what_is_done_to_one_ledger_must_say_to_which(two: Rledger) -> None:
    done = two("append", "-", stdin=purchase(1))
    assert done.returncode == 1
    assert "RLEDGER_LEDGER, 1 to 2" in done.stderr


def test_up_fills_all_ledgers_from_one_topic(two: Rledger, kafka: Kafka) -> None:
    kafka.create_topic("several", partitions=4)
    kafka.create_topic("several-dead")
    two.environ |= {"RLEDGER_KAFKA": kafka.bootstrap, "RLEDGER_TOPIC": "several", "RLEDGER_DEADLETTERS": "several-dead"}
    up = two.start("up", "--workers", "1")
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random"})
    for number, subject in enumerate(CUSTOMERS):
        event = purchase(number, subject=subject).encode()
        producer.produce("several", event, subject.encode(), headers=[("content-type", b"application/cloudevents+json")])
    assert producer.flush(10) == 0
    eventually(lambda: two("list", "--limit", "0", "--json").stdout.count("\n") == len(CUSTOMERS), WITHIN_S)
    found = {check["name"]: check["found"] for check in json.loads(two("doctor", "--json").stdout)["checks"]}
    assert "2 partitions, 0 records behind" in found["kafka (ledger 1)"]
    assert "2 partitions, 0 records behind" in found["kafka (ledger 2)"]
    up.send_signal(signal.SIGINT)
    said, _ = up.communicate(timeout=PATIENCE_S)
    assert "running  project 1, intake 1, project 2, intake 2; Ctrl-C stops" in said
    for number in (1, 2):
        two.environ["RLEDGER_LEDGER"] = str(number)
        assert {number_of(row["relationship"], 2) for row in two.json("list", "--limit", "0")} == {number}
