"""Read what kafka-python cannot: the bytes of a partition taken apart by hand, so that one bad record never stops the rest.

kafka-python gives up on a whole partition at a header key that is not UTF-8, a codec it cannot undo or a checksum that does not
match, and does not say where. ``find`` says where, and saves what can be saved of the record.

Source: Kafka's record batch format, magic 2 (https://kafka.apache.org/documentation/#recordbatch).
"""

import struct
from collections.abc import Callable, Iterator

import msgspec
from kafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from kafka.record.util import calc_crc32c, decode_varint

from ledger.interface import DeadLetter

# Base offset, length, leader epoch, magic, checksum, attributes, last offset delta, first timestamp, last timestamp, producer id,
# producer epoch, sequence, count of records.
BATCH_HEADER = struct.Struct(">qiibIhiqqqhii")
LENGTH_COVERS_FROM = 12  # bytes of the header before what its length counts
CHECKSUM_COVERS_FROM = 21
CODEC_MASK, CONTROL_MASK = 0x07, 0x20  # of the attributes
CODECS: tuple[Callable[[bytes], bytes], ...] = (bytes, gzip_decode, snappy_decode, lz4_decode, zstd_decode)
REASON_LENGTH_MAX = 200  # characters of an exception's text


class Found(msgspec.Struct, frozen=True):
    """The unreadable records at the front of a partition, and the offset after them."""

    letters: tuple[DeadLetter, ...]
    next: int


class _Place(msgspec.Struct, frozen=True):
    """Where bytes stand in Kafka: what a dead letter is made with."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int

    def letter(
        self, reason: str, body: bytes | None, key: bytes | None = None, headers: tuple[tuple[str, bytes | None], ...] = ()
    ) -> DeadLetter:
        return DeadLetter("unreadable", reason, self.topic, self.partition, self.offset, self.timestamp_ms, key, headers, body)


def find(raw: bytes, topic: str, partition: int, position: int) -> Found | None:
    """The run of unreadable records that starts at ``position``; None when the record there can be read, or there is none.

    ``raw``: record batches as a broker returns them for a fetch at ``position``; the last may be cut off.
    """
    letters: list[DeadLetter] = []
    next_ = position
    for after, letter in _records(raw, topic, partition, position):
        if letter is None:
            break
        letters.append(letter)
        next_ = after
    return Found(tuple(letters), next_) if letters else None


def _records(raw: bytes, topic: str, partition: int, position: int) -> Iterator[tuple[int, DeadLetter | None]]:
    """Yield for each record from ``position`` on the offset after it and its dead letter, or None where it can be read."""
    at = 0
    while at + BATCH_HEADER.size <= len(raw):
        base, length, _, _, checksum, attributes, last_delta, first_ms, *_, count = BATCH_HEADER.unpack_from(raw, at)
        batch = raw[at : at + LENGTH_COVERS_FROM + length]
        at += LENGTH_COVERS_FROM + length
        last = base + last_delta
        if at > len(raw):
            return
        place = _Place(topic, partition, max(base, position), first_ms)
        if calc_crc32c(memoryview(batch)[CHECKSUM_COVERS_FROM:]) != checksum:
            after = max(_after_damaged(raw, at, base, last_delta, count), position + 1)
            yield after, place.letter(f"the batch of offsets {base} to {after - 1} fails its checksum", batch)
            continue
        if attributes & CONTROL_MASK or last < position:
            continue
        try:
            data = CODECS[attributes & CODEC_MASK](batch[BATCH_HEADER.size :])
        except Exception as error:  # noqa: BLE001  # each codec raises its own
            yield last + 1, place.letter(f"the batch of offsets {base} to {last} cannot be decompressed: {_brief(error)}", batch)
            continue
        start, least = 0, base  # least: the offset the next record has, or more
        for _ in range(count):
            try:
                size, start = decode_varint(data, start)
                record = _slice(data, start, size)
                delta_ms, offset_delta, fields = _deltas(record)
            except (IndexError, ValueError) as error:
                yield last + 1, place.letter(f"the batch is cut off: {_brief(error)}", data[start:])
                break
            start += size
            offset = base + offset_delta
            in_order = least <= offset <= last
            offset = offset if in_order else least
            least = offset + 1
            if offset < position:
                continue
            place = _Place(topic, partition, offset, first_ms + delta_ms)
            yield least, _unreadable(record, fields, place) if in_order else place.letter("the record has another one's offset", record)
        else:
            if start < len(data):
                yield last + 1, place.letter(f"{len(data) - start} bytes follow the last of the batch's {count} records", data[start:])


def _after_damaged(raw: bytes, at: int, base: int, last_delta: int, count: int) -> int:
    """The offset after a batch whose header cannot be trusted: by two fields that agree, by the batch at ``at``, or 0: not known."""
    if last_delta == count - 1:
        return base + count
    return int.from_bytes(raw[at : at + 8], signed=True) if at + 8 <= len(raw) else 0


def _deltas(record: bytes) -> tuple[int, int, int]:
    """Milliseconds after the batch's first, offsets after its base, and where the other fields start."""
    _, at = decode_varint(record, 0)  # attributes: unused
    delta_ms, at = decode_varint(record, at)
    offset_delta, at = decode_varint(record, at)
    return delta_ms, offset_delta, at


def _unreadable(record: bytes, at: int, place: _Place) -> DeadLetter | None:
    """The dead letter of a record, or None when kafka-python can read it."""
    problem = ""
    headers: list[tuple[str, bytes | None]] = []
    try:
        key, at = _chunk(record, at)
        body, at = _chunk(record, at)
        header_count, at = decode_varint(record, at)
        for _ in range(header_count):
            name, at = _chunk(record, at)
            value, at = _chunk(record, at)
            text = (name or b"").decode(errors="backslashreplace")
            headers.append((text, value))
            if text.encode() != name:
                problem = f"the header key {text} is not UTF-8"
    except (IndexError, ValueError) as error:
        return place.letter(f"the record is cut off: {_brief(error)}", record)
    if at != len(record):
        return place.letter(f"the record is {len(record) - at} bytes longer than its fields", record)
    return place.letter(problem, body, key, tuple(headers)) if problem else None


def _chunk(record: bytes, at: int) -> tuple[bytes | None, int]:
    """A length and that many bytes; a negative length is null."""
    length, at = decode_varint(record, at)
    return (None, at) if length < 0 else (_slice(record, at, length), at + length)


def _slice(data: bytes, at: int, length: int) -> bytes:
    if length < 0 or at + length > len(data):
        raise ValueError(f"{length} bytes are announced, {len(data) - at} are there")
    return data[at : at + length]


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:REASON_LENGTH_MAX]
