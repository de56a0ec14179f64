"""Record batches taken apart: what kafka-python reads, we read alike; what it gives up on is handed over with what is wrong."""

import struct
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka import codec as codecs
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.record.util import calc_crc32c
from kafka.structs import TopicPartition

from consumers.records import BATCH_HEADER, CHECKSUM_COVERS_FROM, Headers, PartitionRecords, Record

CHECKSUM_AT, ATTRIBUTES_AT = 17, 21
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
T0 = TopicPartition("t", 0)
PRODUCER = 7
Content = tuple[bytes | None, bytes | None, Headers]  # key, value, headers
GOOD: Content = (b"key", b"good", (("h", b"1"),))
BAD: Content = (b"key", b"payload", (("h", b"1"), ("bad", b"2"), ("n", None)))


def batch(*records: Content, base: int = 0, codec: str = "none", transactional: bool = False) -> bytearray:
    """One batch; record ``i`` has timestamp ``1_000 + i``."""
    state = {"transactional": True, "producer_id": PRODUCER, "producer_epoch": 0, "base_sequence": 0} if transactional else {}
    builder = MemoryRecordsBuilder(2, CODECS[codec], 1 << 20, **state)
    for number, (key, value, headers) in enumerate(records):
        builder.append(1_000 + number, key, value, list(headers))
    builder.close()
    made = bytearray(builder.buffer())
    struct.pack_into(">q", made, 0, base)
    return made


def marker(base: int, *, commit: bool) -> bytearray:
    """What ends a transaction."""
    made = batch((struct.pack(">hh", 0, commit), b"\0" * 6, ()), base=base, transactional=True)
    made[ATTRIBUTES_AT + 1] |= 0x20
    return checked(made)


def checked(made: bytearray) -> bytearray:
    """The batch with the checksum its bytes have now."""
    struct.pack_into(">I", made, CHECKSUM_AT, calc_crc32c(memoryview(bytes(made))[CHECKSUM_COVERS_FROM:]))
    return made


def bad_key(made: bytearray) -> bytearray:
    """Turn each header key ``bad`` into bytes that are no UTF-8."""
    return checked(bytearray(bytes(made).replace(b"bad", b"b\xffd")))


def aborted(*first_offsets: int) -> list[SimpleNamespace]:
    return [SimpleNamespace(producer_id=PRODUCER, first_offset=offset) for offset in first_offsets]


def ours(raw: bytes, position: int = 0, aborts: list[SimpleNamespace] | None = None, *, limit: int = 1_000) -> tuple[list[Record], int]:
    """Everything we hand over, and where the next fetch starts."""
    drained: list[PartitionRecords] = []
    records = PartitionRecords(position, T0, MemoryRecords(raw), aborted_transactions=aborts, on_drain=drained.append)
    found: list[Record] = []
    while records:
        found += records.take(limit)
    assert drained == [records]
    return found, records.next_fetch_offset


def theirs(raw: bytes, position: int = 0, aborts: list[SimpleNamespace] | None = None) -> tuple[list[Record], int, bool]:
    """Everything kafka-python hands over, where the next fetch starts, and whether it gave up there."""
    records = Fetcher.PartitionRecords(
        position, T0, MemoryRecords(raw), aborted_transactions=aborts, isolation_level=IsolationLevel.READ_COMMITTED
    )
    found: list[Record] = []
    try:
        while records and (some := records.take(1)):
            found += [Record(one.topic, one.partition, one.offset, one.timestamp, one.key, one.value, tuple(one.headers)) for one in some]
    except Exception:  # noqa: BLE001  # it gives up in many ways
        return found, records.next_fetch_offset, True
    return found, records.next_fetch_offset, False


# What is good

blobs = st.none() | st.binary(max_size=300)
contents = st.tuples(blobs, blobs, st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=200)), max_size=4).map(tuple))
batches = st.lists(st.tuples(st.lists(contents, min_size=1, max_size=5), st.sampled_from(sorted(CODECS)), st.booleans()), max_size=4)


