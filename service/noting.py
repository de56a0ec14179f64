"""What the views say at the close of a day and no single relationship's fold can: our reputation, and who is a candidate for exit.

It is recorded as events, once a day, so that the alerts it raises are the same after a replay, and so that it stands in the ledger who was
proposed for exit, when, on which grounds and under which policy. Repeated or run twice it records nothing new.
"""

from datetime import date

from ledger.ledger import Ledger
from projections.alerts.queries import Asked, listed
from projections.moments import Moments
from projections.queries import Reader
from projections.registry import projections
from projections.reputation.company import company
from projections.scoring.policy import Policy
from projections.views import Views
from schemas.catalogue import ExitProposed, ReputationNoted
from schemas.touchpoint import LEDGER_SOURCE, LEDGER_SUBJECT, Stored, moment
from service import own
from service.days import DAY_US, day_closed

BY = "rledger"


class Noter:
    """Notes each day that is over once, as soon as all views have its close."""

    def __init__(self, ledger: Ledger, views: Views) -> None:
        self._ledger, self._views = ledger, views
        self._noted = 0  # days since 1970 up to the newest that was noted

    def look(self, policy: Policy, now_us: int) -> int:
        """Note yesterday, if nobody has, once the views, kept under ``policy``, have its close. Returns: events recorded."""
        today = now_us // DAY_US
        if today == self._noted:
            return 0
        closed = self._ledger.find(LEDGER_SOURCE, day_closed(now_us).id)
        if closed is None or not self._have(closed, policy):
            return 0
        count = note(self._ledger, Reader(self._ledger, self._views, policy), moment((today - 1) * DAY_US).date(), now_us)
        self._noted = today
        return count

    def _have(self, closed: Stored, policy: Policy) -> bool:
        """Whether all rows are as of the close of the day, whichever worker keeps them."""
        progress = self._views.progress()
        return all(
            (at := progress.get(one.name)) is not None
            and at.position >= closed.position
            and (at.swept_us >= closed.recorded_us or one.due is None)
            for one in projections(policy)
        )


def note(ledger: Ledger, reader: Reader, day: date, at_us: int) -> int:
    """Record what the views say at the close of ``day``. Returns: events recorded.

    ``reader``: from views that have that close. ``at_us``: now, microseconds UTC.
    """
    return _reputation(ledger, reader, day, at_us) + _exits(ledger, reader, day, at_us)


def _reputation(ledger: Ledger, reader: Reader, day: date, at_us: int) -> int:
    id_ = f"reputation-noted/{day}"
    if ledger.find(LEDGER_SOURCE, id_) is not None:
        return 0
    found = company(reader, Moments(at_us))
    if found.parties == 0:
        return 0
    level, (low, high) = found.level, found.interval
    own.record(ledger, LEDGER_SUBJECT, ReputationNoted(day, level, low, high, found.policy), by=BY, at_us=at_us, id_=id_)
    return 1


def _exits(ledger: Ledger, reader: Reader, day: date, at_us: int) -> int:
    """Propose who newly stands at exit, withdraw who no longer does."""
    moments = Moments(at_us)
    standing = {one.relationship: one for one in reader.list(moments, standing="exit", limit=0)}
    proposed = {one.relationship for one in listed(reader, Asked("exit_candidate", states=()), moments) if one.closed_at is None}
    count = 0
    for relationship in sorted(standing.keys() ^ proposed):
        shown, id_ = standing.get(relationship), f"exit-proposed/{relationship}/{day}"
        if ledger.find(LEDGER_SOURCE, id_) is None:
            reasons = None if shown is None else tuple(reason.text for reason in shown.reasons)
            data = ExitProposed(shown is not None, None if shown is None else shown.quality, reasons, reader.policy.version)
            own.record(ledger, relationship, data, by=BY, at_us=at_us, id_=id_)
            count += 1
    return count
