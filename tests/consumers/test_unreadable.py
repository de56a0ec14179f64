"""Record batches with one thing wrong: what is bad is found, the rest is left alone."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.record.util import calc_crc32c
from kafka.structs import TopicPartition

from consumers.unreadable import BATCH_HEADER, CHECKSUM_COVERS_FROM, find

CHECKSUM_AT = 17
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
Headers = list[tuple[str, bytes | None]]


def batch(*records: tuple[bytes | None, Headers], base: int = 0, codec: str = "none") -> bytearray:
    """One batch; record ``i`` has key ``k<i>`` and timestamp ``1_000 + i``."""
    builder = MemoryRecordsBuilder(2, CODECS[codec], 1 << 20)
    for number, (value, headers) in enumerate(records):
        builder.append(1_000 + number, b"k%d" % number, value, headers)
    builder.close()
    made = bytearray(builder.buffer())
    struct.pack_into(">q", made, 0, base)
    return made


def checked(made: bytearray) -> bytearray:
    """The batch with the checksum its bytes have now."""
    struct.pack_into(">I", made, CHECKSUM_AT, calc_crc32c(memoryview(bytes(made))[CHECKSUM_COVERS_FROM:]))
    return made


def bad_key(made: bytearray) -> bytearray:
    """Turn each header key ``bad`` into bytes that are no UTF-8."""
    return checked(bytearray(bytes(made).replace(b"bad", b"b\xffd")))


GOOD: tuple[bytes | None, Headers] = (b"good", [("h", b"1")])
BAD: tuple[bytes | None, Headers] = (b"payload", [("h", b"1"), ("bad", b"2"), ("n", None)])


def test_good_records_are_none_of_its_business() -> None:
    assert find(bytes(batch(GOOD, GOOD)), "t", 0, 0) is None
    assert find(b"", "t", 0, 0) is None


def test_a_header_key_that_is_not_utf8_is_found_at_its_offset_with_all_there_is_of_the_record() -> None:
    raw = bytes(bad_key(batch(GOOD, BAD, GOOD, base=40)))
    assert find(raw, "t", 3, 40) is None  # the record there can be read
    found = find(raw, "t", 3, 41)
    assert found is not None
    assert found.next == 42
    (letter,) = found.letters
    assert (letter.code, letter.origin, letter.partition, letter.offset, letter.timestamp_ms) == ("unreadable", "t", 3, 41, 1_001)
    assert (letter.key, letter.body) == (b"k1", b"payload")
    assert letter.headers == (("h", b"1"), (r"b\xffd", b"2"), ("n", None))


def test_a_run_of_bad_records_is_taken_at_once_over_batches_and_ends_at_a_good_one() -> None:
    raw = bytes(bad_key(batch(GOOD, BAD, BAD, base=10))) + bytes(bad_key(batch(BAD, GOOD, BAD, base=20)))
    found = find(raw, "t", 0, 11)
    assert found is not None
    assert [letter.offset for letter in found.letters] == [11, 12, 20]
    assert found.next == 21


@pytest.mark.parametrize("codec", CODECS)
def test_it_looks_into_every_codec(codec: str) -> None:
    plain = bad_key(batch(*[BAD] * 50))
    whole = batch(*[BAD] * 50, codec=codec)
    if codec == "none":
        whole = plain
    else:  # compress the records whose key was made bad
        body = {"gzip": "gzip_encode", "snappy": "snappy_encode", "lz4": "lz4_encode", "zstd": "zstd_encode"}[codec]
        encode = getattr(__import__("kafka.codec", fromlist=[body]), body)
        whole = checked(bytearray(whole[: BATCH_HEADER.size] + encode(bytes(plain[BATCH_HEADER.size :]))))
        struct.pack_into(">i", whole, 8, len(whole) - 12)
    found = find(bytes(whole), "t", 0, 0)
    assert found is not None
    assert (len(found.letters), found.next) == (50, 50)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_that_cannot_be_decompressed_is_one_letter_with_its_bytes(codec: str) -> None:
    damaged = batch(*[GOOD] * 50, base=5, codec=codec)
    damaged[BATCH_HEADER.size : BATCH_HEADER.size + 8] = b"\xff" * 8
    raw = bytes(checked(damaged))
    found = find(raw + bytes(batch(GOOD, base=55)), "t", 0, 5)
    assert found is not None
    (letter,) = found.letters
    assert (found.next, letter.offset, letter.body) == (55, 5, raw)
    assert letter.reason.startswith("the batch of offsets 5 to 54 cannot be decompressed: ")


def test_a_codec_nobody_knows_is_one_letter_too() -> None:
    unknown = batch(GOOD)
    unknown[22] |= 7
    found = find(bytes(checked(unknown)), "t", 0, 0)
    assert found is not None
    assert found.next == 1


def test_a_wrong_checksum_is_one_letter_and_what_was_read_of_the_batch_stays_read() -> None:
    raw = batch(GOOD, GOOD, GOOD, base=7)
    raw[-1] ^= 1
    found = find(bytes(raw), "t", 0, 8)
    assert found is not None
    (letter,) = found.letters
    assert (found.next, letter.offset, letter.reason) == (10, 8, "the batch of offsets 7 to 9 fails its checksum")


def test_a_record_that_is_cut_off_is_a_letter() -> None:
    raw = batch(GOOD, GOOD)
    raw[BATCH_HEADER.size] = 0x7F  # the first record's length: more than there is
    found = find(bytes(checked(raw)), "t", 0, 0)
    assert found is not None
    assert found.next == 2


def test_a_batch_cut_off_by_the_fetch_size_is_left_for_the_next_fetch() -> None:
    assert find(bytes(bad_key(batch(BAD)))[:-1], "t", 0, 0) is None


def kafka_python_reads(raw: bytes) -> tuple[int, bool]:
    """Up to where the real client reads, and whether it gave up there."""
    records = Fetcher.PartitionRecords(0, TopicPartition("t", 0), MemoryRecords(raw))
    try:
        while records and records.take(1):
            pass
    except Exception:  # noqa: BLE001  # it gives up in many ways
        return records.next_fetch_offset, True
    return records.next_fetch_offset, False


SIX = bytes(batch(*[GOOD] * 6))


def damaged(bits: list[int]) -> bytearray:
    made = bytearray(SIX)
    for bit in bits:
        made[bit // 8] ^= 1 << bit % 8
    return made


def assert_reading_moves_on(raw: bytes) -> None:
    """Wherever the client gives up, something is found."""
    position, gave_up = kafka_python_reads(raw)
    found = find(raw, "t", 0, position)
    last = BATCH_HEADER.unpack_from(raw)[6]
    assert found is not None or not gave_up or position > last  # the broker does not send a batch that ends before the position
    if found is not None:
        assert found.next > position
        assert found.letters


COVERED = range(8 * CHECKSUM_COVERS_FROM, 8 * len(SIX))  # the bits the checksum is made of


@given(bits=st.lists(st.sampled_from(COVERED), min_size=1, max_size=8))
def test_whatever_a_disk_does_to_a_batch_reading_moves_on(bits: list[int]) -> None:
    assert_reading_moves_on(bytes(damaged(bits)))


def test_whichever_bit_a_producer_got_wrong_reading_moves_on() -> None:
    for bit in COVERED:
        assert_reading_moves_on(bytes(checked(damaged([bit]))))


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_without_an_error(raw: bytes) -> None:
    find(raw, "t", 0, 0)
