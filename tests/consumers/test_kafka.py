"""Kafka as a source, against a real broker and producers that are not ours."""

import contextlib
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions
from kafka import KafkaConsumer
from structlog.testing import capture_logs

from consumers.connection import KafkaSettings, connect
from consumers.errors import OffsetLostError, ReplacedError, TopicReplacedError
from consumers.intake import run, take
from consumers.kafka import KafkaSource
from consumers.records import Record
from consumers.source import Batch
from ledger.ledger import Ledger
from schemas.errors import OvertakenError, SettingsError
from tests.consumers.conftest import Topic
from tests.consumers.events import NOW_US, STRUCTURED, binary, structured
from tests.ledger.events import everything
from tests.services.kafka import Kafka

WITHIN_S = 20.0
Open = Callable[[KafkaSettings], KafkaSource]


def drain(source: KafkaSource, ledger: Ledger, until: Callable[[], bool]) -> None:
    """Run the intake until ``until``."""
    deadline = time.monotonic() + WITHIN_S
    run(source, ledger, clock=lambda: NOW_US, stopped=lambda: until() or time.monotonic() > deadline)
    assert until()


def drain_to(source: KafkaSource, ledger: Ledger, position: int) -> None:
    drain(source, ledger, lambda: ledger.head().position >= position)


def drain_and_close(source: KafkaSource, ledger: Ledger, position: int) -> None:
    """The same, and leave the group: else the next one waits for it."""
    with contextlib.closing(source):
        drain_to(source, ledger, position)


def ids(ledger: Ledger) -> list[str]:
    return [msgspec.json.decode(stored.event)["id"] for stored in everything(ledger)]


def expected_ids(*numbers: range) -> list[str]:
    return [f"e{number}" for span in numbers for number in span]


