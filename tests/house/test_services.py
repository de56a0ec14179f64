"""The services the other tests rest on do what those tests take for granted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.services.kafka import Kafka


def test_a_topic_has_the_partitions_asked_for_and_may_be_made_again(kafka: Kafka) -> None:
    for partitions in (1, 4):
        kafka.create_topic("house.again", partitions)
        consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap)
        assert len(consumer.partitions_for_topic("house.again")) == partitions
        consumer.close()
        kafka.delete_topic("house.again")


def test_a_killed_broker_comes_back_on_its_port_with_its_records(own_kafka: Kafka) -> None:
    own_kafka.create_topic("house.killed")
    producer = KafkaProducer(bootstrap_servers=own_kafka.bootstrap, acks="all")
    producer.send("house.killed", b"kept", timestamp_ms=0).get(timeout=10)  # of 1970: no retention removes it
    producer.close()
    own_kafka.kill()
    own_kafka.start()
    consumer = KafkaConsumer(bootstrap_servers=own_kafka.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=30_000)
    consumer.assign([TopicPartition("house.killed", 0)])
    assert next(consumer).value == b"kept"
    consumer.close()
    own_kafka.delete_topic("house.killed")


def test_each_test_gets_an_empty_database(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_a_service_ends_with_the_process_that_started_it_even_a_killed_one(tmp_path: Path) -> None:
    starts_one = (
        "import signal, time; from tests.services.process import Service;"
        "service = Service('sleeper', signal.SIGTERM); service.start(['sleep', '600'], lambda: True);"
        "print(service._process.pid, service.folder, flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", starts_one], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert owner.stdout is not None
    pid, folder = owner.stdout.readline().split()
    assert is_alive(int(pid))
    assert Path(os.fsdecode(folder)).exists()
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    deadline = time.monotonic() + 20
    while Path(os.fsdecode(folder)).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int(pid))
    assert list(tmp_path.iterdir()) == []


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not collected by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False
