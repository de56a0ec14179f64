"""The shapes of alerts: what is watched, what was raised, what is remembered of a relationship. Moments are microseconds UTC."""

from functools import lru_cache
from typing import Literal, get_args

import msgspec

from schemas.catalogue import By, Issue
from schemas.identity import digest
from schemas.touchpoint import iso

AlertKind = Literal[
    "quality_turned",
    "silence",
    "complaint_overdue",
    "late_again",
    "pays_late_again",
    "slow_again",
    "wrong_again",
    "we_fail_again",
    "rate_above_benchmark",
    "contract_ending",
    "unequal_deal",
    "promise_broken",
    "exit_candidate",
    "reputation_dropped",
    "sole_source_at_risk",
    "data_quality",
]
KINDS: tuple[AlertKind, ...] = get_args(AlertKind)
Severity = Literal["low", "medium", "high"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
AlertState = Literal["open", "acknowledged", "snoozed", "resolved", "closed", "lapsed"]
STATES: tuple[AlertState, ...] = get_args(AlertState)
DAY_US = 86_400_000_000
NEVER_US = 2**62  # after every moment there is
SILENCE = "silence"  # the cause of which a rhythm tells
ID_DIGITS = 10  # hexadecimal: a million alerts share one with a chance of a half


class Watch(msgspec.Struct, array_like=True, gc=False):
    """Something that becomes part of the alert of ``cause`` at ``due_us``, the end of a UTC day, unless it is settled before.

    late: the ledger heard of it when that was past, so it is history. position: of the event it rests on. since_us: as of an ``Alert``.
    """

    kind: AlertKind
    cause: str
    due_us: int
    late: bool
    severity: Severity
    text: str
    position: int
    since_us: int | None = None


class Part(msgspec.Struct, array_like=True, gc=False):
    """One thing that keeps an alert open: a complaint among several, or all there is of it."""

    severity: Severity
    text: str


class Alert(msgspec.Struct, array_like=True, gc=False):
    """One cause, raised once, for as long as it lasts.

    evidence: positions of the events that speak for it, the newest last. opened_us: when its cause came true. last_us: when it was last
    confirmed. historical: that lay in the past when the ledger heard of it. lasts: it does not lapse, its cause is a state that only an
    event ends. parts: what stands of it, the oldest first; it closes with the last. severity: the worst it ever was. text: what
    ``text_of`` told when it ended. since_us: when what turned most likely began to, None of what is no turn. closed_us, closed: when it
    ended and how. The rest is what people did.
    """

    id: str
    kind: AlertKind
    cause: str
    severity: Severity
    evidence: list[int]
    opened_us: int
    last_us: int
    historical: bool
    lasts: bool
    parts: dict[str, Part]
    text: str = ""
    since_us: int | None = None
    closed_us: int | None = None
    closed: str | None = None
    acknowledged_by: str | None = None
    assignee: str | None = None
    snoozed_until_us: int | None = None
    resolved_by: str | None = None
    resolved_us: int | None = None
    note: str | None = None
    delivered: list[str] = []


class Stream(msgspec.Struct, array_like=True, gc=False):
    """A cumulative sum (Page 1954). ``since_us``: when it last left 0, ``evidence``: what raised it since."""

    height: float = 0.0
    since_us: int = 0
    evidence: list[int] = []


class Usual(msgspec.Struct, array_like=True, gc=False):
    """What a customer did over a time, in sums.

    gaps, days: gaps between purchases and the days they took. amounts, mean, squares: how many, the mean of their logarithms, the sum of
    squared distances from it. moods, mood: how many, and their sum (each 0-1).
    """

    gaps: float = 0.0
    days: float = 0.0
    amounts: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    moods: float = 0.0
    mood: float = 0.0


class Rhythm(msgspec.Struct, array_like=True, gc=False):
    """The own rhythm of a customer. last_day: with a purchase, since 1970 UTC. height: of the sum, which last left 0 at ``since_us``.

    ``since``: what came since then. due_us, late, position: of the silence that is watched for, as of a ``Watch``; NEVER_US where none is.
    """

    last_day: int | None = None
    height: float = 0.0
    since_us: int = 0
    currency: str = ""
    usual: Usual = msgspec.field(default_factory=Usual)
    since: Usual = msgspec.field(default_factory=Usual)
    due_us: int = NEVER_US
    late: bool = False
    position: int = 0

    def how_often(self) -> str:
        """How often they used to buy, in words."""
        days = round(self.usual.days / self.usual.gaps)
        return f"every {days} days" if days > 1 else "every day"

    def silence(self) -> Watch:
        """The silence that is watched for, in words only once it is due: nearly every one is over before."""
        bought_us = (self.last_day or 0) * DAY_US
        why = ", after rarer or smaller ones or in a worse mood" if self.height > 0.0 else ""
        text = f"no purchase since {on(bought_us)}{why}; they used to buy {self.how_often()}"
        since_us = self.since_us if self.height > 0.0 else bought_us
        return Watch("silence", SILENCE, self.due_us, self.late, "medium", text, self.position, since_us)


class Book(msgspec.Struct, array_like=True, gc=False):
    """All that is remembered of one relationship.

    watches: by part. alerts: by cause, those whose cause still stands, resolved by somebody or not. past: the newest ended ones.
    next_us, next_late_us: no watch is due before, of those known in time and of the others. lapse_us: no alert lapses before.
    seen_us: the newest event.
    ended: complaints, promises and contracts that are over, the newest, for what arrives in another order. streams: sums of failures.
    good, bad: usual evidence for and against. notices: by contract, days of notice and whether it goes on by itself. promisers: who gave
    each promise that is open. sole: categories nobody else is qualified for. reputation: the company's newest levels (``handling.py``).
    """

    relationship: str
    watches: dict[str, Watch] = {}
    alerts: dict[str, Alert] = {}
    past: list[Alert] = []
    next_us: int = NEVER_US
    next_late_us: int = NEVER_US
    lapse_us: int = NEVER_US
    seen_us: int = 0
    ended: dict[str, int] = {}
    streams: dict[str, Stream] = {}
    good: float = 0.0
    bad: float = 0.0
    rhythm: Rhythm = msgspec.field(default_factory=Rhythm)
    negotiations: dict[str, tuple[Issue, ...]] = {}
    notices: dict[str, tuple[float, bool]] = {}
    promisers: dict[str, By] = {}
    sole: list[str] = []
    reputation: list[float] = []


def on(at_us: int) -> str:
    """The UTC day of a moment, as texts tell it."""
    return _day(at_us // DAY_US)


@lru_cache(maxsize=1024)
def _day(day: int) -> str:
    """Remembered: texts name few days, many times."""
    return iso(day * DAY_US)[:10]


def alert_id(relationship: str, cause: str, opened_us: int, before: int) -> str:
    """The same for the same cause opened on the same day, whoever replays it. ``before``: how many of it that day have ended already."""
    again = f"#{before}" if before else ""
    return digest(relationship, f"{cause}@{opened_us // DAY_US}{again}").hex()[:ID_DIGITS]
