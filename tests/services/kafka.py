"""A real Apache Kafka broker: ``with local_kafka() as broker``. Ready in about three seconds; one node, KRaft mode."""

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError
from platformdirs import user_cache_path

from tests.services.process import Service, ServiceError, docker_run, docker_works, free_port

POM = Path(__file__).with_name("kafka.pom.xml")
IMAGE = "apache/kafka:4.3.1"
CLUSTER_ID = "cmVsYXRpb25zaGlwcw"  # any 16 bytes in base64url
TOPIC_WITHIN_S = 30.0
SETTINGS = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={folder}/data
# A topic is what a test made, and its records stay whatever time they bear.
auto.create.topics.enable=false
log.retention.ms=-1
# One node, and no waiting for others to join.
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
# A killed broker may come back only when its earlier session is over.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"""


class Kafka:
    """A broker at ``bootstrap`` (host:port). One that was not started here can be used, not restarted."""

    def __init__(self, bootstrap: str, service: Service | None = None, command: tuple[str, ...] = ()) -> None:
        self.bootstrap = bootstrap
        self._service = service
        self._command = command

    @property
    def is_ours(self) -> bool:
        return self._service is not None

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Create the topic; returns when every partition has a leader."""
        with self._admin() as admin:
            admin.create_topics([NewTopic(name, partitions, 1)])
        self._wait_for(name, partitions)

    def delete_topic(self, name: str) -> None:
        """Delete the topic; returns when it may be created again."""
        with self._admin() as admin:
            admin.delete_topics([name])
        self._wait_for(name, 0)

    def start(self) -> None:
        """Start the broker on its port, with the data it had."""
        self._owned().start(self._command, self._answers)

    def stop(self) -> None:
        """Shut the broker down in an orderly way (SIGTERM)."""
        self._owned().stop()

    def kill(self) -> None:
        """Take the broker away at once (SIGKILL); ``start`` brings it back."""
        self._owned().stop(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _owned(self) -> Service:
        if self._service is None:
            raise ServiceError(f"the broker at {self.bootstrap} was not started here, so it cannot be stopped: use the fixture own_kafka")
        return self._service

    def _admin(self) -> closing[KafkaAdminClient]:
        return closing(KafkaAdminClient(bootstrap_servers=self.bootstrap))

    def _answers(self) -> bool:
        host, port = self.bootstrap.rsplit(":", 1)
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            with self._admin() as admin:
                return bool(admin.describe_cluster()["brokers"])
        except (OSError, KafkaError):
            return False

    def _wait_for(self, name: str, partitions: int) -> None:
        deadline = time.monotonic() + TOPIC_WITHIN_S
        with self._admin() as admin:
            while time.monotonic() < deadline:
                (topic,) = admin.describe_topics([name])
                if sum(partition["leader_id"] >= 0 for partition in topic["partitions"]) == partitions:
                    return
                time.sleep(0.02)
        raise ServiceError(f"topic {name} does not have {partitions} partitions after {TOPIC_WITHIN_S:.0f} s")


@contextmanager
def kafka_for_tests() -> Iterator[Kafka]:
    """The broker at ``RLEDGER_TEST_KAFKA`` if given, else one of our own."""
    if given := os.environ.get("RLEDGER_TEST_KAFKA"):
        yield Kafka(given)
    else:
        with local_kafka(brief=True) as broker:
            yield broker


@contextmanager
def local_kafka(*, brief: bool = False) -> Iterator[Kafka]:
    """A broker of our own, from Docker where it works, else from Maven's jars and this machine's Java; gone at the end, with its data.

    brief: for minutes only, so that Java compiles it quickly instead of well, which halves what it takes of the processor.
    """
    service = Service("kafka", signal.SIGTERM)
    try:
        settings = service.folder / "server.properties"
        port = free_port()
        settings.write_text(SETTINGS.format(port=port, controller_port=free_port(), folder=service.folder))
        java = _java(service, *(["-XX:TieredStopAtLevel=1"] if brief else []))
        service.run([*java, "kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config", str(settings)])
        broker = Kafka(f"127.0.0.1:{port}", service, (*java, "kafka.Kafka", str(settings)))
        broker.start()
        yield broker
    finally:
        service.close()


def _java(service: Service, *more: str) -> list[str]:
    options = ["-Xmx512m", "-XX:+UseSerialGC", *more, "-cp"]
    if docker_works():
        as_us = [f"--user={os.getuid()}:{os.getgid()}", f"--volume={service.folder}:{service.folder}", "--entrypoint=java"]
        return [*docker_run(service, *as_us, IMAGE), *options, "/opt/kafka/libs/*"]
    return ["java", *options, f"{jars()}/*"]


def jars() -> Path:
    """The folder of Kafka's jars, 44 MB in the user's cache; Maven fetches them the first time."""
    folder = user_cache_path("relationship-ledger") / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be fetching them right now
        if not folder.exists():
            _fetch_jars(folder)
    return folder


def _fetch_jars(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServiceError("Kafka's jars come through Maven, and there is no mvn: run bin/test, or install maven")
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        command = [maven, "-B", "-q", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={scratch}/jars"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceError(f"Maven could not fetch Kafka's jars:\n{done.stdout}{done.stderr}")
        Path(scratch, "jars").rename(folder)
