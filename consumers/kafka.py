"""Kafka as a source: a topic's partitions, each from the offset the ledger stored with what was read.

Kafka's own committed offsets are written for lag tools and never read. The stream of a partition is named
``kafka/<cluster id>/<topic>/<topic id>/<partition>``: a topic deleted and created again is another stream, and is noticed.

kafka-python runs the rebalance listener on a thread of its own, so the listener only pauses the new partitions and notes them; the
loop's thread reads the stored offsets, seeks and resumes (``_settle``). After an exception of ``poll`` the consumer might spin, so it
is thrown away and made anew; a record that cannot be read causes none (``records.py``).
"""

import math
import time
from collections import deque
from collections.abc import Collection, Mapping

import kafka.errors
import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.structs import OffsetAndMetadata

from consumers.connection import BOOTSTRAP_MS, Connection, KafkaSettings
from consumers.division import WHOLE
from consumers.errors import OffsetLostError, ReplacedError, TopicReplacedError
from consumers.records import Record
from consumers.source import Batch, Offsets
from consumers.trouble import TELL_S, Trouble
from consumers.watchdog import Watchdog
from ledger.interface import DeadLetter, Delivered
from schemas.cloudevents import decode_message
from schemas.errors import LedgerError, RefusalCode, RefusedError, SettingsError
from schemas.touchpoint import Touchpoint

REQUEST_MS = 5_000  # for what must be asked of the brokers outside of poll
CLOSE_MS = 2_000
SETTLE_MS = 50  # a poll while nothing is assigned: how soon a first assignment is acted on
COMMIT_EVERY = 50  # batches between two advisory commits when messages never cease

Change = tuple[bool, set[int]]  # whether assigned (else revoked), and which partitions

log = structlog.get_logger()


