"""Dead letters as rows: the columns both stores keep, in their order, and what makes two of them the same message."""

import hashlib
import re
from typing import Any

import msgspec

from ledger.interface import DeadLetter, KeptLetter

_HEADERS = DeadLetter.__struct_fields__.index("headers")


class _About(msgspec.Struct):
    subject: str | None = None


_decode_subject = msgspec.json.Decoder(_About).decode
_decode_headers = msgspec.msgpack.Decoder(tuple[tuple[str, bytes | None], ...]).decode


def to_row(letter: DeadLetter, recorded_us: int) -> tuple[Any, ...]:
    """Columns of a new dead letter without its number: ``recorded_us``, the fields of ``DeadLetter``, ``mark``."""
    fields = list(msgspec.structs.astuple(letter))
    fields[_HEADERS] = msgspec.msgpack.encode(letter.headers)
    return (recorded_us, *fields, _mark(letter))


def from_row(*columns: Any) -> KeptLetter:  # noqa: ANN401  # columns of many types
    """A kept letter from all columns of its row."""
    number, recorded_us, *fields, _mark, replayed_us, replayed_position = columns
    fields[_HEADERS] = _decode_headers(fields[_HEADERS])
    return KeptLetter(number, recorded_us, DeadLetter(*fields), replayed_us, replayed_position)


def is_marked(*columns: Any) -> bool:  # noqa: ANN401  # columns of many types
    """Whether a row's mark is that of the letter it holds."""
    return bool(columns[-3] == _mark(from_row(*columns).letter))


def is_about(letter: DeadLetter, relationship: str) -> bool:
    """Whether a message names the relationship as its subject: in its key, its headers or its body, as far as that can be read."""
    wanted = relationship.encode()
    if letter.key == wanted or any(name.lower() == "ce_subject" and value == wanted for name, value in letter.headers):
        return True
    try:
        return letter.body is not None and _decode_subject(letter.body).subject == relationship
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        named = re.compile(re.escape(wanted) + rb"(?![A-Za-z0-9._~:@+-])")  # broken: whatever names it may be about it
        return letter.body is not None and named.search(letter.body) is not None


def erased(letter: DeadLetter) -> DeadLetter:
    """What is left of a message when its relationship is erased: why it was refused, and where it came from."""
    return msgspec.structs.replace(letter, reason="its relationship was erased, and what it said with it", key=None, headers=(), body=None)


def erasure_row(kept: KeptLetter) -> tuple[Any, ...]:
    """Columns that change when a letter is erased: reason, key, headers, body, mark; then its number."""
    left = erased(kept.letter)
    return (left.reason, left.key, msgspec.msgpack.encode(left.headers), left.body, _mark(left), kept.number)


def _mark(letter: DeadLetter) -> bytes | None:
    """Identify the message a dead letter keeps, so that its redelivery is kept once; 16 bytes.

    None where the source counts no offsets: there each letter stands for itself. The bytes are part of the mark because a topic
    made anew counts its offsets from 0 again.
    """
    if letter.offset is None:
        return None
    message = (letter.origin, letter.partition, letter.offset, letter.timestamp_ms, letter.key, letter.body)
    return hashlib.sha256(msgspec.msgpack.encode(message)).digest()[:16]
