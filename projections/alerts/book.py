"""How alerts open, lapse and close, and how time passes for them.

Time is part of the log. What was heard of in time is due when the ledger's own clock says so: at the recording of any later event of the
relationship, or, where all is quiet, at the close of a day. What was heard of late (an old import) is judged by when things happened,
so that a complaint and its resolution that arrive together raise nothing; and what it raises is historical. Nothing depends on how often
somebody looks: between two events of a relationship only days close, and a watch knows the midnight it is due.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from projections.alerts.alert import NEVER_US, SILENCE, Alert, AlertKind, Book, Part, Rhythm, Severity, Watch, alert_id
from projections.scoring.evidence import DAY_US
from projections.scoring.policy import AlertsPolicy
from schemas.touchpoint import Recorded

EVIDENCE_KEPT = 8  # positions an alert names, the newest
PARTS_KEPT = 64  # of one alert
ENDED_KEPT = 64  # keys of what is over
LASTING = frozenset({"complaint_overdue", "contract_ending", "rate_above_benchmark", "exit_candidate"})
"""Kinds whose cause is a state that an event ends; the others lapse when nothing confirms them."""
GRAVITY: dict[Severity, int] = {"low": 0, "medium": 1, "high": 2}


class Cause(msgspec.Struct, frozen=True, gc=False):
    """What an alert is raised for: one alert is open for a ``name`` at a time, and lasts while any ``part`` of it stands.

    since_us: when what turned most likely began to; None of what is no turn.
    """

    kind: AlertKind
    name: str
    severity: Severity
    text: str
    part: str = ""
    since_us: int | None = None


def raise_(book: Book, policy: AlertsPolicy, event: Recorded, cause: Cause, *, evidence: Sequence[int] = ()) -> None:
    """Open the alert of a cause at an event, or confirm the one that is open. ``evidence``: positions beside the event's own."""
    late = event.recorded_us - event.occurred_us > policy.historical_us
    _open(book, policy, cause, event.occurred_us, [*evidence, event.position], historical=late)


def watch(book: Book, policy: AlertsPolicy, event: Recorded, cause: Cause, due_us: int) -> None:
    """Raise ``cause`` at the end of the day of ``due_us``, unless its part is settled before. A watch on the same part is replaced."""
    due_us, late = expect(book, policy, event, due_us)
    part = cause.part or cause.name
    book.watches.pop(part, None)  # the new one is the newest
    book.watches[part] = Watch(cause.kind, cause.name, due_us, late, cause.severity, cause.text, event.position, cause.since_us)


