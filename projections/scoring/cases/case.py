"""What all cases share: the mark of a touchpoint, and the items of evidence a case gives."""

from functools import lru_cache

import msgspec

from schemas.identity import digest
from schemas.touchpoint import Recorded


class Mark(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """When a touchpoint happened (microseconds UTC) and a number that tells it from all others: an order that arrival does not change."""

    at_us: int
    tie: int


class Item(msgspec.Struct, frozen=True, gc=False):
    """Evidence from a case.

    dimension: its name. at_us: the moment it fades from. since_us: the moment it counts from, not before ``at_us``.
    by: the tie of the touchpoint it is put down to. minus may be below 0: a recovery takes back what was lost.
    """

    dimension: str
    at_us: int
    since_us: int
    plus: float
    minus: float
    ours: bool
    by: int


class CaseBase(msgspec.Struct, array_like=True, gc=False):
    """Encoded as an array, its tag first, so that a state with many cases stays small."""


def mark(event: Recorded) -> Mark:
    """The mark of an event."""
    return Mark(event.occurred_us, _tie(event.source, event.id))


@lru_cache(maxsize=16_384)
def _tie(source: str, id_: str) -> int:
    """Remembered, since several views ask for that of the same event."""
    return int.from_bytes(digest(source, id_)[:8], "big")
