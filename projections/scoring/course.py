"""How quality went: a point a week, and the day it turned, from the events of a relationship.

Pure: each point is the score at the end of that week from what had happened by then, as ``show --as-of`` tells it, whatever the order in
which the events were recorded.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from projections.scoring.evidence import DAY_US
from projections.scoring.figures import figures
from projections.scoring.models import Model
from projections.scoring.state import empty, fold
from projections.scoring.trials import watch
from projections.scoring.turn import ALL, GAPS, Turn, Turning, silence
from schemas.catalogue import Purchase
from schemas.touchpoint import Recorded

WEEK_US = 7 * DAY_US
WEEKS = 52


class Point(msgspec.Struct, frozen=True):
    """Quality and its interval, 0-100, at a moment."""

    moment_us: int
    quality: float
    low: float
    high: float


class Alerted(NamedTuple):
    """The turn that an alert tells. until_us: when the alert ended, None while it stands."""

    turn: Turn
    until_us: int | None


class Course(msgspec.Struct, frozen=True):
    """Up to ``moment_us``. ``points``: oldest first, none before anything was known, the last at that moment. ``turn``: the newest."""

    moment_us: int
    points: tuple[Point, ...]
    turn: Turn | None


def course(events: Sequence[Recorded], model: Model, moment_us: int, weeks: int = WEEKS) -> Course:
    """The last ``weeks`` weeks up to ``moment_us``. ``events``: all of the relationship that count, none after the moment."""
    if not events:
        return Course(moment_us, (), None)
    state, turning = empty(events[0].relationship, model), Turning()
    bought_us: int | None = None
    due = [moment_us - WEEK_US * back for back in range(weeks)]  # newest first
    points: list[Point] = []

    def tell(until_us: int) -> None:
        """Add the points that are due before the next event."""
        while due and due[-1] < until_us:
            at_us = due.pop()
            found = figures(state, model, at_us)
            if found.evidence > 0.0:
                points.append(Point(at_us, found.quality, found.low, found.high))

    for event in sorted(events, key=lambda one: (one.occurred_us, one.position)):
        tell(event.occurred_us)
        fold(state, event, model, event.occurred_us)
        case_type = model.cases.get(type(event.data))
        case = None if case_type is None else state.cases.get(case_type.key(event.data))  # type: ignore[arg-type]  # the table pairs them
        watch(turning, event, model, case, bought_us)
        if isinstance(event.data, Purchase):
            bought_us = event.occurred_us
    tell(moment_us + 1)
    turn = turning.turn
    if bought_us is not None and model.kind == "customer" and moment_us > bought_us:
        turn = silence(turning, (moment_us - bought_us) / DAY_US, moment_us, model.policy.turn) or turn
    return Course(moment_us, tuple(points), turn)


def one_turn(found: Turn | None, alerted: Alerted | None) -> Turn | None:
    """Of the turn found here and the one that an alert tells the newer; the alert's where both tell of the same, for it was read first.

    They are the same where both are for the worse and this one began before the alert ended.
    """
    if alerted is None or found is None:
        return found if alerted is None else alerted.turn
    if found.direction == "better":
        newer = found.seen_us > alerted.turn.seen_us
    else:
        newer = alerted.until_us is not None and found.since_us > alerted.until_us
    return found if newer else alerted.turn


def of_that_week(events: Sequence[Recorded], turn: Turn) -> list[Recorded]:
    """The events of the seven days that begin with the day of the turn, oldest first."""
    start_us = turn.since_us // DAY_US * DAY_US
    found = [event for event in events if start_us <= event.occurred_us < start_us + WEEK_US]
    return sorted(found, key=lambda one: (one.occurred_us, one.position))


def named(turn: Turn, model: Model) -> str:
    """What turned, in words."""
    return "everything together" if turn.stream == ALL else "purchases" if turn.stream == GAPS else model.names[turn.stream]
