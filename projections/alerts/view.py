"""alerts: one row per relationship with its alerts, open and past; the company's own stand in the row ``ledger``.

A row's alerts change by its relationship's events and by time (``book.py``): they are a function of the events and of the moment the row
is published for, so they are the same after a replay, whatever the batches.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from operator import attrgetter
from typing import Any

import msgspec

from projections.alerts import again, care, handling, rhythm, terms, turning
from projections.alerts.alert import NEVER_US, SEVERITIES, Alert, AlertKind, AlertState, Book, Severity
from projections.alerts.book import at, pass_time, text_of
from projections.projection import Projection
from projections.scoring.models import Source, models
from projections.scoring.policy import Policy
from schemas import catalogue as c
from schemas.touchpoint import LEDGER_SUBJECT, Recorded, iso


class Told(msgspec.Struct, frozen=True, gc=False):
    """One alert. ``*_at`` are ISO 8601 UTC, ``evidence`` positions in the ledger.

    state: ``closed`` its cause is over, ``lapsed`` nothing confirmed it for long, ``resolved`` somebody dealt with it.
    historical: its cause lay in the past when the ledger heard of it; such alerts are not delivered. next_step: a play of the policy.
    """

    id: str
    relationship: str
    kind: AlertKind
    severity: Severity
    state: AlertState
    cause: str
    text: str
    next_step: str | None
    evidence: tuple[int, ...]
    opened_at: str
    since_at: str | None
    last_at: str
    historical: bool
    closed_at: str | None
    closed: str | None
    acknowledged_by: str | None
    assignee: str | None
    snoozed_until: str | None
    resolved_by: str | None
    resolved_at: str | None
    note: str | None
    delivered: tuple[str, ...]


class Row(msgspec.Struct, frozen=True, gc=False):
    """The table's columns. ``open``: alerts whose cause stands and that nobody resolved; ``worst``: the severity of the gravest of them.

    undelivered: of these, those to deliver: no history, not delivered anywhere, and young. alerts: the newest first.
    """

    relationship: str
    open: int
    worst: Severity | None
    undelivered: int
    alerts: tuple[Told, ...]


@cache
def alerts(policy: Policy) -> Projection:
    """The projection under a policy."""
    return Projection(
        "alerts",
        version=12,
        policy=policy.digest,
        row=Row,
        state=Book,
        key=_key,
        takes=TYPES,
        fold=partial(_fold, policy, {kind: _handlers(turning.sources(model)) for kind, model in models(policy).items()}),
        publish=partial(_publish, policy),
        due=partial(_due, policy),  # silence, overdue and ending come with the close of a day
        index=("open", "undelivered"),
    )


STANDING: frozenset[AlertState] = frozenset({"open", "acknowledged", "snoozed"})
"""States of an alert that is still somebody's business."""
Handler = Callable[[Book, Recorded, Any, Policy], None]
HANDLERS: dict[type, Handler] = {
    c.Complaint: care.complained,
    c.ComplaintResolved: care.resolved,
    c.Promise: care.promised,
    c.PromiseSettled: care.settled,
    c.NegotiationOpened: terms.opened,
    c.NegotiationOffer: terms.offered,
    c.NegotiationClosed: terms.closed,
    c.ContractSigned: terms.signed,
    c.ContractRenewed: terms.signed,
    c.ContractEnded: terms.ended,
    c.Rate: terms.rated,
    c.Qualified: terms.qualified,
    c.Disrupted: terms.disrupted,
    c.Purchase: rhythm.bought,
    c.Closed: rhythm.left,
    c.Feedback: rhythm.answered,
    c.Contact: rhythm.sounded,
    c.Delivery: again.delivered,
    c.Inspection: again.inspected,
    c.Payment: again.paid,
    c.RequestAnswered: again.answered,
    c.Quote: again.quoted,
    c.Information: again.informed,
    c.AlertAcknowledged: handling.acknowledged,
    c.AlertAssigned: handling.assigned,
    c.AlertSnoozed: handling.snoozed,
    c.AlertResolved: handling.resolved,
    c.AlertDelivered: handling.delivered,
    c.ExitProposed: handling.exit_proposed,
    c.ReputationNoted: handling.reputation_noted,
    type(None): handling.unknown,
}
TYPES = frozenset({*HANDLERS, c.Return, c.InvoiceDisputed, c.ContractBreached, c.Incident})


