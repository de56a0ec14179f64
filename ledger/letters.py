"""Dead letters as rows: the columns both stores keep, in their order, what makes two of them the same message, and how they are sealed.

What a message said (its key, headers and body, and the reason, which may quote it) is sealed as one value that stands in the column of
the body: with the key of the relationship that it names as its subject, or with the ledger's own where it names none. ``key_number``
says with which; a letter without one stands as it came. An erased one has a number and no body.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from ledger.interface import DeadLetter, KeptLetter
from ledger.sealing import DataKey
from ledger.vault import Sealer
from schemas.catalogue.values import SUBJECT_PATTERN
from schemas.errors import AlteredError
from schemas.touchpoint import LEDGER_SUBJECT

MARK_BYTES = 16
_NONE: Mapping[int, DataKey] = {}


class Row(NamedTuple):
    """All columns of a row, in the order of the table."""

    number: int
    recorded_us: int
    code: Any
    reason: str
    origin: str
    partition: int | None
    offset: int | None
    timestamp_ms: int | None
    key: bytes | None
    headers: bytes
    body: bytes | None
    source: str | None
    id: str | None
    mark: bytes | None
    replayed_us: int | None
    replayed_position: int | None
    key_number: int | None

    @property
    def is_sealed(self) -> bool:
        return self.key_number is not None and self.body is not None

    @property
    def is_erased(self) -> bool:
        return self.key_number is not None and self.body is None


class _About(msgspec.Struct):
    subject: str | None = None


class _Said(msgspec.Struct, array_like=True):
    """What of a letter is sealed."""

    reason: str
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    body: bytes | None


_decode_subject = msgspec.json.Decoder(_About).decode
_decode_headers = msgspec.msgpack.Decoder(tuple[tuple[str, bytes | None], ...]).decode
_decode_said = msgspec.msgpack.Decoder(_Said).decode
_encode = msgspec.msgpack.encode
_is_relationship = re.compile(SUBJECT_PATTERN).match


def to_row(letter: DeadLetter, recorded_us: int, key: DataKey | None) -> tuple[Any, ...]:
    """Columns of a new dead letter: all but its number, and but those of its replay; ``key``: to seal it with."""
    if key is not None and key.destroyed:
        letter = erased(letter)
        return (recorded_us, *_fields(letter), _mark(letter, None), key.number)
    mark = _mark(letter, key)
    if key is None:
        return (recorded_us, *_fields(letter), mark, None)
    said = _encode(_Said(letter.reason, letter.key, letter.headers, letter.body))
    kept = _without(letter, "", key.encrypt(said, _bound(letter, recorded_us)))
    return (recorded_us, *_fields(kept), mark, key.number)


def from_row(row: Row, keys: Mapping[int, DataKey] = _NONE) -> KeptLetter:
    """A kept letter, opened where ``keys`` has its key; else as it stands.

    Raises:
        AlteredError: it is not what was sealed there.
    """
    columns = (row.origin, row.partition, row.offset, row.timestamp_ms, row.key, _decode_headers(row.headers), row.body, row.source, row.id)
    letter = DeadLetter(row.code, row.reason, *columns)
    key = None if row.key_number is None else keys.get(row.key_number)
    if key is not None and row.body is not None:
        if key.destroyed:
            letter = erased(letter)
        else:
            said = _decode_said(key.decrypt(row.body, _bound(letter, row.recorded_us)))
            letter = msgspec.structs.replace(letter, **msgspec.structs.asdict(said))
    return KeptLetter(row.number, row.recorded_us, letter, row.replayed_us, row.replayed_position)


def opened(row: Row, keys: Mapping[int, DataKey]) -> KeptLetter:
    """As ``from_row``; of one that somebody altered, where it came from and that it cannot be opened."""
    try:
        if row.is_sealed and row.key_number not in keys:
            raise AlteredError(f"key {row.key_number} is not what was kept there")
        return from_row(row, keys)
    except (ValueError, msgspec.MsgspecError):
        kept = from_row(row)
        letter = _without(kept.letter, "it was altered in the store and cannot be opened: run rledger verify", None)
        return msgspec.structs.replace(kept, letter=letter)


def is_marked(row: Row, keys: Mapping[int, DataKey]) -> bool:
    """Whether a row's mark is that of the letter it holds; True where that cannot be told without its key."""
    if row.is_erased:
        return row.mark in {None, _mark(from_row(row).letter, None)}
    key = None if row.key_number is None else keys.get(row.key_number)
    if row.is_sealed and (key is None or key.destroyed):
        return True
    try:
        return row.mark == _mark(from_row(row, keys).letter, key)
    except (ValueError, msgspec.MsgspecError):
        return False