@given(batches, st.integers(0, 12), st.integers(1, 4))
def test_what_kafka_python_reads_is_read_alike(made: list[tuple[list[Content], str, bool]], position: int, limit: int) -> None:
    """Any keys, values and headers, in any codec, by either clock, from any offset, in steps of any size."""
    raw, base = b"", 0
    for records, codec, by_broker in made:
        one = batch(*records, base=base, codec=codec)
        one[ATTRIBUTES_AT + 1] |= 0x08 if by_broker else 0
        raw += checked(one)
        base += len(records) + 1  # compaction leaves gaps
    position = min(position, max(base - 2, 0))  # the broker sends no batch that ends before the position
    assert (*ours(raw, position, limit=limit), False) == theirs(raw, position)


@given(st.lists(st.sampled_from(["commit", "abort", "outside"]), min_size=1, max_size=6))
def test_aborted_transactions_and_markers_are_passed_over_as_kafka_python_does(fates: list[str]) -> None:
    raw, base, firsts = b"", 0, []
    for number, fate in enumerate(fates):
        raw += batch((b"k", b"%d" % number, ()), GOOD, base=base, transactional=fate != "outside")
        if fate == "abort":
            firsts.append(base)
        if fate != "outside":
            raw += marker(base + 2, commit=fate == "commit")
        base += 3
    found, end = ours(raw, 0, aborted(*firsts))
    assert (found, end, False) == theirs(raw, 0, aborted(*firsts))
    assert len(found) == 2 * sum(fate != "abort" for fate in fates)


def test_large_numbers_of_every_length_are_read(subtests: pytest.Subtests) -> None:
    for size in (0, 1, 63, 64, 127, 128, 8_191, 8_192, 70_000):
        with subtests.test(size=size):
            raw = bytes(batch((b"k" * size, b"v" * size, (("h", b"x" * size),))))
            assert (*ours(raw), False) == theirs(raw)


def test_a_batch_cut_off_by_the_fetch_size_is_left_for_the_next_fetch() -> None:
    assert ours(bytes(batch(GOOD, GOOD)) + bytes(batch(GOOD, base=2))[:-1]) == ours(bytes(batch(GOOD, GOOD)))


# What is bad


def test_a_header_key_that_is_not_utf8_costs_its_record_alone() -> None:
    found, end = ours(bytes(bad_key(batch(GOOD, BAD, GOOD, base=40))), 40)
    assert [(one.offset, bool(one.problem)) for one in found] == [(40, False), (41, True), (42, False)]
    assert end == 43
    headers = (("h", b"1"), (r"b\xffd", b"2"), ("n", None))
    assert found[1] == Record("t", 0, 41, 1_001, b"key", b"payload", headers, r"the header key b\xffd is not UTF-8")


@pytest.mark.parametrize("codec", CODECS)
def test_it_looks_into_every_codec(codec: str) -> None:
    plain = bad_key(batch(*[BAD] * 50))
    encode: Callable[[bytes], bytes] = bytes if codec == "none" else getattr(codecs, f"{codec}_encode")
    whole = plain[: BATCH_HEADER.size] + encode(bytes(plain[BATCH_HEADER.size :]))
    whole[ATTRIBUTES_AT + 1] = CODECS[codec]
    struct.pack_into(">i", whole, 8, len(whole) - 12)
    found, end = ours(bytes(checked(whole)))
    assert [one.problem != "" for one in found] == [True] * 50
    assert end == 50


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_that_cannot_be_decompressed_is_handed_over_whole(codec: str) -> None:
    damaged = batch(*[GOOD] * 50, base=5, codec=codec)
    damaged[BATCH_HEADER.size : BATCH_HEADER.size + 8] = b"\xff" * 8
    raw = bytes(checked(damaged))
    found, end = ours(raw + bytes(batch(GOOD, base=55)), 5)
    assert [(one.offset, one.value) for one in found] == [(5, raw), (55, b"good")]
    assert found[0].problem.startswith("the batch of offsets 5 to 54 cannot be decompressed: ")
    assert end == 56