def _key(event: Recorded) -> str | None:
    """Of the ledger's own subject only what is known."""
    return None if event.data is None and event.relationship == LEDGER_SUBJECT else event.relationship


def _handlers(sources: Mapping[type, tuple[Source, ...]]) -> dict[type, tuple[Handler, ...]]:
    """All that is made of touchpoints of each type. ``sources``: what turns quality, in this kind of relationship."""
    found: dict[type, tuple[Handler, ...]] = {}
    for type_ in TYPES:
        first = HANDLERS.get(type_)
        then = partial(turning.heard, sources[type_]) if sources.get(type_) else None
        found[type_] = tuple(one for one in (first, then) if one is not None)
    return found


OTHERS = _handlers({})
"""Of what is no relationship: the ledger's own subject."""


def _fold(policy: Policy, by_kind: Mapping[str, Mapping[type, tuple[Handler, ...]]], book: Book | None, events: Sequence[Recorded]) -> Book:
    if book is None:
        book = Book(events[0].relationship)
    rule, handlers = policy.alerts, by_kind.get(book.relationship.partition("/")[0], OTHERS)
    for event in events:
        if event.occurred_us > book.seen_us:
            book.seen_us = event.occurred_us
        if book.next_us <= event.recorded_us or book.next_late_us <= book.seen_us or book.lapse_us <= book.seen_us:  # else time may pass
            pass_time(book, rule, event.recorded_us)
        data = event.data
        for handle in handlers[type(data)]:
            handle(book, event, data, policy)
    return book


def _publish(policy: Policy, book: Book, moment_us: int) -> Row:
    moment_us = max(moment_us, book.seen_us)  # a publisher's clock may run five minutes ahead of ours
    then = at(book, policy.alerts, moment_us)
    if not (then.past or then.alerts):
        return Row(book.relationship, 0, None, 0, ())
    told = [_told(book.relationship, alert, moment_us, policy) for alert in (*then.past, *then.alerts.values())]
    told.sort(key=_newest, reverse=True)
    standing = [one.severity for one in told if one.state in STANDING]
    undelivered = [
        alert
        for alert in then.alerts.values()
        if not (alert.historical or alert.delivered or alert.resolved_by) and moment_us - alert.last_us <= policy.alerts.deliver_us
    ]
    return Row(book.relationship, len(standing), max(standing, key=SEVERITIES.index, default=None), len(undelivered), tuple(told))


_newest = attrgetter("opened_at", "id")


def _due(policy: Policy, book: Book, moment_us: int) -> int | None:
    moment_us = max(moment_us, book.seen_us)
    then = at(book, policy.alerts, moment_us)
    due_us = min(then.next_us, then.next_late_us, then.lapse_us)
    for alert in then.alerts.values():
        if alert.snoozed_until_us is not None and moment_us < alert.snoozed_until_us < due_us:
            due_us = alert.snoozed_until_us
        if moment_us < (stale_us := alert.last_us + policy.alerts.deliver_us + 1) < due_us:
            due_us = stale_us
    return None if due_us == NEVER_US else due_us


def _told(relationship: str, alert: Alert, moment_us: int, policy: Policy) -> Told:
    return Told(  # in the order of its fields: named, they take three times as long
        alert.id,
        relationship,
        alert.kind,
        alert.severity,
        _state(alert, moment_us),
        alert.cause,
        text_of(alert),
        policy.plays.of(alert.kind),
        tuple(alert.evidence),
        iso(alert.opened_us),
        None if alert.since_us is None else iso(alert.since_us),
        iso(alert.last_us),
        alert.historical,
        None if alert.closed_us is None else iso(alert.closed_us),
        alert.closed,
        alert.acknowledged_by,
        alert.assignee,
        None if alert.snoozed_until_us is None else iso(alert.snoozed_until_us),
        alert.resolved_by,
        None if alert.resolved_us is None else iso(alert.resolved_us),
        alert.note,
        tuple(alert.delivered),
    )


def _state(alert: Alert, moment_us: int) -> AlertState:
    if alert.resolved_by is not None:
        return "resolved"
    if alert.closed_us is not None:
        return "lapsed" if alert.closed == "lapsed" else "closed"
    if alert.snoozed_until_us is not None:
        return "snoozed" if alert.snoozed_until_us > moment_us else "open"
    return "open" if alert.acknowledged_by is None else "acknowledged"
