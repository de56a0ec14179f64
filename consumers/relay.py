"""Every committed event published to a Kafka topic, each once and in order per relationship, so that others can build on the stream.

What stands in the topic is what is published: the ledger's store only keeps up to where all of it is, once a second, and on start the
rest is read from the end of each partition. So a crash, even with its last records half sent, neither loses nor repeats; a topic that was
deleted and made again has everything once more. One relay publishes at a time, by a lease. The producer is idempotent and uses no
transactions (they tear, and hang on a missing topic).

Within a partition ``ledger.position`` only rises. Should a relay be frozen within the microseconds between its last look at the clock
and the socket, for longer than a lease, records may come twice: a reader that skips what is not above its last position is exact.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import kafka.errors
import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from consumers.connection import FETCH_BYTES, connect
from consumers.producing import Destination, producing
from consumers.trouble import TELL_S, Trouble
from ledger.interface import Delivered
from ledger.lease import Lease
from ledger.ledger import Ledger
from schemas.errors import LedgerError, OvertakenError, StoreUnavailableError
from schemas.records import recorded
from schemas.touchpoint import Stored, iso

POSITION, VERSION, RECORDED_AT = "ledger.position", "ledger.version", "ledger.recorded_at"  # headers
CONTENT_TYPE = ("content-type", b"application/cloudevents+json; charset=UTF-8")
TERM_S = 10.0  # how long a relay that died is waited for; what a producer has not sent within half of it, it gives up
LINGER_MS, BATCH_BYTES = 2, 1 << 17  # of the producer: a thousand events go in a few requests
BATCH_EVENTS = 1_000  # published before their acknowledgements are waited for
STORE_S = 1.0  # between two commits of how far it is
WAIT_S = 0.5  # between two looks at a quiet log; also how long a stop may take
TAIL_RECORDS = 1_000  # read from the end of a partition at first; ten times as many each time that was not enough
ASK_MS = 5_000  # how long the brokers may take to answer

log = structlog.get_logger()


class ForeignTopicError(LedgerError):
    """The topic holds events that are not this ledger's. Give each ledger a topic of its own."""

    code = "foreign_topic"

    def __init__(self, topic: str, position: int) -> None:
        self.topic, self.position = topic, position
        super().__init__(
            f"topic {topic} has an event at position {position} that this ledger does not have there: another ledger published it, or this "
            "one was restored from an older backup; set RLEDGER_LEDGER_TOPIC to a topic of this ledger's own"
        )


def run(ledger: Ledger, to: Destination, stopped: Callable[[], bool], *, term_s: float = TERM_S) -> None:
    """Publish until ``stopped``; a second relay stands by until the first is gone, for ``term_s`` where that one died.

    Raises:
        ForeignTopicError: publishing into this topic would mix two ledgers.
    """
    lease, trouble = Lease(ledger, f"relay/{to.topic}", term_s=term_s), Trouble()
    standing_by = False
    while not stopped():
        try:
            if lease.acquire():
                _publish(ledger, lease, to, stopped, trouble)
                standing_by = False
                continue
            if not standing_by:
                log.info("relay.standing_by", topic=to.topic)
                standing_by = True
        except OvertakenError:
            log.warning("relay.overtaken", topic=to.topic)
        except (kafka.errors.KafkaError, StoreUnavailableError, OSError) as error:
            trouble.tell("relay.delayed", error, after_s=TELL_S, topic=to.topic)
        time.sleep(min(WAIT_S, term_s / 4))
    with contextlib.suppress(StoreUnavailableError):
        lease.release()


def _publish(ledger: Ledger, lease: Lease, to: Destination, stopped: Callable[[], bool], trouble: Trouble) -> None:
    """Publish what the topic does not have yet, for as long as the lease is ours."""
    stored = ledger.next_offsets([_stream(to.topic)]).get(_stream(to.topic))
    done = (stored or 1) - 1
    there = _published(ledger, to, after=done)
    lease.renew()  # reading may have taken long
    if there is None:
        if stored is not None:  # first of all the store must know, or a crash would leave out what comes before
            log.warning("relay.begins_anew", topic=to.topic, reason="nothing was ever written to the topic; it was made anew", after=done)
            lease.renew(Delivered(_stream(to.topic), stored, 1))
            stored, done = 1, 0
        there = set()
    with producing(to, delivery_ms=round(lease.term_s * 500), linger_ms=LINGER_MS, batch_size=BATCH_BYTES) as producer:
        log.info("relay.started", topic=to.topic, after=done, already=len(there))
        stored_s = time.monotonic()
        while not stopped():
            if done >= (stored or 1) and time.monotonic() - stored_s >= STORE_S:
                lease.renew(Delivered(_stream(to.topic), stored, done + 1))
                stored, stored_s = done + 1, time.monotonic()
            elif lease.due():
                lease.renew()
            if events := ledger.read_sealed(after=done, limit=BATCH_EVENTS):
                done = _send(producer, lease, to, events, there) or done
                there = {position for position in there if position > done} if there else there
            else:
                ledger.wait(done, WAIT_S)
            trouble.end()
    if done >= (stored or 1):
        lease.renew(Delivered(_stream(to.topic), stored, done + 1))
    log.info("relay.stopped", topic=to.topic, position=done)


