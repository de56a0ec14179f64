"""The answers managers and auditors get, as they go out in JSON.

Quality 0-100, levels 0-1, null where nothing is known; moments ISO 8601 UTC.
"""

import msgspec

from projections.corrections import Corrected
from projections.scoring.notices import Notice
from projections.scoring.phase import Phase
from projections.scoring.standing import Reason, Standing
from projections.scoring.turn import Direction
from projections.scoring.value import Worth

Interval = tuple[float, float]


class Dimension(msgspec.Struct, frozen=True):
    """One dimension. ``evidence``: events of evidence behind it, faded."""

    level: float | None
    interval: Interval | None
    evidence: float


class Shown(msgspec.Struct, frozen=True):
    """One relationship.

    position: of its newest event. as_of and known_at: the moment and the knowledge it is told for.
    """

    relationship: str
    kind: str
    name: str | None
    segment: str | None
    channel: str | None
    owner: str | None
    quality: float | None
    interval: Interval | None
    trend: float | None
    standing: Standing
    reasons: tuple[Reason, ...]
    dimensions: dict[str, Dimension]
    value: Worth | None
    events: int
    first_at: str
    last_at: str
    position: int
    as_of: str
    known_at: str


class TurnEvent(msgspec.Struct, frozen=True):
    """One touchpoint of the week in which it turned."""

    position: int
    type: str
    occurred_at: str


class Turned(msgspec.Struct, frozen=True):
    """The day it turned.

    what: the dimension, ``purchases``, or ``everything together``. on: the day (UTC) it most likely began; seen_on: the day it could be
    seen. events: of the seven days from ``on``, at most twenty.
    """

    direction: Direction
    what: str
    on: str
    seen_on: str
    events: tuple[TurnEvent, ...]


class CoursePoint(msgspec.Struct, frozen=True):
    """Quality and its interval at the end of a week."""

    on: str
    quality: float
    interval: Interval


class Beside(msgspec.Struct, frozen=True):
    """Another relationship with the same legal party."""

    relationship: str
    kind: str
    quality: float | None
    standing: Standing
    value: Worth | None


class Net(msgspec.Struct, frozen=True):
    """All relationships with one legal party together.

    quality: the mean, weighted by the evidence of each. standing: the worst of them; an exit is repair while another stands well, for who
    ends one puts the other at risk. text: what that means.
    """

    counterparty: str
    quality: float | None
    standing: Standing
    text: str
    others: tuple[Beside, ...]


class Ahead(msgspec.Struct, frozen=True):
    """What a customer is likely to buy.

    probability: of at least one purchase within ``horizon_days``; purchases: how many days with one are expected in them.
    """

    horizon_days: float
    probability: float
    purchases: float


class Step(msgspec.Struct, frozen=True):
    """What should be done next in a relationship: the play, why, and the events (positions) that speak for it.

    basis: the alert's kind or the rule of the standing's reason. alert: its id, where it is one.
    """

    step: str
    basis: str
    why: str
    alert: str | None
    evidence: tuple[int, ...]


class Portrait(Shown, frozen=True):
    """One relationship in full: ``Shown``, and what is told of one alone.

    value: amounts in other currencies are in it, each at the rate of its day. percentile: of relationships of its kind valued in the same
    currency, the share (0-100) worth less, those worth as much counted half. ahead: None where nothing was bought. phase: of Dwyer, Schurr
    and Oh, for display. turned: None where no turn is seen. course: a point a week, oldest first, a year at most. net: None where no other
    relationship with the same party is known. notices: gaps in the data. next_steps: what should be done, the most pressing first.
    """

    percentile: float | None
    ahead: Ahead | None
    phase: Phase
    turned: Turned | None
    course: tuple[CoursePoint, ...]
    net: Net | None
    notices: tuple[Notice, ...]
    next_steps: tuple[Step, ...] = ()


class Explained(msgspec.Struct, frozen=True):
    """What an explanation explains."""

    relationship: str
    quality: float | None
    interval: Interval | None
    base: float
    as_of: str
    policy: str


class ExplainedEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event's part, in points of quality. ``corrected``: what became of it; one that was withdrawn counts for nothing."""

    position: int
    source: str
    id: str
    type: str
    occurred_at: str
    contribution: float
    effect: float
    dimensions: dict[str, float]
    corrected: Corrected | None = None


class Others(msgspec.Struct, frozen=True):
    """What is nobody's event: how much silence since the first purchase took away."""

    others: float


class Explanation(msgspec.Struct, frozen=True):
    """``head.base`` + contributions + ``others.others`` = ``head.quality``, within 0.01. Largest contribution first."""

    head: Explained
    events: tuple[ExplainedEvent, ...]
    others: Others


class HistoryLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One recorded event; ``event`` is the CloudEvent as it was stored.

    corrected: what became of a touchpoint. corrects: of a correction, the position of the touchpoint it is about.
    """

    position: int
    version: int
    recorded_at: str
    event: msgspec.Raw
    corrected: Corrected | None = None
    corrects: int | None = None