def expect(book: Book, policy: AlertsPolicy, event: Recorded, due_us: int) -> tuple[int, bool]:
    """Look at the book at the end of the day of ``due_us``. Returns: that moment, and whether the ledger heard of it late."""
    due_us = -(-due_us // DAY_US) * DAY_US
    late = event.recorded_us - due_us > policy.historical_us
    _next(book, due_us, late=late)
    return due_us, late


def settle(book: Book, policy: AlertsPolicy, part: str, at_us: int, why: str) -> None:
    """A part is over: its watch ends, and so does its alert when it was the last. One raised as history that never was true is gone."""
    book.watches.pop(part, None)
    for alert in book.alerts.values():
        if part in alert.parts:
            break
    else:
        return
    if len(alert.parts) > 1:
        del alert.parts[part]
    elif alert.historical and at_us <= alert.opened_us and alert.acknowledged_by is None:
        del book.alerts[alert.cause]
    else:
        _end(book, policy, alert, max(at_us, alert.opened_us), why)


def stands(book: Book, part: str) -> bool:
    """Whether it is watched or raised."""
    return part in book.watches or any(part in alert.parts for alert in book.alerts.values())


def pass_time(book: Book, policy: AlertsPolicy, recorded_us: int) -> None:
    """Let time pass up to an event recorded then, the newest ``seen_us``: raise what came due before it, end what lapsed."""
    seen_us = book.seen_us
    if book.next_us <= recorded_us or book.next_late_us <= seen_us:
        for due_us, part, one in _due(book, recorded_us, seen_us):
            if book.lapse_us <= due_us:
                _lapse(book, policy, due_us)
            cause = Cause(one.kind, one.cause, one.severity, one.text, part, one.since_us)
            _open(book, policy, cause, due_us, [one.position], historical=one.late)
    if book.lapse_us <= seen_us:
        _lapse(book, policy, seen_us)


def at(book: Book, policy: AlertsPolicy, moment_us: int) -> Book:
    """The book as it stands at a moment not before its newest event; the one given stays as it is."""
    if moment_us < book.next_us and moment_us < book.next_late_us and moment_us < book.lapse_us:
        return book
    alerts = {cause: replace(alert, parts=dict(alert.parts)) for cause, alert in book.alerts.items()}
    then = replace(book, watches=dict(book.watches), alerts=alerts, rhythm=replace(book.rhythm), seen_us=max(moment_us, book.seen_us))
    pass_time(then, policy, moment_us)
    return then


def remember(ended: dict[str, int], key: str, at_us: int) -> None:
    """Note that something is over, for what arrives later; the earliest word holds, and the newest ``ENDED_KEPT`` are kept."""
    ended[key] = min(at_us, ended.get(key, at_us))
    if len(ended) > ENDED_KEPT:
        del ended[min(ended, key=lambda one: (ended[one], one))]


def _lapse(book: Book, policy: AlertsPolicy, until_us: int) -> None:
    """End what nothing confirmed for so long that it is no longer news."""
    may = [(one.last_us + policy.lapse_us, one) for one in book.alerts.values() if not one.lasts]
    for lapse_us, alert in may:
        if lapse_us <= until_us:
            _end(book, policy, alert, lapse_us, "lapsed")
    book.lapse_us = min((lapse_us for lapse_us, _ in may if lapse_us > until_us), default=NEVER_US)


def _open(book: Book, policy: AlertsPolicy, cause: Cause, at_us: int, evidence: Sequence[int], *, historical: bool) -> None:
    part, found = cause.part or cause.name, book.alerts.get(cause.name)
    if found is not None and found.resolved_us is not None and (part not in found.parts or at_us - found.resolved_us > policy.quiet_us):
        _end(book, policy, found, found.resolved_us, "resolved")  # and it comes again
        found = None
    if found is None:
        before = [one for one in book.past if one.cause == cause.name and one.opened_us // DAY_US == at_us // DAY_US]
        name = alert_id(book.relationship, cause.name, at_us, len(before))
        lasts, positions = cause.kind in LASTING, list(evidence[-EVIDENCE_KEPT:])
        parts = {part: Part(cause.severity, cause.text)}
        found = Alert(name, cause.kind, cause.name, cause.severity, positions, at_us, at_us, historical, lasts, parts)
        found.since_us = cause.since_us
        book.alerts[cause.name] = found
        if not lasts:
            book.lapse_us = min(at_us + policy.lapse_us, book.lapse_us)
        return
    found.last_us = max(found.last_us, at_us)
    found.historical = found.historical and historical
    if GRAVITY[cause.severity] > GRAVITY[found.severity]:
        found.severity = cause.severity
    found.evidence = sorted({*found.evidence, *evidence})[-EVIDENCE_KEPT:]
    found.parts[part] = Part(cause.severity, cause.text)
    if len(found.parts) > PARTS_KEPT:
        del found.parts[next(iter(found.parts))]


def text_of(alert: Alert) -> str:
    """The gravest of its parts, the oldest of these, and how many there are beside."""
    if not alert.parts:
        return alert.text
    first = max(alert.parts.values(), key=lambda one: GRAVITY[one.severity])
    others = len(alert.parts) - 1
    return f"{first.text}, and {others} more" if others else first.text


def _end(book: Book, policy: AlertsPolicy, alert: Alert, at_us: int, how: str) -> None:
    del book.alerts[alert.cause]
    alert.text = text_of(alert)
    alert.closed_us, alert.closed, alert.parts = at_us, how, {}
    book.past = sorted([*book.past, alert], key=lambda one: (one.closed_us or 0, one.id))[-policy.kept :]


def _next(book: Book, due_us: int, *, late: bool) -> None:
    """Note when a watch is due, where it is the first."""
    if late:
        if due_us < book.next_late_us:
            book.next_late_us = due_us
    elif due_us < book.next_us:
        book.next_us = due_us


def _due(book: Book, recorded_us: int, seen_us: int) -> list[tuple[int, str, Watch]]:
    """Take out what is due by now, when and by part, the first first; and note when the next is."""
    own, due, left = book.rhythm, list[tuple[int, str, Watch]](), list[Watch | Rhythm]()
    for part, one in book.watches.items():
        if one.due_us <= (seen_us if one.late else recorded_us):
            due.append((one.due_us, part, one))
        else:
            left.append(one)
    for _, part, _ in due:
        del book.watches[part]
    if own.due_us <= (seen_us if own.late else recorded_us):
        due.append((own.due_us, SILENCE, own.silence()))
        own.due_us = NEVER_US
    else:
        left.append(own)
    book.next_us = book.next_late_us = NEVER_US
    for waits in left:
        _next(book, waits.due_us, late=waits.late)
    due.sort()  # no two of the same part, so watches are never compared
    return due