def about(letter: DeadLetter) -> str | None:
    """The relationship that a message names as its subject; None where none can be read."""
    try:
        subject = None if letter.body is None else _decode_subject(letter.body).subject
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        subject = None
    named = [subject.encode()] if subject is not None else []
    named += [value for name, value in letter.headers if name.lower() == "ce_subject" and value is not None]
    named += [letter.key] if letter.key is not None else []
    readable = (one.decode() for one in named if one.isascii())
    return next((one for one in readable if _is_relationship(one)), None)


def concerns(row: Row, relationship: str, key_number: int, keys: Mapping[int, DataKey]) -> bool:
    """Whether a letter that is not erased is about a relationship, whose key is ``key_number``, as far as ``keys`` opens it."""
    if row.is_erased:
        return False
    if row.is_sealed and (row.key_number == key_number or row.key_number not in keys):
        return row.key_number == key_number
    return _is_about(from_row(row, keys).letter, relationship)


def _is_about(letter: DeadLetter, relationship: str) -> bool:
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
    return _without(letter, "its relationship was erased, and what it said with it", None)


CHANGES = ("reason", "key", "headers", "body", "mark", "key_number")
"""The columns that change when a letter is sealed or erased."""


def erasures(rows: Iterable[Row], key_number: int) -> list[tuple[Any, ...]]:
    """What ``CHANGES`` become when letters are erased, each with its number; ``key_number``: of the destroyed key."""
    left = [(row, erased(from_row(row).letter)) for row in rows]
    return [(one.reason, one.key, _encode(one.headers), one.body, None, key_number, row.number) for row, one in left]


def sealing_for(rows: Iterable[Row]) -> list[str]:
    """The relationships whose keys are needed to seal letters that stand as they came, and the ledger itself."""
    return [LEDGER_SUBJECT, *{one for row in rows if (one := about(from_row(row).letter)) is not None}]


def sealings(rows: Iterable[Row], sealer: Sealer) -> list[tuple[Any, ...]]:
    """What ``CHANGES`` become when letters that stand as they came are sealed, each with its number; none where there is no master key."""
    changes = []
    for row in rows:
        letter = from_row(row).letter
        key = sealer.letter_key(about(letter))
        if key is not None:
            sealed = Row._make((row.number, *to_row(letter, row.recorded_us, key)[:-1], None, None, key.number))
            changes.append((*(getattr(sealed, column) for column in CHANGES), row.number))
    return changes


def _fields(letter: DeadLetter) -> tuple[Any, ...]:
    return msgspec.structs.astuple(msgspec.structs.replace(letter, headers=_encode(letter.headers)))


def _without(letter: DeadLetter, reason: str, body: bytes | None) -> DeadLetter:
    return msgspec.structs.replace(letter, reason=reason, key=None, headers=(), body=body)


def _bound(letter: DeadLetter, recorded_us: int) -> bytes:
    """What a sealed letter opens with only: where it came from and when it was kept."""
    return _encode(("letter", recorded_us, letter.code, letter.origin, letter.partition, letter.offset, letter.timestamp_ms))


def _mark(letter: DeadLetter, key: DataKey | None) -> bytes | None:
    """Identify the message a dead letter keeps, so that its redelivery is kept once; of a sealed one, nobody can guess by it what it said.

    None where the source counts no offsets: there each letter stands for itself. The bytes are part of the mark because a topic
    made anew counts its offsets from 0 again.
    """
    if letter.offset is None:
        return None
    message = _encode((letter.origin, letter.partition, letter.offset, letter.timestamp_ms, letter.key, letter.body))
    digest = hashlib.sha256(message).digest() if key is None else key.digest(b"letter", message)
    return digest[:MARK_BYTES]