def test_a_codec_nobody_knows_is_a_batch_that_cannot_be_decompressed() -> None:
    unknown = batch(GOOD)
    unknown[ATTRIBUTES_AT + 1] |= 7
    (one,), end = ours(bytes(checked(unknown)))
    assert "cannot be decompressed" in one.problem
    assert end == 1


def test_a_wrong_checksum_costs_the_batch_and_what_was_read_of_it_stays_read() -> None:
    damaged = batch(GOOD, GOOD, GOOD, base=7)
    damaged[-1] ^= 1
    (one,), end = ours(bytes(damaged), 8)
    assert (one.offset, one.value) == (8, bytes(damaged))
    assert one.problem.startswith("the batch of offsets 7 to 9 fails its checksum")
    assert end == 10


def test_after_a_wrong_checksum_the_next_fetch_says_anew_which_transactions_were_aborted() -> None:
    """The damaged batch may be the marker that ends an aborted transaction: what follows must not pass for a part of it."""
    damaged = marker(1, commit=False)
    damaged[-1] ^= 1
    raw = bytes(batch(GOOD, base=0, transactional=True)) + bytes(damaged) + bytes(batch(GOOD, base=2, transactional=True))
    (one,), end = ours(raw, 0, aborted(0))
    assert (one.offset, end) == (1, 2)


def test_a_header_that_contradicts_itself_does_not_decide_how_far_to_skip() -> None:
    damaged = batch(GOOD, GOOD)
    struct.pack_into(">i", damaged, 23, 1 << 30)  # the last offset's delta; two records, though
    assert ours(bytes(damaged) + bytes(batch(GOOD, base=2)))[1] == 2
    assert ours(bytes(damaged))[1] == 1


def test_a_record_that_is_cut_off_takes_the_rest_of_its_batch_with_it() -> None:
    raw = batch(GOOD, GOOD)
    raw[BATCH_HEADER.size] = 0x7E  # the first record's length: more than there is
    (one,), end = ours(bytes(checked(raw)) + bytes(batch(GOOD, base=2)))[0][:1], ours(bytes(checked(raw)))[1]
    assert one.problem.startswith("the batch is cut off")
    assert end == 2


def test_a_batch_older_than_the_format_is_handed_over_whole() -> None:
    builder = MemoryRecordsBuilder(1, 0, 1 << 20)
    builder.append(1_000, b"k", b"v" * 60)
    builder.close()
    (one,), end = ours(bytes(builder.buffer()))
    assert "older than Kafka 0.11" in one.problem
    assert end == 1


SIX = bytes(batch(*[GOOD] * 6))
COVERED = range(8 * CHECKSUM_COVERS_FROM, 8 * len(SIX))  # the bits the checksum is made of


def damaged(bits: list[int]) -> bytearray:
    made = bytearray(SIX)
    for bit in bits:
        made[bit // 8] ^= 1 << bit % 8
    return made


@example(bits=[8 * (ATTRIBUTES_AT + 1) + 5], right_checksum=True, position=0)  # says it is a marker
@given(bits=st.lists(st.sampled_from(COVERED), max_size=8), right_checksum=st.booleans(), position=st.integers(0, 5))
def test_whatever_is_damaged_reading_moves_on_and_says_so(bits: list[int], right_checksum: bool, position: int) -> None:
    """By a disk, which leaves the checksum wrong, or by a producer that got it right."""
    changed = damaged(bits)
    raw = bytes(checked(changed) if right_checksum else changed)
    found, end = ours(raw, position)
    offsets = [one.offset for one in found]
    assert offsets == sorted(offsets)
    last = BATCH_HEADER.unpack_from(raw)[6]
    if right_checksum and last < position:
        return  # the broker sends no batch that says it ends before the position
    assert not offsets or offsets[0] >= position
    assert end > position
    if bytes(changed) == SIX:
        assert offsets == list(range(position, 6))
        assert not any(one.problem for one in found)
    elif not right_checksum:
        assert [(one.offset, one.value) for one in found] == [(position, raw)]


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_without_an_error(raw: bytes) -> None:
    ours(raw)
