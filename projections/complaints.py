"""complaints: one row per complaint, open until resolved. Feeds the overdue alert.

Of several openings (or resolutions) of one complaint the one that happened first holds, ties broken by source and id: the row does not
depend on the order of arrival. A resolution whose opening is not known yet makes a row too, and joins it when it comes.
"""

from typing import Literal

import msgspec

from projections.projection import Projection
from schemas.catalogue import By, Complaint, ComplaintResolved, Severity
from schemas.touchpoint import Recorded, iso


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


def key(event: Recorded) -> str | None:
    """``customer/a#17`` for complaint 17 of customer/a: other relationships may have a 17 too."""
    data = event.data
    return f"{event.relationship}#{data.complaint_id}" if isinstance(data, Complaint | ComplaintResolved) else None


def fold(state: State | None, event: Recorded) -> State:
    """The complaint after one more word on it."""
    told = Told(event.occurred_us, event.source, event.id)
    match event.data:
        case Complaint() as opening:
            state = state or State(event.relationship, opening.complaint_id)
            if state.opened is None or told < state.opened:
                state.opened, state.opening = told, opening
        case ComplaintResolved() as resolution:
            state = state or State(event.relationship, resolution.complaint_id)
            if state.resolved is None or told < state.resolved:
                state.resolved, state.resolution = told, resolution
        case other:
            raise ValueError(f"{type(other).__name__} is not about a complaint")
    return state


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
    takes=frozenset({Complaint, ComplaintResolved}),
    fold=fold,
    publish=publish,
    index=("relationship", "status,opened_at", "status,severity"),
)
