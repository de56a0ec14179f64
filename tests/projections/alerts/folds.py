"""Alerts folded without any store, from touchpoints of one relationship; each recorded when it happens unless said otherwise."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from projections.alerts.alert import AlertKind, Book
from projections.alerts.view import Row, Told, alerts
from projections.projection import Projection
from projections.scoring.policy import Policy
from schemas.catalogue import Data
from schemas.touchpoint import Recorded, microseconds
from tests.projections.events import DAY, NOW, POLICY, happened

VIEW: Projection = alerts(POLICY)
PARTNER = "partner/ore"


def live(data: Data | None, days_ago: float, *, relationship: str = "customer/acme", actor: str | None = None) -> Recorded:
    """A touchpoint recorded when it happened."""
    event = happened(data, days_ago, relationship=relationship)
    return replace(event, recorded_us=event.occurred_us, actor=actor)


def folded(events: Iterable[Recorded], policy: Policy = POLICY) -> Book:
    """The book after the events, in the order given."""
    view = alerts(policy)
    book: Book | None = None
    for event in events:
        if view.row_key(event) is not None:
            book = view.fold(book, [event])
    assert book is not None
    return book


def row(events: Iterable[Recorded], days_ago: float = 0.0, policy: Policy = POLICY) -> Row:
    """What stands in the table so many days before NOW."""
    view = alerts(policy)
    return view.publish(folded(events, policy), NOW - int(days_ago * DAY))  # type: ignore[return-value]


def told(events: Iterable[Recorded], days_ago: float = 0.0, *, kind: AlertKind | None = None) -> Sequence[Told]:
    """The alerts, the newest first; of one kind, or all."""
    return [one for one in row(events, days_ago).alerts if kind in (None, one.kind)]


def day(days_ago: float) -> datetime:
    """A moment so many days before NOW."""
    return datetime.fromtimestamp((NOW - int(days_ago * DAY)) / 1e6, UTC)


def opened_us(one: Told) -> int:
    return microseconds(datetime.fromisoformat(one.opened_at))