class KafkaSource:
    """A source of ``Record``; one thread polls it. Connects when first polled, and again whenever it must."""

    def __init__(self, settings: KafkaSettings, offsets: Offsets, *, watchdog: Watchdog | None = None) -> None:
        self._settings = settings
        self._offsets = offsets
        self._watchdog = watchdog or Watchdog("kafka.poll")
        self._trouble = Trouble()
        self._connection: Connection | None = None
        self._changes: deque[Change] = deque()  # of the assignment, noted by the listener
        self._fresh: set[int] = set()  # partitions assigned, not yet sought
        self._expected: dict[int, int | None] = {}  # partition -> the ledger's next offset, once what was polled is appended
        self._topic_id: str | None = None
        self._prefix = ""  # of the streams' names
        self._marked = settings.division == WHOLE  # whether the ledger keeps which share of the topic is its
        self._uncommitted: dict[TopicPartition, OffsetAndMetadata] = {}
        self._batches = 0  # since the last advisory commit
        self._paused = False
        self._idle_since_s: float | None = None  # when we had no partition first; infinite once that is told

    def poll(self, timeout_ms: int, limit: int) -> Batch[Record]:
        """As in ``Source``; never at its end.

        Raises:
            TopicReplacedError, OffsetLostError: going on would skip records silently.
            DividedOtherwiseError: going on would split relationships between ledgers.
            ReplacedError: another consumer took our instance name.
            SettingsError: kafka-python does not take an option.
        """
        connection = self._connected(timeout_ms)
        if connection is None:
            return Batch(())
        try:
            self._settle(connection)
            self._resume(connection)
            with self._watchdog:
                polled = connection.poll(timeout_ms if self._expected else min(timeout_ms, SETTLE_MS), limit)
        except LedgerError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it was, the consumer must not be polled again as it is
            return self._recover(connection, error, timeout_ms)
        self._note_changes()
        if self._expected and connection.topic_id not in {None, self._topic_id}:
            self.rewind()  # what was polled may be of the new topic; _settle decides
            return Batch(())
        if polled:
            self._trouble.end()
        else:
            self._watch(connection)
            self._commit(connection)
        return self._batch(polled)

    def touchpoint(self, message: Record, now_us: int) -> Touchpoint:
        if message.problem:
            raise RefusedError("unreadable", message.problem)
        return decode_message(message.headers, message.value, now_us=now_us)

    def letter(self, message: Record, code: RefusalCode, reason: str) -> DeadLetter:
        return DeadLetter(
            code,
            reason,
            message.topic,
            message.partition,
            message.offset,
            message.timestamp_ms if message.timestamp_ms >= 0 else None,
            message.key,
            message.headers,
            message.value,
        )

    def acknowledge(self, batch: Batch[Record]) -> None:
        self._marked = True
        for delivered in batch.delivered:
            if delivered.stream == self._mark_stream:
                continue
            partition = int(delivered.stream.rpartition("/")[2])
            self._uncommitted[self._at(partition)] = OffsetAndMetadata(delivered.next, "", -1)
        self._batches += 1
        if self._batches >= COMMIT_EVERY and self._connection is not None:
            self._commit(self._connection)

    def rewind(self) -> None:
        self._note_changes()
        self._fresh |= self._expected.keys()
        self._expected.clear()
        self._uncommitted.clear()

    def idle(self, timeout_ms: int) -> None:
        connection = self._connected(timeout_ms)
        if connection is None:
            return
        self._paused = True
        try:
            connection.consumer.pause(*connection.consumer.assignment())
            with self._watchdog:
                connection.consumer.poll(timeout_ms, max_records=1)
            connection.join()
        except Exception as error:  # noqa: BLE001  # as in poll
            self._drop(connection, error, timeout_ms)

    def close(self) -> None:
        if self._connection is not None:
            self._shut(self._connection)
        self._watchdog.close()

    def _connected(self, timeout_ms: int) -> Connection | None:
        if self._connection is None:
            try:
                connection = Connection(self._settings)
            except kafka.errors.KafkaConfigurationError as error:
                raise SettingsError(f"Kafka: {error}") from error
            except (kafka.errors.KafkaError, OSError) as error:
                self._trouble.tell("kafka.unreachable", error, after_s=BOOTSTRAP_MS / 1_000, brokers=self._settings.brokers)
                time.sleep(timeout_ms / 1000)  # it may have failed at once
                return None
            self._changes = deque()
            listener = _Listener(connection.consumer, self._changes)
            connection.consumer.subscribe([self._settings.topic], listener=listener)
            self._connection = connection
        return self._connection

    def _note_changes(self) -> None:
        """Take in what the listener noted, in order."""
        while self._changes:
            assigned, partitions = self._changes.popleft()
            for partition in partitions:
                self._expected.pop(partition, None)
            if assigned:
                self._fresh |= partitions
            else:
                self._fresh -= partitions
                log.info("partition.revoked", partitions=sorted(partitions))

    def _settle(self, connection: Connection) -> None:
        """Seek fresh partitions to the offsets the ledger has stored, and let them flow."""
        self._note_changes()
        cluster_id, topic_id = connection.cluster_id, connection.topic_id
        if not self._fresh or cluster_id is None or topic_id is None:
            return
        topic = self._settings.topic
        stored = self._offsets.streams(f"kafka/{cluster_id}/{topic}/")
        self._prefix, self._topic_id = f"kafka/{cluster_id}/{topic}/{topic_id}/", topic_id
        others = [name for name in stored if not name.startswith(self._prefix)]
        if others and len(others) == len(stored) and not self._settings.accept_new_topic:
            raise TopicReplacedError(topic, known=others[0].split("/")[3], found=topic_id)
        self._check_division(connection, whole=bool(stored))
        for partition in sorted(self._fresh):
            expected = stored.get(f"{self._prefix}{partition}")
            try:
                if expected is None:
                    connection.consumer.seek_to_beginning(self._at(partition))
                else:
                    connection.consumer.seek(self._at(partition), expected)
                connection.consumer.resume(self._at(partition))
            except (KeyError, ValueError):
                continue  # revoked this very moment; the listener's note is coming
            self._expected[partition] = expected
            if expected is not None:  # lag tools see it, and we are told if another consumer goes by our name now
                self._uncommitted[self._at(partition)] = OffsetAndMetadata(expected, "", -1)
            log.info("partition.assigned", topic=topic, partition=partition, offset=expected)
        self._fresh.clear()

    def _check_division(self, connection: Connection, *, whole: bool) -> None:
        """Make sure that the ledger keeps the share of the topic it had. ``whole``: it has read the topic before."""
        kept = self._offsets.next_offsets([self._mark_stream]).get(self._mark_stream)
        if kept is None and whole:
            kept = WHOLE.mark
        self._settings.division.check(self._settings.topic, connection.partitions, kept=kept)
        self._marked = self._marked or kept is not None

    @property
    def _mark_stream(self) -> str:
        return f"division/{self._settings.topic}"

    def _resume(self, connection: Connection) -> None:
        if self._paused:
            assigned = connection.consumer.assignment()
            connection.consumer.resume(*(at for at in map(self._at, self._expected) if at in assigned))
            self._paused = False

    def _batch(self, polled: Mapping[TopicPartition, list[Record]]) -> Batch[Record]:
        messages: list[Record] = []
        delivered: list[Delivered] = []
        for at, records in polled.items():
            if at.partition in self._expected:  # else revoked while it was polled
                messages += records
                delivered.append(self._deliver(at.partition, records[-1].offset + 1))
        if delivered and not self._marked:
            delivered.append(Delivered(self._mark_stream, None, self._settings.division.mark))
        return Batch(messages, tuple(delivered))

    def _deliver(self, partition: int, next_: int) -> Delivered:
        """Offsets have gaps (transaction markers, compaction): what the ledger must have stored is what we stored last."""
        expected, self._expected[partition] = self._expected[partition], next_
        return Delivered(f"{self._prefix}{partition}", expected, next_)

    def _recover(self, connection: Connection, error: Exception, timeout_ms: int) -> Batch[Record]:
        """Find out what ``error`` means: who we are, where we are, or anything else, after which only a new consumer can be trusted."""
        if isinstance(error, kafka.errors.FencedInstanceIdError):
            raise ReplacedError(self._settings.group, self._settings.instance)
        try:
            match error:
                case kafka.errors.OffsetOutOfRangeError():
                    return self._lost(connection, dict.fromkeys(error.args[0]))
                case kafka.errors.LogTruncationError():
                    return self._lost(connection, {at: left and left.offset for at, left in error.divergent_offsets.items()})
        except LedgerError:
            raise
        except Exception as another:  # noqa: BLE001  # while asking the brokers about the first
            error = another
        self._drop(connection, error, timeout_ms)
        return Batch(())

    def _lost(self, connection: Connection, places: Mapping[TopicPartition, int | None]) -> Batch[Record]:
        """The broker does not have the offsets we are at. ``places``: up to where it agrees with us, where that is known."""
        connection.refresh(REQUEST_MS)
        if connection.topic_id != self._topic_id:
            self.rewind()  # _settle decides about the new topic
            return Batch(())
        starts = connection.consumer.beginning_offsets(list(places), timeout_ms=REQUEST_MS)
        ends = connection.consumer.end_offsets(list(places), timeout_ms=REQUEST_MS)
        for at, agreed in places.items():
            offset, start, end = self._expected.get(at.partition), starts[at], ends[at] if agreed is None else agreed
            if offset is not None and start <= offset <= end:
                connection.consumer.seek(at, offset)  # the broker has recovered
                continue
            if offset is not None:
                if not self._settings.accept_loss:
                    raise OffsetLostError(at.topic, at.partition, offset, start, end)
                log.warning("offset.lost", partition=at.partition, offset=offset, start=start, end=end)
            connection.consumer.seek_to_beginning(at)
        return Batch(())

    def _drop(self, connection: Connection, error: Exception, timeout_ms: int) -> None:
        """Throw the consumer away; the next poll makes a new one."""
        self._trouble.tell("consumer.failed", error, after_s=TELL_S)
        self._shut(connection)
        self._fresh.clear()
        self._expected.clear()
        time.sleep(timeout_ms / 1000)  # it may fail again at once

    def _shut(self, connection: Connection) -> None:
        """Commit what lag tools may see, leave the group; whether that works or not, the connection is gone."""
        offsets, self._uncommitted, self._connection = self._uncommitted, {}, None
        try:
            with self._watchdog:
                connection.close(offsets, CLOSE_MS)
        except Exception as error:  # noqa: BLE001  # of a client that may be broken already
            log.debug("consumer.unclosed", error=f"{type(error).__name__}: {error}")

    def _watch(self, connection: Connection) -> None:
        """Tell why nothing comes, when it is not simply quiet."""
        joined = connection.join()
        if not connection.topic_exists:
            self._trouble.tell("topic.missing", topic=self._settings.topic, what_to_do="create the topic; reading starts then")
        elif not connection.reached:
            self._trouble.tell("kafka.unreachable", brokers=self._settings.brokers)
        elif not joined:
            self._trouble.tell("group.rebalancing", group=self._settings.group)
        else:
            self._trouble.end()
            self._stand_by(connection)

    def _stand_by(self, connection: Connection) -> None:
        """Say once, which is no trouble, that others read all partitions there are; we take over what one of them leaves."""
        if self._expected or self._fresh:
            self._idle_since_s = None
        elif self._idle_since_s is None:
            self._idle_since_s = time.monotonic()
        elif time.monotonic() - self._idle_since_s >= TELL_S:
            log.info("consumer.standing_by", topic=self._settings.topic, partitions=connection.partitions)
            self._idle_since_s = math.inf

    def _commit(self, connection: Connection) -> None:
        """Tell the brokers' lag tools where we are. Nothing else reads it, so nothing waits for it."""
        offsets, self._uncommitted, self._batches = self._uncommitted, {}, 0
        if offsets:
            try:
                connection.consumer.commit_async(offsets)
            except kafka.errors.KafkaError as error:
                log.debug("offsets.uncommitted", error=str(error))

    def _at(self, partition: int) -> TopicPartition:
        return TopicPartition(self._settings.topic, partition)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Runs on kafka-python's own thread: it may not block, fail, or touch the store."""

    def __init__(self, consumer: KafkaConsumer, changes: deque[Change]) -> None:
        self._consumer = consumer
        self._changes = changes

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        for at in assigned:
            self._consumer.pause(at)
            self._consumer.seek(at, 0)  # any place will do while it is paused: without one, poll would look for Kafka's committed offset
        self._changes.append((True, {at.partition for at in assigned}))

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self._changes.append((False, {at.partition for at in revoked}))
