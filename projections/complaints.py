"""complaints: one row per complaint, open until resolved. Feeds the overdue alert.

Of several openings (or resolutions) of one complaint the one that happened first holds, the same that the score weighs: the row does not
depend on the order of arrival. A resolution whose opening is not known yet makes a row too, and joins it when it comes.
"""

from typing import Literal, get_args

import msgspec

from projections.named import named
from projections.scoring.marks import Mark
from schemas.catalogue import By, Complaint, ComplaintResolved, Severity
from schemas.touchpoint import iso

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


class State(msgspec.Struct, gc=False):
    """What is known of one complaint."""

    relationship: str
    complaint_id: str
    opened: Mark | None = None
    opening: Complaint | None = None
    resolved: Mark | None = None
    resolution: ComplaintResolved | None = None


def _take(state: State, at: Mark, data: Word) -> None:
    if isinstance(data, Complaint):
        if state.opened is None or at < state.opened:
            state.opened, state.opening = at, data
    elif state.resolved is None or at < state.resolved:
        state.resolved, state.resolution = at, data


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
        opened_at=None if state.opened is None else iso(state.opened.at_us),
        resolved_at=None if state.resolved is None else iso(state.resolved.at_us),
        outcome=outcome,
        satisfied=None if resolution is None else resolution.satisfied,
        compensation_amount=None if compensation is None else compensation.amount,
        compensation_currency=None if compensation is None else compensation.currency,
    )


COMPLAINTS = named(
    "complaints",
    version=2,
    row=Row,
    state=State,
    words=get_args(Word),
    name="complaint_id",
    take=_take,
    publish=publish,
    index=("relationship", "status,opened_at", "status,severity"),
)
