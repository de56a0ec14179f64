"""Events as a history tells them: the bytes that were stored, and what corrections made of them."""

from collections.abc import Sequence

import msgspec

from ledger.ledger import Ledger
from projections.answers import HistoryLine
from projections.corrections import CORRECTION, Corrected, Corrections
from projections.moments import Moments
from schemas.errors import NotFoundError
from schemas.records import recorded
from schemas.touchpoint import UNREADABLE, Stored, iso


def told(stored: Sequence[Stored], moments: Moments, limit: int) -> list[HistoryLine]:
    """The newest ``limit`` (0: all) of the events of a relationship that count at these moments, oldest first."""
    if not moments.past and all(one.type != CORRECTION for one in stored):  # most are: nothing but the bytes is asked for
        return [_line(one) for one in stored[-limit:]]
    events = [recorded(one) for one in stored]
    known = Corrections(event for event in events if moments.knew(event.recorded_us))
    counting = [(one, event) for one, event in zip(stored, events, strict=True) if moments.counts(event)]
    return [_line(one, known.of(event), known.corrects(event)) for one, event in counting[-limit:]]


def whole(ledger: Ledger, stored: Stored) -> HistoryLine:
    """One event, with what is known now of corrections."""
    known, event = Corrections(map(recorded, ledger.history(stored.relationship))), recorded(stored)
    return _line(stored, known.of(event), known.corrects(event))


def at_position(ledger: Ledger, position: int) -> Stored:
    """The event at a position.

    Raises:
        NotFoundError: there is none yet.
    """
    found = ledger.read(after=position - 1, limit=1)
    if not found:
        raise NotFoundError(f"there is no event at position {position:,}; the log has {ledger.head().position:,}")
    return found[0]


def identified(ledger: Ledger, source: str, id_: str) -> Stored:
    """The event of a source and an id.

    Raises:
        NotFoundError: there is none.
    """
    found = ledger.find(source, id_)
    if found is None:
        raise NotFoundError(f"no touchpoint has source {source!r} and id {id_!r}: `rledger history REL --json` shows both of each")
    return found


def _line(stored: Stored, corrected: Corrected | None = None, corrects: int | None = None) -> HistoryLine:
    return HistoryLine(stored.position, stored.version, iso(stored.recorded_us), _one_line(stored), corrected, corrects)


def _one_line(stored: Stored) -> msgspec.Raw:
    """The event's bytes, written anew only where a line break between its tokens would break a line of JSON lines."""
    if stored.event == UNREADABLE:
        recorded(stored)  # tells what is wrong
    if b"\n" in stored.event or b"\r" in stored.event:
        return msgspec.Raw(msgspec.json.format(stored.event, indent=-1))
    return msgspec.Raw(stored.event)
