"""When touchpoints happened, in an order that their arrival does not change: which of two in the same role holds, everywhere."""

from functools import lru_cache

import msgspec

from schemas.identity import digest
from schemas.touchpoint import Recorded


class Mark(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """When a touchpoint happened (microseconds UTC) and a number that tells it from all others: an order that arrival does not change."""

    at_us: int
    tie: int


def mark(event: Recorded) -> Mark:
    """The mark of an event."""
    return Mark(event.occurred_us, _tie(event.source, event.id))


@lru_cache(maxsize=16_384)
def _tie(source: str, id_: str) -> int:
    """Remembered, since several views ask for that of the same event."""
    return int.from_bytes(digest(source, id_)[:8], "big")
