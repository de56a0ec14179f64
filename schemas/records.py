"""Stored events, decoded: the envelope's attributes, and data of the newest version of its type.

Whatever ``cloudevents.py`` accepted decodes here, for ever: the fixture log of every release is replayed by the tests.
"""

from datetime import datetime

import msgspec

from schemas.touchpoint import Recorded, Stored, microseconds
from schemas.upcasts import DATA_DECODERS


class _Envelope(msgspec.Struct, gc=False):
    id: str
    source: str
    time: datetime
    actor: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def recorded(stored: Stored) -> Recorded:
    """Decode a stored event. ``data`` is None for a type this version does not know.

    Raises:
        ValueError: the bytes are not what was accepted: the store was changed from outside. ``rledger verify`` finds every such event.
    """
    try:
        event = _decode_envelope(stored.event)
        decode = DATA_DECODERS.get(stored.type)
        data = None if decode is None else decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"the event at position {stored.position} is not what was accepted ({error}): run rledger verify") from error
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
