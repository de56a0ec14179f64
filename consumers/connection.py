"""kafka-python, set up as its traps demand, with its metadata and raw requests within reach.

No deserializers, no automatic commits, no topics created, no offset chosen for us (``auto_offset_reset`` none: an offset the broker
does not have is an error, never a silent jump), only committed records, cooperative rebalances.
"""

import base64
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.structs import MemberState, OffsetAndMetadata

from consumers.division import WHOLE, DividedAssignor, Division
from consumers.records import PartitionRecords, Record
from schemas.errors import SettingsError

BOOTSTRAP_MS = 2_000  # a try to reach the brokers; a stop is heard after at most that long
FETCH_BYTES = 8 << 20  # a fetch answers with at most that much; with what is being appended, the bound on memory
PARTITION_BYTES = FETCH_BYTES // 2  # of those from one partition: two suffice for the largest batches
FETCH_WAIT_MS = 200  # the broker answers as soon as it has a byte; this bounds how long a newly assigned partition waits for its turn
APART_S = 0.005  # between the beginnings of two polls
METADATA_AGE_MS = 5_000  # how soon a topic that was replaced, or has new partitions, is noticed
RECONNECT_MS_MAX = 2_000


T = TypeVar("T")


class KafkaSettings(msgspec.Struct, frozen=True):
    """Which records to read, as whom.

    brokers: HOST:PORT, several with commas.
    instance: a name that survives restarts (static membership): a restarted consumer has its partitions back at once, without a
        rebalance. Partitions added to the topic meanwhile are seen at the next rebalance only. None: a new member each time.
    session_ms: a consumer not heard of for that long loses its partitions; brokers allow 6,000 and more.
    accept_new_topic: read a topic that was deleted and created again from its beginning, instead of stopping.
    accept_loss: go on from the oldest record there is where the broker lost or deleted records, instead of stopping.
    division: which partitions are this ledger's, where several share the topic; their consumers need groups of their own.
    client: further options of kafka-python, for TLS and SASL.
    """

    brokers: str
    topic: str
    group: str
    instance: str | None = None
    session_ms: int = 6_000
    accept_new_topic: bool = False
    accept_loss: bool = False
    division: Division = WHOLE
    client: Mapping[str, Any] = {}


def connect(kind: Callable[..., T], given: Mapping[str, Any], **options: Any) -> tuple[T, KafkaNetClient, KafkaConnectionManager]:  # noqa: ANN401  # kafka-python's
    """Make a consumer or producer, and keep the parts it hides. When that fails nothing of it is left running.

    Args:
        kind: ``KafkaConsumer`` or ``KafkaProducer``.
        given: options from outside.
        **options: ours, which the promises rest on.

    Raises:
        SettingsError: ``given`` has an option that is ours.
        KafkaError, OSError: the brokers cannot be reached.
        KafkaConfigurationError: kafka-python does not take an option.
    """
    if taken := sorted(given.keys() & options.keys()):
        raise SettingsError(f"Kafka: the option {taken[0]!r} is not yours to set, exactly-once rests on it: remove it")
    made: list[tuple[KafkaNetClient, KafkaConnectionManager]] = []

    def make(**configs: Any) -> KafkaNetClient:  # noqa: ANN401
        net = NetworkSelector(**configs)
        manager = KafkaConnectionManager(net, **configs)
        manager.cluster.config["allow_auto_create_topics"] = False  # kafka-python 3.0.12 loses the option on its way
        client = KafkaNetClient(net, manager, **configs)
        made.append((client, manager))
        return client

    try:
        return kind(kafka_client=make, **options, **given), *made[0]
    except BaseException:
        for client, _ in made:
            client.close()  # else its thread and sockets would live on
        raise


class Pace:
    """Keeps things ``apart_s`` seconds apart; what comes later than that waits for nothing."""

    def __init__(self, apart_s: float, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self._apart_s, self._clock, self._sleep = apart_s, clock, sleep
        self._next_s = 0.0

    def wait(self) -> None:
        now_s = self._clock()
        if now_s < self._next_s:
            self._sleep(self._next_s - now_s)
        self._next_s = max(now_s, self._next_s) + self._apart_s


class Connection:
    """A consumer that has reached the brokers. Its making raises what ``connect`` does."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.topic = settings.topic
        self.consumer, self._client, self._manager = connect(
            KafkaConsumer,
            settings.client,
            bootstrap_servers=settings.brokers.split(","),
            group_id=settings.group,
            group_instance_id=settings.instance,
            session_timeout_ms=settings.session_ms,
            heartbeat_interval_ms=settings.session_ms // 3,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            partition_assignment_strategy=[CooperativeStickyAssignor if settings.division == WHOLE else DividedAssignor(settings.division)],
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=METADATA_AGE_MS,
            bootstrap_timeout_ms=BOOTSTRAP_MS,
            reconnect_backoff_max_ms=RECONNECT_MS_MAX,
            metrics_enabled=False,
        )
        self.consumer._fetcher.PartitionRecords = PartitionRecords  # noqa: SLF001  # see there
        self._pace = Pace(APART_S)

    @property
    def cluster_id(self) -> str | None:
        """As Kafka's own tools print it; None until the brokers were asked."""
        cluster_id: str | None = self._manager.cluster.cluster_id
        return cluster_id

    @property
    def topic_id(self) -> str | None:
        """The topic's id as Kafka's own tools print it; None while the cluster does not know the topic."""
        uuid = self._manager.cluster.topic_id(self.topic)
        return base64.urlsafe_b64encode(uuid.bytes).decode().rstrip("=") if uuid and uuid.int else None

    @property
    def partitions(self) -> int:
        """How many partitions the topic has, of whatever ledger; 0 while the cluster does not know it."""
        return len(self._manager.cluster.partitions_for_topic(self.topic) or ())

    @property
    def topic_exists(self) -> bool:
        """As of the last metadata, at most five seconds old."""
        return self.partitions > 0

    @property
    def reached(self) -> bool:
        """Whether any broker is connected now."""
        return any(self._client.connected(broker.node_id) for broker in self._manager.cluster.brokers())

    def poll(self, timeout_ms: int, limit: int) -> Mapping[TopicPartition, list[Record]]:
        """The next records, at most ``limit``; none where none came within ``timeout_ms``.

        While records flow, what is published within some milliseconds shares a fetch and a commit: each costs 2 ms of CPU, the broker's
        not counted, and who polls as often as possible takes it from those who wait. A poll that waited for a record delays none.
        """
        self._pace.wait()
        polled: Mapping[TopicPartition, list[Record]] = self.consumer.poll(timeout_ms, max_records=limit)
        return polled

    def join(self) -> bool:
        """Whether we are in the group and have our share of the partitions; if not, the next poll sees to it.

        kafka-python 3.0.12 forgets a rebalance that began because the topic changed when ``poll`` times out before it is over: left
        alone, it would wait for its partitions for ever, without heartbeats.
        """
        if self.consumer.group_metadata().state == MemberState.STABLE:
            return True
        self.consumer._coordinator.request_rejoin()  # noqa: SLF001  # there is no public way
        return False

    def refresh(self, timeout_ms: int) -> None:
        """Ask the brokers for their metadata now."""
        self._manager.run(self._manager.wait_for, self._manager.cluster.request_update(), timeout_ms)

    def close(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], timeout_ms: int) -> None:
        """Commit ``offsets``, leave the group and let go of the sockets."""
        try:
            self.consumer.commit(offsets, timeout_ms=timeout_ms)
        finally:
            self.consumer.close(autocommit=False, timeout_ms=timeout_ms)
