"""complaints: one row per complaint, open until resolved. Feeds the overdue alert.

Of several openings (or resolutions) of one complaint the one that happened first holds, ties broken by source and id: the row does not
depend on the order of arrival. A resolution whose opening is not known yet makes a row too, and joins it when it comes.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from projections.projection import Projection
from schemas.catalogue import By, Complaint, ComplaintResolved, Severity
from schemas.touchpoint import Recorded, iso

Word = Complaint | ComplaintResolved


class Row(msgspec.Struct, frozen=True):
    """The table's columns. ``*_at`` are ISO 8601 UTC; the compensation is a decimal text and an ISO 4217 code.

    status: open, or how it ended; ``unknown_opening`` when a resolution names a complaint nobody has reported.
    """

    complaint: str
    relationship: str
    complaint_id: str
    status: Literal["open", "resolved", "rejected", "withdrawn", "unknown_opening"]
    by: By | None
    severity: Severity | None
    topic: str | None
    opened_at: str | None
    resolved_at: str | None
    outcome: Literal["resolved", "rejected", "withdrawn"] | None
    satisfied: bool | None
    compensation_amount: str | None
    compensation_currency: str | None


class Told(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """When something happened, by whose word; the smallest holds."""

    occurred_us: int
    source: str
    id: str


class State(msgspec.Struct, gc=False):
    """What is known of one complaint."""

    relationship: str
    complaint_id: str
    opened: Told | None = None
    opening: Complaint | None = None
    resolved: Told | None = None
    resolution: ComplaintResolved | None = None


def key(event: Recorded) -> str:
    """``customer/a#17`` for complaint 17 of customer/a: other relationships may have a 17 too."""
    return f"{event.relationship}#{_word(event).complaint_id}"


def fold(state: State | None, events: Sequence[Recorded]) -> State:
    """The complaint after more words on it."""
    if state is None:
        state = State(events[0].relationship, _word(events[0]).complaint_id)
    for event in events:
        told, data = Told(event.occurred_us, event.source, event.id), _word(event)
        if isinstance(data, Complaint):
            if state.opened is None or told < state.opened:
                state.opened, state.opening = told, data
        elif state.resolved is None or told < state.resolved:
            state.resolved, state.resolution = told, data
    return state


def _word(event: Recorded) -> Word:
    if not isinstance(event.data, Word):
        raise ValueError(f"{type(event.data).__name__} is not about a complaint")  # noqa: TRY004  # a bug of ours
    return event.data


def publish(state: State, _moment_us: int) -> Row:
    """The same at every moment."""
    opening, resolution = state.opening, state.resolution
    compensation = None if resolution is None else resolution.compensation
    outcome = None if resolution is None else resolution.outcome
    return Row(
        complaint=f"{state.relationship}#{state.complaint_id}",
        relationship=state.relationship,
        complaint_id=state.complaint_id,
        status="unknown_opening" if opening is None else outcome or "open",
        by=None if opening is None else opening.by,
        severity=None if opening is None else opening.severity,
        topic=None if opening is None else opening.topic,
        opened_at=None if state.opened is None else iso(state.opened.occurred_us),
        resolved_at=None if state.resolved is None else iso(state.resolved.occurred_us),
        outcome=outcome,
        satisfied=None if resolution is None else resolution.satisfied,
        compensation_amount=None if compensation is None else compensation.amount,
        compensation_currency=None if compensation is None else compensation.currency,
    )


COMPLAINTS = Projection(
    "complaints",
    version=1,
    row=Row,
    state=State,
    key=key,
    takes=frozenset(get_args(Word)),
    fold=fold,
    publish=publish,
    index=("relationship", "status,opened_at", "status,severity"),
)
