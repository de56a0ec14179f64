"""Complaints left open, promises broken or overdue, and words on what nobody reported."""

from projections.alerts.alert import Book, Severity, on
from projections.alerts.book import Cause, raise_, remember, settle, stands, watch
from projections.scoring.evidence import DAY_US
from projections.scoring.policy import Policy
from schemas.catalogue import By, Complaint, ComplaintResolved, Promise, PromiseSettled
from schemas.touchpoint import Recorded, microseconds

GRAVITY: dict[str, Severity] = {"minor": "low", "moderate": "medium", "major": "high", "critical": "high"}
WHOSE: dict[By, str] = {"us": "we", "them": "they"}


def complained(book: Book, event: Recorded, data: Complaint, policy: Policy) -> None:
    """A complaint must be settled within the days its severity allows; one alert for each side, however many are overdue."""
    key = f"complaint:{data.complaint_id}"
    settle(book, policy.alerts, f"unknown:{key}", event.occurred_us, "reported")
    if key in book.ended:
        return
    days = policy.alerts.complaint_days[data.severity]
    whose = "their" if data.by == "them" else "our"
    about = f" about {data.topic}" if data.topic else ""
    text = f"{whose} {data.severity} complaint {data.complaint_id}{about} has been open since {on(event.occurred_us)}"
    cause = Cause("complaint_overdue", f"complaints:{data.by}", GRAVITY[data.severity], text, key)
    watch(book, policy.alerts, event, cause, event.occurred_us + int(days * DAY_US))


def resolved(book: Book, event: Recorded, data: ComplaintResolved, policy: Policy) -> None:
    """It is settled, one way or another."""
    _over(book, event, f"complaint:{data.complaint_id}", data.outcome, policy)


def promised(book: Book, event: Recorded, data: Promise, policy: Policy) -> None:
    """A promise must be settled some days after it was due at the latest."""
    key = f"promise:{data.promise_id}"
    settle(book, policy.alerts, f"unknown:{key}", event.occurred_us, "reported")
    if key in book.ended:
        return
    rule = policy.alerts
    due_us = max(microseconds(data.due_at), event.occurred_us) + int(rule.promise_days * DAY_US)
    text = f"nobody said what became of what {WHOSE[data.by]} promised for {on(microseconds(data.due_at))} ({data.promise_id})"
    cause = Cause("promise_broken", f"broken:{data.by}", "medium" if data.by == "us" else "low", text, key)
    watch(book, rule, event, cause, due_us)
    book.promisers[data.promise_id] = data.by


def settled(book: Book, event: Recorded, data: PromiseSettled, policy: Policy) -> None:
    """Kept or waived it is over; broken it is an alert, one for each side however many promises break."""
    by = book.promisers.pop(data.promise_id, "them")
    _over(book, event, f"promise:{data.promise_id}", data.status, policy)
    if data.status == "broken":
        text = f"{WHOSE[by]} broke a promise ({data.promise_id})"
        raise_(book, policy.alerts, event, Cause("promise_broken", f"broken:{by}", "high" if by == "us" else "medium", text))


def _over(book: Book, event: Recorded, key: str, how: str, policy: Policy) -> None:
    known = key in book.ended or stands(book, key)
    settle(book, policy.alerts, key, event.occurred_us, how)
    remember(book.ended, key, event.occurred_us)
    if not known:
        text = f"{key.replace(':', ' ')} was settled, but nobody reported it"
        cause = Cause("data_quality", "unknown", "low", text, f"unknown:{key}")
        watch(book, policy.alerts, event, cause, event.recorded_us + int(policy.alerts.unknown_days * DAY_US))
