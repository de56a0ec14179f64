"""Correct a touchpoint: the one place where a ``ledger.correction.v1`` is written, once everything about it is known to be right.

What was recorded stays; from the correction on it counts otherwise, or not at all. Another correction of the same touchpoint takes the
place of the one before. The correction stands in the history of the touchpoint's relationship.
"""

import msgspec

from ledger.interface import Appended
from ledger.ledger import Ledger
from projections.corrections import CORRECTION, Corrected, Corrections
from projections.histories import identified
from schemas.catalogue import RESERVED_PREFIX, Correction, TouchpointRef
from schemas.cloudevents import decode_json
from schemas.errors import LedgerError, RefusedError
from schemas.records import recorded
from schemas.touchpoint import Recorded, Stored, iso
from schemas.upcasts import DATA_DECODERS
from service import own


class CannotCorrectError(LedgerError):
    """The event cannot be corrected, or the correction would change nothing. The message says why, and what to do instead."""

    code = "cannot_correct"


class Made(msgspec.Struct, frozen=True, omit_defaults=True):
    """A correction: where it stands, of which touchpoint, and which correction before it no longer holds (a position)."""

    position: int
    relationship: str
    corrects: int
    now: str
    instead_of: int | None = None


def correct(ledger: Ledger, source: str, id_: str, *, why: str, replacement: bytes | None, by: str, at_us: int) -> Made:
    """Withdraw a touchpoint, or replace its data by ``replacement``, a JSON object.

    Args:
        ledger: the one it stands in.
        source: of the touchpoint, with ``id_``.
        id_: see ``source``.
        why: in words.
        replacement: the data it should have held; None: it should not be there at all.
        by: who says so.
        at_us: when, microseconds UTC.

    Raises:
        NotFoundError: there is no such touchpoint.
        CannotCorrectError: it is one of the ledger's own events, or nothing would change.
        RefusedError: the replacement is not data of the touchpoint's type.
    """
    stored = identified(ledger, source, id_)
    event = recorded(stored)
    before = Corrections(map(recorded, ledger.history(stored.relationship))).of(event)
    _refuse_own(event)
    if not why.strip():
        raise CannotCorrectError("a correction needs a reason: say --why in words")
    data = None if replacement is None else _checked(replacement, stored, at_us)
    _refuse_idle(ledger, stored, before, data)
    correction = Correction(TouchpointRef(event.source, event.id), why.strip(), data, stored.type)
    appended: Appended = own.record(ledger, stored.relationship, correction, by=by, at_us=at_us)
    now = "withdrawn" if data is None else "replaced"
    return Made(appended.position, stored.relationship, stored.position, now, None if before is None else before.position)


def _refuse_own(event: Recorded) -> None:
    """Touchpoints come from outside and may be wrong; what the ledger wrote itself is followed by another of the kind."""
    if event.type == CORRECTION and isinstance(event.data, Correction):
        of = event.data.of
        raise CannotCorrectError(
            f"position {event.position} is itself a correction: correct its touchpoint again (source {of.source!r}, id {of.id!r}), "
            "the last correction recorded counts"
        )
    if event.type.startswith(RESERVED_PREFIX):
        raise CannotCorrectError(f"position {event.position} is the ledger's own {event.type}: it says what was done, and that stays")


def _checked(replacement: bytes, stored: Stored, now_us: int) -> dict[str, object]:
    """The replacement, held to all that the data of an incoming touchpoint of the type is held to."""
    try:
        data = msgspec.json.decode(replacement, type=dict[str, object])
    except msgspec.ValidationError as error:
        raise RefusedError("bad_data", f"the replacement is not the data of a touchpoint, a JSON object: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError("not_json", f"the replacement is not UTF-8 JSON: {error}") from error
    event = {
        "specversion": "1.0",
        "id": "replacement",
        "source": "rledger",
        "type": stored.type,
        "subject": stored.relationship,
        "time": iso(now_us),
        "data": msgspec.Raw(replacement.strip()),
    }
    decode_json(msgspec.json.encode(event), now_us=now_us)
    return data


def _refuse_idle(ledger: Ledger, stored: Stored, before: Corrected | None, data: dict[str, object] | None) -> None:
    """A correction after which everything counts as before would only puzzle whoever reads the history."""
    if data is None:
        if before is not None and before.now == "withdrawn":
            raise CannotCorrectError(f"it was withdrawn at position {before.position} already: nothing would change")
        return
    if before is None:
        counts = msgspec.json.decode(stored.event).get("data")
    elif before.now == "replaced":
        counts = msgspec.json.decode(ledger.read(after=before.position - 1, limit=1)[0].event)["data"]["replacement"]
    else:
        return
    decode = DATA_DECODERS.get(stored.type, msgspec.json.decode)
    if decode(msgspec.json.encode(counts)) == decode(msgspec.json.encode(data)):
        raise CannotCorrectError("it says so already: nothing would change")