def _send(producer: KafkaProducer, lease: Lease, to: Destination, events: Sequence[Stored], there: set[int]) -> int:
    """Publish those of ``events`` that are not ``there``, in order, while the lease is fresh, and wait until the brokers have them.

    Returns: the position of the last event that is published now; 0 where the lease was not fresh even for the first.
    """
    sent, last = [], 0
    for event in events:
        if not lease.fresh():
            break
        if event.position not in there:
            sent.append(producer.send(to.topic, **message(event)))
        last = event.position
    for one in sent:
        one.get(timeout=lease.term_s)
    return last


def message(event: Stored) -> dict[str, Any]:
    """The Kafka record of an event: keyed by its relationship, the CloudEvent as it is stored, and where it stands in the ledger."""
    return {
        "key": event.relationship.encode(),
        "value": event.event,
        "headers": [
            CONTENT_TYPE,
            (POSITION, b"%d" % event.position),
            (VERSION, b"%d" % event.version),
            (RECORDED_AT, iso(event.recorded_us).encode()),
        ],
    }


def _published(ledger: Ledger, to: Destination, *, after: int) -> set[int] | None:
    """The positions beyond ``after`` that stand in the topic; None where nothing ever was written to it.

    Raises:
        ForeignTopicError: the newest is not this ledger's.
        UnknownTopicOrPartitionError: there is no such topic.
    """
    newest, found = (0, b""), set[int]()
    with closing(_consumer(to)) as consumer:
        partitions = consumer.partitions_for_topic(to.topic)
        if not partitions:
            raise kafka.errors.UnknownTopicOrPartitionError(f"create topic {to.topic}; publishing starts then")
        places = [TopicPartition(to.topic, partition) for partition in partitions]
        starts = consumer.beginning_offsets(places, timeout_ms=ASK_MS)
        ends = consumer.end_offsets(places, timeout_ms=ASK_MS)
        if not any(ends.values()):
            return None
        for place in places:
            tail = _tail(consumer, place, starts[place], ends[place], after)
            found |= {position for position in tail if position > after}
            newest = max(newest, max(tail.items(), default=newest))
    position, value = newest
    if position:
        ours = ledger.read_sealed(after=position - 1, limit=1)
        if not ours or _identity(ours[0].event) != _identity(value):
            raise ForeignTopicError(to.topic, position)
    return found


def _tail(consumer: KafkaConsumer, place: TopicPartition, start: int, end: int, after: int) -> dict[int, bytes]:
    """The end of a partition, by position, back to one that is not beyond ``after``, or all of it."""
    count = TAIL_RECORDS
    while True:
        begin = max(start, end - count)
        found = dict(_positions(consumer, place, begin, end))
        if begin == start or min(found, default=after + 1) <= after:
            return found
        count *= 10


def _positions(consumer: KafkaConsumer, place: TopicPartition, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Position and value of the records from offset ``begin`` to before ``end``; those without a position are not ours."""
    consumer.assign([place])
    consumer.seek(place, begin)
    deadline_s = time.monotonic() + ASK_MS / 1_000
    while consumer.position(place, timeout_ms=ASK_MS) < end:
        if time.monotonic() > deadline_s:
            raise kafka.errors.KafkaTimeoutError(f"{place.topic}, partition {place.partition}: nothing came of the records before {end}")
        for record in consumer.poll(WAIT_S * 1_000).get(place, ()):
            deadline_s = time.monotonic() + ASK_MS / 1_000
            position = dict(record.headers).get(POSITION)
            if position is not None and record.offset < end:
                yield int(position), record.value


def _identity(event: bytes) -> tuple[str, str]:
    """What the CloudEvent is called, whatever else of it may have been erased since."""
    found = recorded(Stored(0, "", 0, "", 0, event))
    return found.source, found.id


def _stream(topic: str) -> str:
    """Where the store keeps the next position to publish."""
    return f"relay/{topic}"


def _consumer(to: Destination) -> KafkaConsumer:
    consumer, *_ = connect(
        KafkaConsumer,
        to.client,
        bootstrap_servers=to.brokers.split(","),
        bootstrap_timeout_ms=ASK_MS,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=FETCH_BYTES,
        metrics_enabled=False,
    )
    return consumer
