"""One relationship in full: phase, the day it turned, its course, and the other relationships with the same party."""

from collections.abc import Sequence

import msgspec

from projections.answers import Beside, CoursePoint, Net, Portrait, Shown, Turned, TurnEvent
from projections.scoring.course import Course, named, of_that_week
from projections.scoring.evidence import DAY_US
from projections.scoring.models import Model
from projections.scoring.phase import phase
from projections.scoring.standing import ORDER, Standing
from projections.scoring.state import State
from schemas.touchpoint import Recorded, iso

WEEK_EVENTS = 20  # of the week it turned, told one by one


def portrait(shown: Shown, state: State, model: Model, course: Course, events: Sequence[Recorded], *, net: Net | None) -> Portrait:
    """What is told of one relationship alone, beside ``shown``. ``events``: those of it that count."""
    told = phase(
        shown.standing,
        shown.reasons,
        exchanges=sum(spending.count for spending in state.money.values()),
        age_days=(course.moment_us - state.first_us) / DAY_US,
        closed=state.closed is not None,
        policy=model.policy.phase,
    )
    points = tuple(
        CoursePoint(iso(point.moment_us)[:10], round(point.quality, 1), (round(point.low, 1), round(point.high, 1)))
        for point in course.points
    )
    return Portrait(**msgspec.structs.asdict(shown), phase=told, turned=_turned(course, events, model), course=points, net=net)


def net(shown: Shown, counterparty: str, others: Sequence[Shown]) -> Net | None:
    """All relationships with a party together; None where ``shown`` is the only one."""
    if not others:
        return None
    every = (shown, *others)
    known = [(one.quality, sum(dimension.evidence for dimension in one.dimensions.values())) for one in every if one.quality is not None]
    weight = sum(evidence for _, evidence in known)
    standing, text = _together([one.standing for one in every])
    beside = tuple(Beside(one.relationship, one.kind, one.quality, one.standing, one.value) for one in others)
    mean = sum(quality * evidence for quality, evidence in known) / weight if weight else None
    return Net(counterparty, None if mean is None else round(mean, 2), standing, text, beside)


def _together(standings: Sequence[Standing]) -> tuple[Standing, str]:
    known = sorted((standing for standing in standings if standing != "unproven"), key=lambda standing: ORDER[standing])
    if not known:
        return "unproven", "too little is known of any of them"
    worst, best = known[0], known[-1]
    if worst == "exit" and best in ("grow", "keep"):
        return "repair", f"one is an exit candidate, another stands at {best}: ending one puts the other at risk"
    if worst != best:
        return worst, f"from {worst} to {best}: talk to them about both at once"
    return worst, f"all stand at {worst}"


def _turned(course: Course, events: Sequence[Recorded], model: Model) -> Turned | None:
    turn = course.turn
    if turn is None:
        return None
    week = of_that_week(events, turn)[:WEEK_EVENTS]
    return Turned(
        turn.direction,
        named(turn, model),
        iso(turn.since_us)[:10],
        iso(turn.seen_us)[:10],
        tuple(TurnEvent(event.position, event.type, iso(event.occurred_us)) for event in week),
    )
