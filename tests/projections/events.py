"""Recorded events for the tests of folds and scores, without a ledger."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import count

from projections.scoring.figures import Figures, figures
from projections.scoring.models import Model, models
from projections.scoring.policy import Policy
from projections.scoring.policy_file import shipped
from projections.scoring.state import State, empty, fold
from schemas.catalogue import CATALOGUE, Data
from schemas.records import recorded
from schemas.touchpoint import Recorded, Stored, microseconds
from service.sample.generator import generate

POLICY: Policy = shipped()
MODELS: dict[str, Model] = models(POLICY)
TYPES = {entry.struct: entry.type for entry in CATALOGUE.values()}
NOW = microseconds(datetime(2026, 6, 1, 12, tzinfo=UTC))
DAY = 86_400_000_000
SEED = 7  # of the sample
_numbers = count(1)


def happened(data: Data | None, days_ago: float = 0.0, *, relationship: str = "customer/acme", recorded_us: int = NOW) -> Recorded:
    """An event that happened so many days before NOW; each has its own id and position."""
    number = next(_numbers)
    type_ = "relationship.unheard-of.v1" if data is None else TYPES[type(data)]
    return Recorded(number, relationship, number, type_, recorded_us, NOW - int(days_ago * DAY), "test", f"e{number}", None, data)


def folded(events: Iterable[Recorded]) -> State:
    """The state after the events, in the order given."""
    state: State | None = None
    for event in events:
        model = MODELS[event.relationship.partition("/")[0]]
        state = fold(empty(event.relationship, model) if state is None else state, event, model, event.recorded_us)
    assert state is not None
    return state


def figured(events: Sequence[Recorded], moment_us: int = NOW) -> Figures:
    """The figures of the events' relationship."""
    state = folded(events)
    return figures(state, MODELS[state.kind], moment_us)


def level(events: Sequence[Recorded], dimension: str, moment_us: int = NOW) -> float:
    """One dimension's level."""
    names = MODELS[events[0].relationship.partition("/")[0]].names
    return figured(events, moment_us).levels[names.index(dimension)].level


@cache
def sample() -> dict[str, tuple[Recorded, ...]]:
    """The sample's touchpoints by relationship, all recorded at NOW."""
    found: dict[str, list[Recorded]] = {}
    for position, touchpoint in enumerate(generate(SEED, NOW), start=1):
        stored = Stored(position, touchpoint.subject, position, touchpoint.type, NOW, touchpoint.event)
        found.setdefault(touchpoint.subject, []).append(recorded(stored))
    return {relationship: tuple(events) for relationship, events in found.items()}
