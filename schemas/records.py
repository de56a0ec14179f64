"""Stored events, decoded: the envelope's attributes, and data of the newest version of its type.

Whatever ``cloudevents.py`` accepted decodes here, for ever: the fixture log of every release is replayed by the tests.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from schemas.catalogue import CATALOGUE
from schemas.errors import AlteredError
from schemas.touchpoint import UNREADABLE, Recorded, Stored, microseconds
from schemas.upcasts import DATA_DECODERS, UPCASTS

D = TypeVar("D")


class _Envelope(msgspec.Struct, gc=False, kw_only=True):
    id: str
    source: str
    time: datetime
    actor: str | None = None


class _Event(_Envelope, Generic[D], gc=False, kw_only=True):
    data: D


def _decoder(data: Any) -> Callable[[bytes], Any]:  # noqa: ANN401  # a type
    """Envelope and data in one pass: to find where the data is first, and then decode that, takes a third longer."""
    return msgspec.json.Decoder(_Event[data]).decode


_DECODE = {type_: _decoder(entry.struct) for type_, entry in CATALOGUE.items()}
_decode_raw = _decoder(msgspec.Raw)
_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def recorded(stored: Stored) -> Recorded:
    """Decode a stored event. ``data`` is None for a type this version does not know.

    Raises:
        AlteredError: the bytes are not what was accepted, or were sealed and cannot be opened.
    """
    event: Any
    data = None
    try:
        decode = _DECODE.get(stored.type)
        if decode is not None:
            event = decode(stored.event)
            data = event.data
        elif stored.type in UPCASTS:
            event = _decode_raw(stored.event)
            data = DATA_DECODERS[stored.type](event.data)
        else:
            event = _decode_envelope(stored.event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = "what was sealed in it cannot be opened" if stored.event == UNREADABLE else error
        raise AlteredError(f"the event at position {stored.position} is not what was accepted ({why}): run rledger verify") from error
    return Recorded(
        stored.position,
        stored.relationship,
        stored.version,
        stored.type,
        stored.recorded_us,
        microseconds(event.time),
        event.source,
        event.id,
        event.actor,
        data,
    )
