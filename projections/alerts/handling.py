"""What people do with alerts, what was delivered to whom, and what the service noted at the close of a day."""

from projections.alerts.alert import Alert, Book
from projections.alerts.book import Cause, raise_, settle
from projections.scoring.policy import Policy
from schemas.catalogue import (
    AlertAcknowledged,
    AlertAssigned,
    AlertDelivered,
    AlertResolved,
    AlertSnoozed,
    ExitProposed,
    ReputationNoted,
)
from schemas.touchpoint import Recorded, microseconds

REPUTATION = "reputation"
EXIT = "exit"


def acknowledged(book: Book, event: Recorded, data: AlertAcknowledged, _: Policy) -> None:
    """Somebody has seen it."""
    if (alert := _find(book, data.alert_id)) is not None:
        alert.acknowledged_by, alert.note = _who(event), data.note or alert.note


def assigned(book: Book, event: Recorded, data: AlertAssigned, _: Policy) -> None:
    """Somebody should see to it."""
    if (alert := _find(book, data.alert_id)) is not None:
        alert.acknowledged_by = alert.acknowledged_by or _who(event)
        alert.assignee, alert.note = data.assignee, data.note or alert.note


def snoozed(book: Book, event: Recorded, data: AlertSnoozed, _: Policy) -> None:
    """Put aside for a while."""
    if (alert := _find(book, data.alert_id)) is not None:
        alert.acknowledged_by = alert.acknowledged_by or _who(event)
        alert.snoozed_until_us, alert.note = microseconds(data.until), data.note or alert.note


def resolved(book: Book, event: Recorded, data: AlertResolved, _: Policy) -> None:
    """Dealt with. It stays so for as long as the cause lasts: the same cause is raised again only after it was over."""
    if (alert := _find(book, data.alert_id)) is not None:
        alert.resolved_by, alert.resolved_us, alert.note = _who(event), event.occurred_us, data.note or alert.note


def delivered(book: Book, _: Recorded, data: AlertDelivered, __: Policy) -> None:
    """It was told to the world, once."""
    if (alert := _find(book, data.alert_id)) is not None and data.to not in alert.delivered:
        alert.delivered = [*alert.delivered, data.to]


def exit_proposed(book: Book, event: Recorded, data: ExitProposed, policy: Policy) -> None:
    """The views hold a relationship for harmful, or no longer."""
    if data.proposed:
        text = "; ".join(data.reasons or ()) or "the whole interval is poor"
        raise_(book, policy.alerts, event, Cause("exit_candidate", EXIT, "high", text))
    else:
        settle(book, policy.alerts, EXIT, event.occurred_us, "no longer")


def reputation_noted(book: Book, event: Recorded, data: ReputationNoted, policy: Policy) -> None:
    """Our level at the close of a day, against the best of the last days that were noted. It closes half the way back."""
    rule = policy.alerts
    best = max([*book.reputation, data.level])
    lost = best - data.level
    book.reputation = [*book.reputation, data.level][-rule.reputation_days :]
    if lost >= rule.reputation_drop:
        text = f"our reputation fell from {best:.1f} to {data.level:.1f} within {rule.reputation_days} days"
        raise_(book, rule, event, Cause("reputation_dropped", REPUTATION, "high", text))
    elif lost < rule.reputation_drop / 2.0:
        settle(book, rule, REPUTATION, event.occurred_us, "back again")


def unknown(book: Book, event: Recorded, _: None, policy: Policy) -> None:
    """A type this version does not know: kept, but nothing is made of it."""
    text = f"touchpoints of type {event.type} are kept, but this version makes nothing of them"
    raise_(book, policy.alerts, event, Cause("data_quality", "type", "low", text, f"type:{event.type[:120]}"))


def _find(book: Book, name: str) -> Alert | None:
    return next((alert for alert in (*book.alerts.values(), *reversed(book.past)) if alert.id == name), None)


def _who(event: Recorded) -> str:
    return event.actor or "unknown"
