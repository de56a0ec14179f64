"""The shapes that flow through the house: a touchpoint before it is appended, and the record it becomes.

All moments are integers, microseconds since 1970-01-01 UTC (``_us``); ``moment`` turns one into an aware datetime.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from schemas.catalogue import Data

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LEDGER_SUBJECT = "ledger"  # the stream of events about the ledger itself: days closed, policies adopted, exchange rates
LEDGER_SOURCE = "rledger"  # of what the ledger writes itself

_written: Callable[[datetime], str] = msgspec.to_builtins  # half the time of isoformat and putting Z for +00:00


class Touchpoint(msgspec.Struct, frozen=True, gc=False):
    """A valid touchpoint, ready to be appended.

    ``source`` and ``id`` identify it for ever. ``event`` is the whole CloudEvent as structured JSON (UTF-8), the bytes that are stored.
    """

    source: str
    id: str
    type: str
    subject: str
    event: bytes


UNREADABLE = b""
"""In place of the bytes of an event that somebody altered so that what is sealed in it cannot be opened: no event is empty."""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """One row of the log, as written. ``position`` counts from 1 over the log, ``version`` from 1 over its relationship."""

    position: int
    relationship: str
    version: int
    type: str
    recorded_us: int
    event: bytes


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A stored event, decoded and upcast to the newest version of its type; what folds take.

    ``data`` is the catalogue's struct for ``type``, or None for a type this version does not know.
    """

    position: int
    relationship: str
    version: int
    type: str
    recorded_us: int
    occurred_us: int
    source: str
    id: str
    actor: str | None
    data: Data | None


def microseconds(moment_: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime; exact."""
    return (moment_ - EPOCH) // MICROSECOND


def moment(us: int) -> datetime:
    """The aware UTC datetime of ``us``."""
    return EPOCH + timedelta(0, 0, us)  # by name it takes a quarter longer


def iso(us: int) -> str:
    """ISO 8601 in UTC, to the microsecond where there are any: ``2026-11-24T07:00:00Z``."""
    return _written(moment(us))
