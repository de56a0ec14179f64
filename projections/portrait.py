"""One relationship in full: phase, the day it turned, its course, and the other relationships with the same party."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from projections.answers import Ahead, Beside, CoursePoint, Net, Portrait, Shown, Turned, TurnEvent
from projections.scoring.commitment import expected_purchases
from projections.scoring.course import Course, named, of_that_week
from projections.scoring.evidence import DAY_US
from projections.scoring.exchange import Rates
from projections.scoring.figures import totals
from projections.scoring.models import Model
from projections.scoring.notices import never_opened, without_rate
from projections.scoring.phase import phase
from projections.scoring.standing import ORDER, Standing
from projections.scoring.state import State
from projections.scoring.value import brought_together
from schemas.touchpoint import Recorded, iso

WEEK_EVENTS = 20  # of the week it turned, told one by one
PEERS_MIN = 5  # fewer make no percentile


class Known(NamedTuple):
    """What was known at the moment asked about."""

    events: Sequence[Recorded]
    rates: Rates


def portrait(
    shown: Shown, state: State, model: Model, course: Course, known: Known, *, net: Net | None, peers: Sequence[float]
) -> Portrait:
    """What is told of one relationship alone, beside ``shown``.

    Args:
        shown: what ``list`` tells too.
        state: of the relationship.
        model: its kind's.
        course: its course.
        known: its events, and the exchange rates of then.
        net: all relationships with the party together.
        peers: values of relationships of its kind in its currency, its own included.
    """
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
    notices, value = never_opened(known.events), shown.value
    if value is not None:
        value = brought_together(value, known.events, known.rates, model, course.moment_us)
        notices += without_rate(value.others, value.currency)
    return Portrait(
        **msgspec.structs.asdict(msgspec.structs.replace(shown, value=value)),
        percentile=None if value is None else _percentile(float(value.amount), peers),
        ahead=_ahead(state, model, course.moment_us),
        phase=told,
        turned=_turned(course, known.events, model),
        course=points,
        net=net,
        notices=tuple(notices),
    )


def _percentile(value: float, peers: Sequence[float]) -> float | None:
    if len(peers) < PEERS_MIN:
        return None
    return round(100.0 * sum(1.0 if one < value else 0.5 if one == value else 0.0 for one in peers) / len(peers), 1)


def _ahead(state: State, model: Model, moment_us: int) -> Ahead | None:
    bought = totals(state, model, moment_us).purchases
    if bought is None or state.first_bought is None or state.last_bought is None:
        return None
    today, rule = moment_us / DAY_US, model.policy.purchases
    expected = expected_purchases(bought.count, today - state.first_bought, today - state.last_bought, rule)
    return Ahead(rule.horizon_days, round(bought.outlook.probability, 4), round(expected, 2))


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