def poll(source: KafkaSource, *, at_least: int = 1) -> Batch[Record]:
    """The first batch that is not empty."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        batch = source.poll(100, 1_000)
        if len(batch) >= at_least:
            return batch
    raise AssertionError(f"nothing within {WITHIN_S} s")


# What arrives


def test_both_content_modes_arrive_in_the_order_of_their_partition(topic: Topic, ledger: Ledger, open_source: Open) -> None:
    for number in range(20):
        if number % 2:
            topic.send(structured(number))
        else:
            headers, value = binary(number)
            topic.send(value, headers)
    topic.flush()
    drain_to(open_source(topic.settings()), ledger, 20)
    assert ids(ledger) == expected_ids(range(20))


def test_every_codec_is_read(topic: Topic, ledger: Ledger, open_source: Open) -> None:
    for number, codec in enumerate(("none", "gzip", "snappy", "lz4", "zstd")):
        producer = Producer({"bootstrap.servers": topic.broker.bootstrap, "compression.type": codec})
        topic.send(structured(number, padding="x" * 2_000), producer=producer)
        assert producer.flush(10) == 0
    drain_to(open_source(topic.settings()), ledger, 5)
    assert ids(ledger) == expected_ids(range(5))


def test_null_headers_tombstones_and_doubled_headers_neither_stop_nor_vanish(topic: Topic, ledger: Ledger, open_source: Open) -> None:
    topic.send(None, [])  # a tombstone
    topic.send(b"", [])
    topic.send(structured(1), [("content-type", None), *STRUCTURED])
    topic.send(structured(2), [*STRUCTURED, ("trace", b"1"), ("trace", None), ("trace", b"2")])
    topic.send(structured(3), [("trace", b"1"), ("trace", None)])
    topic.flush()
    source = open_source(topic.settings())
    drain(source, ledger, lambda: ledger.head().position + len(ledger.dead_letters(limit=9)) >= 5)
    assert ids(ledger) == expected_ids(range(1, 3))
    letters = [kept.letter for kept in ledger.dead_letters(limit=9)]
    assert [(letter.origin, letter.partition, letter.offset, letter.body) for letter in letters] == [
        (topic.name, 0, 0, None),
        (topic.name, 0, 1, b""),
        (topic.name, 0, 4, structured(3)),
    ]
    assert letters[2].headers == (("trace", b"1"), ("trace", None))


@pytest.mark.parametrize("isolated", [True, False], ids=["alone", "in one batch with good ones"])
def test_a_header_key_that_is_not_utf8_becomes_a_dead_letter_and_the_partition_goes_on(
    isolated: bool, topic: Topic, ledger: Ledger, open_source: Open
) -> None:
    def kcat(*arguments: bytes) -> None:
        where = [b"kcat", b"-P", b"-b", topic.broker.bootstrap.encode(), b"-t", topic.name.encode(), b"-p", b"0", b"-k", b"the key"]
        subprocess.run([*where, b"-H", b"content-type=application/cloudevents+json", *arguments], input=structured(1), check=True)

    topic.send_events(range(1))
    kcat(b"-H", b"caf\xe9=latin")
    kcat(b"-H", b"caf\xff=latin", b"-z", b"gzip")
    topic.send_events(range(2, 4))
    source = open_source(topic.settings())
    if isolated:
        batch = poll(source)
        take(batch, source, ledger, NOW_US)
    drain_to(source, ledger, 3)
    assert ids(ledger) == ["e0", "e2", "e3"]
    letters = [kept.letter for kept in ledger.dead_letters(limit=9)]
    assert [(letter.code, letter.offset, letter.key, letter.body) for letter in letters] == [
        ("unreadable", 1, b"the key", structured(1)),
        ("unreadable", 2, b"the key", structured(1)),
    ]
    assert letters[0].headers[1] == (r"caf\xe9", b"latin")
    assert letters[0].reason == r"the header key caf\xe9 is not UTF-8"


def test_many_unreadable_records_in_several_partitions_cost_no_good_one(
    new_topic: Callable[..., Topic], ledger: Ledger, open_source: Open
) -> None:
    topic = new_topic(3)
    where = ["kcat", "-P", "-b", topic.broker.bootstrap, "-t", topic.name, "-H", "content-type=application/cloudevents+json"]
    for partition in range(3):
        for start in range(0, 30, 10):
            topic.send_events(range(100 * partition + start, 100 * partition + start + 10), partition=partition)
            bad = b"\n".join(b"x%d" % number for number in range(5))
            subprocess.run([*where, "-p", str(partition), b"-H", b"\xff\xfe=x"], input=bad, check=True)
    drain(open_source(topic.settings()), ledger, lambda: ledger.head().position >= 90 and len(ledger.dead_letters(limit=99)) >= 45)
    assert sorted(ids(ledger)) == sorted(expected_ids(range(30), range(100, 130), range(200, 230)))
    letters = [kept.letter for kept in ledger.dead_letters(limit=99)]
    assert len({(letter.partition, letter.offset) for letter in letters}) == len(letters) == 45
    assert {letter.code for letter in letters} == {"unreadable"}


# Transactions


def test_aborted_transactions_are_not_read_and_their_markers_stop_nothing(topic: Topic, ledger: Ledger, open_source: Open) -> None:
    producer = Producer({"bootstrap.servers": topic.broker.bootstrap, "transactional.id": topic.name})
    producer.init_transactions(10)
    source = open_source(topic.settings())
    for number in range(6):
        producer.begin_transaction()
        topic.send(structured(number), producer=producer)
        if number % 2:
            producer.abort_transaction(10)
        else:
            producer.commit_transaction(10)
            drain_to(source, ledger, number // 2 + 1)  # a batch ends before a marker: the next expects the marker's offset
    assert ids(ledger) == ["e0", "e2", "e4"]
    source.close()
    topic.send_events(range(7, 8))
    drain_to(open_source(topic.settings()), ledger, 4)
    assert ids(ledger) == ["e0", "e2", "e4", "e7"]
    assert ledger.dead_letters(limit=1) == []


# Where reading goes on


def test_reading_goes_on_from_the_ledgers_offset_not_from_kafkas(topic: Topic, ledger: Ledger, open_source: Open) -> None:
    topic.send_events(range(10))
    first = open_source(topic.settings())
    drain_to(first, ledger, 10)
    first.close()
    for lie in (0, 7, 13):
        other = Consumer({"bootstrap.servers": topic.broker.bootstrap, "group.id": topic.settings().group})
        other.commit(offsets=[TopicPartition(topic.name, 0, lie)], asynchronous=False)
        other.close()
        before = ledger.head().position
        topic.send_events(range(before, before + 5))
        source = open_source(topic.settings())
        drain_to(source, ledger, before + 5)
        source.close()
    assert ids(ledger) == expected_ids(range(25))
    (offset,) = ledger.streams("kafka/").values()
    assert offset == 25


def test_kafkas_lag_tools_see_what_was_appended(topic: Topic, ledger: Ledger, open_source: Open) -> None:
    topic.send_events(range(10))
    source = open_source(topic.settings())
    drain_to(source, ledger, 10)
    source.close()
    tool = Consumer({"bootstrap.servers": topic.broker.bootstrap, "group.id": topic.settings().group})
    (committed,) = tool.committed([TopicPartition(topic.name, 0)], timeout=10)
    tool.close()
    assert committed.offset == 10


def test_a_batch_whose_partition_was_read_on_by_another_is_refused(topic: Topic, ledger: Ledger, open_source: Open) -> None:
    topic.send_events(range(10))
    zombie = open_source(topic.settings(group="zombies"))
    late = poll(zombie)
    drain_to(open_source(topic.settings(group="heirs")), ledger, 10)
    with pytest.raises(OvertakenError):
        take(late, zombie, ledger, NOW_US)
    zombie.rewind()
    topic.send_events(range(10, 12))
    drain_to(zombie, ledger, 12)
    assert ids(ledger) == expected_ids(range(12))


def test_two_consumers_share_the_partitions_and_take_over_from_each_other(
    new_topic: Callable[..., Topic], ledger: Ledger, open_source: Open
) -> None:
    topic = new_topic(4)
    sources = [open_source(topic.settings()), open_source(topic.settings())]
    seen: list[set[int]] = [set(), set()]
    deadline = time.monotonic() + WITHIN_S

    def both_have_some() -> bool:
        return bool(seen[0] and seen[1]) or time.monotonic() > deadline

    def consume(source: KafkaSource, mine: set[int]) -> None:
        while not both_have_some():
            batch = source.poll(50, 100)
            mine |= {message.partition for message in batch.messages}
            take(batch, source, ledger, NOW_US)

    number = 0
    with ThreadPoolExecutor(2) as pool:  # each polls by itself: kafka-python begins a join again whose answer comes between two polls
        consuming = [pool.submit(consume, source, mine) for source, mine in zip(sources, seen, strict=True)]
        while not both_have_some():
            for partition in range(4):
                topic.send_events(range(number, number + 1), partition=partition)
                number += 1
        for one in consuming:
            one.result()
    assert seen[0]
    assert seen[1]
    sources[0].close()
    drain_to(sources[1], ledger, number)
    assert sorted(ids(ledger)) == sorted(expected_ids(range(number)))


def test_partitions_added_later_are_read_from_their_beginning_even_by_polls_too_short_for_a_rebalance(
    topic: Topic, ledger: Ledger, open_source: Open
) -> None:
    """kafka-python 3.0.12 alone forgets a rebalance that outlasts the poll it began in."""
    topic.send_events(range(3))
    source = open_source(topic.settings())
    drain_to(source, ledger, 3)
    admin = AdminClient({"bootstrap.servers": topic.broker.bootstrap})
    admin.create_partitions([NewPartitions(topic.name, 2)])[topic.name].result(10)
    topic.producer = Producer({"bootstrap.servers": topic.broker.bootstrap})  # the first knows one partition
    topic.send_events(range(3, 6), partition=1)
    deadline = time.monotonic() + WITHIN_S
    while ledger.head().position < 6 and time.monotonic() < deadline:
        batch = source.poll(1, 10)
        if batch:
            take(batch, source, ledger, NOW_US)
    assert ids(ledger) == expected_ids(range(6))


# What must stop


def test_a_topic_deleted_and_created_again_stops_the_source_until_it_is_accepted(topic: Topic, ledger: Ledger, open_source: Open) -> None:
    topic.send_events(range(5))
    source = open_source(topic.settings())
    drain_to(source, ledger, 5)
    source.close()
    topic.broker.delete_topic(topic.name)
    topic.broker.create_topic(topic.name)
    topic.send_events(range(100, 110))  # more than were read: the stored offset exists in the new topic, and means another record
    with pytest.raises(TopicReplacedError, match="--accept-new-topic"):
        drain_and_close(open_source(topic.settings()), ledger, 6)
    assert ids(ledger) == expected_ids(range(5))
    source = open_source(topic.settings(accept_new_topic=True))
    drain_to(source, ledger, 15)
    source.close()
    topic.send_events(range(110, 112))
    drain_to(open_source(topic.settings()), ledger, 17)  # once accepted, it is the topic
    assert ids(ledger) == expected_ids(range(5), range(100, 112))


def test_a_topic_replaced_under_a_running_source_is_noticed(topic: Topic, ledger: Ledger, open_source: Open) -> None:
    topic.send_events(range(5))
    source = open_source(topic.settings())
    drain_to(source, ledger, 5)
    topic.broker.delete_topic(topic.name)
    topic.broker.create_topic(topic.name)
    topic.send_events(range(100, 101))
    with pytest.raises(TopicReplacedError):
        drain_to(source, ledger, 6)
    assert ids(ledger) == expected_ids(range(5))


def delete_records(topic: Topic, before: int) -> None:
    """What retention does."""
    admin = AdminClient({"bootstrap.servers": topic.broker.bootstrap})
    for deleted in admin.delete_records([TopicPartition(topic.name, 0, before)]).values():
        deleted.result(10)


def test_records_deleted_before_they_were_read_stop_the_source_until_the_loss_is_accepted(
    topic: Topic, ledger: Ledger, open_source: Open
) -> None:
    topic.send_events(range(5))
    source = open_source(topic.settings())
    drain_to(source, ledger, 5)
    source.close()
    topic.send_events(range(5, 10))
    delete_records(topic, 8)
    with pytest.raises(OffsetLostError, match="records 5 to 7 were deleted") as stopped:
        drain_and_close(open_source(topic.settings()), ledger, 6)
    assert (stopped.value.offset, stopped.value.start, stopped.value.end) == (5, 8, 10)
    drain_to(open_source(topic.settings(accept_loss=True)), ledger, 7)
    assert ids(ledger) == expected_ids(range(5), range(8, 10))


def test_offsets_the_broker_does_not_have_yet_stop_the_source(topic: Topic, ledger: Ledger, open_source: Open) -> None:
    """As after a broker lost acknowledged records: what comes next reuses offsets that were read already."""
    topic.send_events(range(5))
    source = open_source(topic.settings())
    late = poll(source)
    (delivered,) = late.delivered
    ledger.append([], delivered=[msgspec.structs.replace(delivered, next=50)])
    source.close()
    with pytest.raises(OffsetLostError, match="lost records it had acknowledged"):
        drain_and_close(open_source(topic.settings()), ledger, 1)
    drain_to(open_source(topic.settings(accept_loss=True)), ledger, 5)
    assert ids(ledger) == expected_ids(range(5))


def test_a_restarted_instance_has_its_partitions_back_at_once_and_the_one_it_replaces_is_told(
    topic: Topic, ledger: Ledger, open_source: Open
) -> None:
    replaced = open_source(topic.settings(instance="one", session_ms=45_000))
    topic.send_events(range(5))
    drain_to(replaced, ledger, 5)
    heir = open_source(topic.settings(instance="one", session_ms=45_000))  # without its name it would wait those 45 s for the other
    topic.send_events(range(5, 10))
    drain_to(heir, ledger, 10)
    with pytest.raises(ReplacedError, match="instance one"):
        drain_to(replaced, ledger, 11)
    assert ids(ledger) == expected_ids(range(10))


def test_a_wrong_option_is_told_at_once(topic: Topic, open_source: Open) -> None:
    with pytest.raises(SettingsError, match="no_such_option"):
        open_source(topic.settings(client={"no_such_option": 1})).poll(100, 10)


def test_an_option_that_a_promise_rests_on_cannot_be_set_from_outside(topic: Topic, open_source: Open) -> None:
    with pytest.raises(SettingsError, match="'enable_auto_commit' is not yours to set"):
        open_source(topic.settings(client={"enable_auto_commit": True})).poll(100, 10)


# Brokers and topics that are away


def test_waiting_for_a_topic_does_not_create_it(kafka: Kafka) -> None:
    """The option does not reach kafka-python 3.0.12's requests by itself."""
    consumer, _, manager = connect(KafkaConsumer, {}, bootstrap_servers=kafka.bootstrap)
    consumer.close()
    assert manager.cluster.metadata_request().allow_auto_topic_creation is False


