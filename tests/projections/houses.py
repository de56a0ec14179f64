"""A ledger whose clock a test turns, its views, and answers from them; and answers from events alone, without any store."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ledger.ledger import Ledger
from projections.moments import Moments
from projections.projection import Projection
from projections.queries import Reader
from projections.registry import projections
from projections.runner import Runner
from projections.scoring.policy import Policy
from projections.views import Views
from schemas.touchpoint import Recorded, Touchpoint
from tests.projections.events import NOW, POLICY


class House:
    """Everything there is, in a folder or in a PostgreSQL database."""

    def __init__(self, place: Path | str) -> None:
        self.now_us = NOW
        store = f"sqlite:///{place}/ledger.db" if isinstance(place, Path) else place
        self.ledger = Ledger.open(store, clock=lambda: self.now_us)
        self.views = Views.open(place / "views.db" if isinstance(place, Path) else place)
        self.runner = Runner(self.ledger, self.views, projections(POLICY), clock=lambda: self.now_us)
        self.reader = Reader(self.ledger, self.views, POLICY)

    def append(self, touchpoints: Sequence[Touchpoint]) -> None:
        self.ledger.append(touchpoints)
        self.runner.catch_up()

    def close(self) -> None:
        self.runner.close()
        self.views.close()
        self.ledger.close()


def rows(projection: Projection, events: Iterable[Recorded], moment_us: int = NOW) -> dict[str, Any]:
    """The rows of a projection after the events, by key."""
    return {key: projection.publish(state, moment_us) for key, state in states(projection, events).items()}


def states(projection: Projection, events: Iterable[Recorded]) -> dict[str, Any]:
    """What the rows of a projection rest on after the events, by key."""
    states: dict[str, Any] = {}
    for event in events:
        key = projection.row_key(event)
        if key is not None and (timely := projection.in_time(states.get(key), event)):
            states[key] = projection.fold(states.get(key), timely)
    return {key: state for key, state in states.items() if state is not None}


def row(projection: Projection, events: Iterable[Recorded], moment_us: int = NOW) -> Any:
    """The one row of a projection after the events."""
    (found,) = rows(projection, events, moment_us).values()
    return found


class Storeless(Reader):
    """Answers from the rows that events give."""

    def __init__(self, events: Iterable[Recorded], policy: Policy = POLICY) -> None:
        self.policy, self._told = policy, list(events)

    def policy_at(self, moments: Moments) -> Policy:  # noqa: ARG002  # the reader's signature
        return self.policy

    def columns(self, projection: Projection, names: Sequence[str], moments: Moments) -> Iterator[tuple[Any, ...]]:
        for row in rows(projection, self._told, moments.at_us).values():
            yield (*(getattr(row, name) for name in names), moments.at_us)
