"""What makes two touchpoints the same, and two contents equal.

``source`` and ``id`` identify a touchpoint for ever. Two contents are equal when they say the same, however they came: a publisher
that sends again may well encode again, or in the other content mode.
"""

import hashlib
import json
from datetime import datetime

import msgspec

from schemas.touchpoint import microseconds

DIGEST_BYTES = 16
NEAR_BYTES = 12  # at most, of an identity: a counter of twelve digits, the milliseconds of a ULID, sixteen of a UUID of version 7
SURE_BYTES = 12  # of a digest behind them: nobody finds another touchpoint with the identity of one that is given
BEFORE_DIGITS = "".join(chr(code) for code in range(32, 127) if not chr(code).isdigit())  # what ids begin with that tells no order
UUID_LENGTH, VERSION_AT, RANDOM = 36, 14, "4"  # RFC 9562: version 4 is random


def digest(one: str, other: str) -> bytes:
    """A number as good as random that two texts without NUL always give, of ``DIGEST_BYTES``: half the SHA-256 of one, NUL, other."""
    return hashlib.sha256(f"{one}\0{other}".encode()).digest()[:DIGEST_BYTES]


def identity(source: str, id_: str) -> bytes:
    """Identify a touchpoint, in 24 bytes at most, so that identities of ids that were given one after the other stand side by side.

    First comes ``id_`` from its first digit on, as far as ``NEAR_BYTES`` go, then the beginning of the digest of source and id. An id that
    is random by its own account is in no order: its identity is the digest.
    """
    sure = digest(source, id_)
    if len(id_) == UUID_LENGTH and id_[VERSION_AT] == RANDOM:
        return sure
    return id_.lstrip(BEFORE_DIGITS)[:NEAR_BYTES].encode()[:NEAR_BYTES] + sure[:SURE_BYTES]


class _Named(msgspec.Struct, gc=False):
    source: str
    id: str


_decode_named = msgspec.json.Decoder(_Named).decode


def identity_of(event: bytes) -> bytes:
    """The identity of a stored event.

    Raises:
        ValueError: it is no event any more.
    """
    named = _decode_named(event)
    return identity(named.source, named.id)


def renewed(former: bytes, event: bytes) -> bytes:
    """The identity of a stored event that had the ``former`` one, a bare digest of 16 bytes; one that was altered stays as it was."""
    try:
        named = _decode_named(event)
    except ValueError:
        return former
    return identity(named.source, named.id) if digest(named.source, named.id) == former else former


def content_digest(event: bytes) -> bytes:
    """SHA-256, 32 bytes, of what a valid event says.

    The order of keys, spaces, escapes and the zone that ``time`` is written in do not matter, nor whether attributes came as JSON or as
    text in headers, nor ``datacontenttype``, for all that is stored is JSON. Numbers in the data count as written: 1 is not 1.0.
    """
    try:
        content = msgspec.json.decode(event)
    except msgspec.ValidationError:  # a number that fits no float: compare numbers as the text they are written in
        content = json.loads(event, parse_int=str, parse_float=str)
    data = content.pop("data", None)
    content.pop("datacontenttype", None)
    attributes = {name: _as_text(value) for name, value in content.items() if value is not None}
    attributes["time"] = str(microseconds(msgspec.convert(content["time"], datetime)))
    return hashlib.sha256(msgspec.json.encode((attributes, data), order="deterministic")).digest()


def _as_text(value: object) -> object:
    """Write an attribute as the protocol bindings do; what CloudEvents does not allow stays as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value
