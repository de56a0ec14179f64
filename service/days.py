"""Time is an event: once a UTC day is over, ``ledger.day-closed.v1`` is appended, so that a replay sees the same days.

Any number of workers may close a day: it has one identity and one content, so the ledger keeps it once.
"""

from datetime import timedelta

from ledger.ledger import Ledger
from schemas.catalogue import DayClosed
from schemas.cloudevents import touchpoint
from schemas.touchpoint import LEDGER_SOURCE, LEDGER_SUBJECT, Touchpoint, moment

DAY_US = 86_400_000_000


def day_closed(now_us: int) -> Touchpoint:
    """The close of the day before ``now_us``; it happened at the midnight that ended it."""
    midnight_us = now_us // DAY_US * DAY_US
    day = moment(midnight_us).date() - timedelta(days=1)
    return touchpoint(LEDGER_SOURCE, f"day-closed/{day}", "ledger.day-closed.v1", LEDGER_SUBJECT, midnight_us, DayClosed(day))


class DayCloser:
    """Closes each day once it is over; yesterday at the start, if nobody has."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._closed = 0  # days since 1970 up to the newest close

    def close(self, now_us: int) -> None:
        """Append what is missing. An empty ledger has no days: the first closes after its first touchpoint."""
        today = now_us // DAY_US
        if today > self._closed and self._ledger.head().position > 0:
            self._ledger.append([day_closed(now_us)])
            self._closed = today
