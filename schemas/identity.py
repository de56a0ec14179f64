"""What makes two touchpoints the same, and two contents equal.

``source`` and ``id`` identify a touchpoint for ever. Two contents are equal when they say the same, however they came: a publisher
that sends again may well encode again, or in the other content mode.
"""

import hashlib
import json
from datetime import datetime

import msgspec

from schemas.touchpoint import microseconds

IDENTITY_BYTES = 16


def identity(source: str, id_: str) -> bytes:
    """Identify a touchpoint in ``IDENTITY_BYTES``: the first half of the SHA-256 of source, NUL, id (which contain no NUL)."""
    return hashlib.sha256(f"{source}\0{id_}".encode()).digest()[:IDENTITY_BYTES]


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