def test_a_missing_topic_is_waited_for_and_told(kafka: Kafka, ledger: Ledger, open_source: Open) -> None:
    name = f"missing-{time.monotonic_ns()}"
    source = open_source(KafkaSettings(brokers=kafka.bootstrap, topic=name, group=name))
    with capture_logs() as logs:
        for _ in range(60):
            assert len(source.poll(50, 10)) == 0
    assert [line["topic"] for line in logs if line["event"] == "topic.missing"] == [name]
    topic = Topic(kafka, name, 2)
    topic.send_events(range(3), partition=1)
    drain_to(source, ledger, 3)


def test_a_broker_that_cannot_be_reached_is_waited_for_and_told(ledger: Ledger, open_source: Open) -> None:
    source = open_source(KafkaSettings(brokers="127.0.0.1:9", topic="any", group="any"))
    with capture_logs() as logs:
        assert len(source.poll(50, 10)) == 0
    (told,) = (line for line in logs if line["event"] == "kafka.unreachable")
    assert told["brokers"] == "127.0.0.1:9"


def test_a_broker_that_restarts_costs_nothing(own_kafka: Kafka, ledger: Ledger, open_source: Open) -> None:
    topic = Topic(own_kafka, f"restarted-{time.monotonic_ns()}", 2)
    topic.send_events(range(10))
    source = open_source(topic.settings())
    drain_to(source, ledger, 10)
    own_kafka.restart()
    topic.send_events(range(10, 20), partition=1)
    drain_to(source, ledger, 20)
    assert sorted(ids(ledger)) == sorted(expected_ids(range(20)))


def test_a_source_that_idles_stays_in_its_group_and_takes_nothing(topic: Topic, ledger: Ledger, open_source: Open) -> None:
    topic.send_events(range(3))
    source = open_source(topic.settings())
    drain_to(source, ledger, 3)
    with capture_logs() as logs:
        topic.send_events(range(3, 6))
        for _ in range(3):
            source.idle(100)
        drain_to(source, ledger, 6)
    assert not [line for line in logs if line["event"].startswith("partition.")]
    assert ids(ledger) == expected_ids(range(6))
