"""The answers managers and auditors get, as they go out in JSON.

Quality 0-100, levels 0-1, null where nothing is known; moments ISO 8601 UTC.
"""

import msgspec

from projections.relationships import Worth
from projections.scoring.standing import Reason

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
    standing: str
    reasons: tuple[Reason, ...]
    dimensions: dict[str, Dimension]
    value: Worth | None
    events: int
    first_at: str
    last_at: str
    position: int
    as_of: str
    known_at: str


class Explained(msgspec.Struct, frozen=True):
    """What an explanation explains."""

    relationship: str
    quality: float | None
    interval: Interval | None
    base: float
    as_of: str
    policy: str


class ExplainedEvent(msgspec.Struct, frozen=True):
    """One event's part, in points of quality."""

    position: int
    source: str
    id: str
    type: str
    occurred_at: str
    contribution: float
    effect: float
    dimensions: dict[str, float]


class Others(msgspec.Struct, frozen=True):
    """What is nobody's event: how much silence since the first purchase took away."""

    others: float


class Explanation(msgspec.Struct, frozen=True):
    """``head.base`` + contributions + ``others.others`` = ``head.quality``, within 0.01. Largest contribution first."""

    head: Explained
    events: tuple[ExplainedEvent, ...]
    others: Others


class HistoryLine(msgspec.Struct, frozen=True):
    """One recorded event; ``event`` is the CloudEvent as it was stored."""

    position: int
    version: int
    recorded_at: str
    event: msgspec.Raw
