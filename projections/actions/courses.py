"""Courses of quality from the log: before and after each action, and those of relationships without one at the beginning of each month.

Told from each relationship's touchpoints in the order they happened, under the policy of the moment asked about: how things stood, not what
was known at each.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from projections.actions.effects import Course, Effect, Moment, effects
from projections.moments import Moments
from projections.months import month_of, month_start
from projections.queries import Reader
from projections.relationships import assess, relationships
from projections.scoring.models import Model, models
from projections.scoring.policy import Policy
from projections.scoring.state import State, empty, fold
from schemas.catalogue import Action
from schemas.identity import digest
from schemas.touchpoint import Recorded

Taken = Callable[[Recorded], str | None]
"""What was done with a touchpoint, by name; None where it is none of what is asked about."""


def play(event: Recorded) -> str | None:
    """The play of an action."""
    return event.data.play if isinstance(event.data, Action) else None


def worked(reader: Reader, moments: Moments) -> list[Effect]:
    """What each play did, as far as cases and similar relationships tell. ``moments``: actions must be ``after_days`` older."""
    whole = reader.policy_at(moments)
    policy, by_kind = whole.actions, models(whole)
    cases: list[Course] = []
    others: list[Course] = []
    for relationship in _chosen(reader, whole, moments):
        events = sorted(reader.events(relationship, moments), key=lambda event: event.occurred_us)
        model = by_kind[relationship.partition("/")[0]]
        cases += acted(events, model, moments.at_us)
        others += unacted(events, model, moments.at_us)
    return effects(cases, others, policy, whole.model.interval_mass)


def acted(events: Sequence[Recorded], model: Model, now_us: int, taken: Taken = play) -> list[Course]:
    """The courses after the actions; of several within ``after_days`` the first, which the others are part of. ``events``: oldest first."""
    rule, found = model.policy.actions, list[tuple[int, str]]()
    for event in events:
        name = taken(event)
        if name is not None and (not found or event.occurred_us - found[-1][0] >= rule.after_us):
            found.append((event.occurred_us, name))
    begun = [(at_us, name) for at_us, name in found if at_us + rule.after_us <= now_us]
    return list(_courses(events, model, begun))


def unacted(events: Sequence[Recorded], model: Model, now_us: int, taken: Taken = play) -> list[Course]:
    """The courses from the beginning of each month that no action is near: none as long before, and none until the end."""
    rule = model.policy.actions
    actions = [event.occurred_us for event in events if taken(event) is not None]
    begun = []
    for month in range(month_of(events[0].occurred_us) + 1, month_of(now_us - rule.after_us) + 1):
        at_us = month_start(month)
        if at_us + rule.after_us <= now_us and not any(abs(at_us - one) <= rule.after_us for one in actions):
            begun.append((at_us, None))
    return list(_courses(events, model, begun))


def _chosen(reader: Reader, policy: Policy, moments: Moments) -> Iterator[str]:
    """All with an action, and of the others at most ``others_max``: those with the smallest hashes, the same ones each time."""
    others = []
    for state in reader.states(relationships(policy), moments):
        if state.actions:
            yield state.relationship
        else:
            others.append(state.relationship)
    others.sort(key=lambda relationship: digest(relationship, ""))
    yield from others[: policy.actions.others_max]


def _courses(events: Sequence[Recorded], model: Model, begun: Sequence[tuple[int, str | None]]) -> Iterator[Course]:
    """Courses that begin at those moments; what happens at the very moment is part of what follows."""
    after_us = model.policy.actions.after_us
    stood = _stood(events, model, {at_us - 1 for at_us, _ in begun} | {at_us + after_us for at_us, _ in begun})
    for at_us, play in begun:
        before, after = stood.get(at_us - 1), stood.get(at_us + after_us)
        if before is not None and after is not None:
            yield Course(events[0].relationship, play, before, after.quality)


def _stood(events: Sequence[Recorded], model: Model, moments: Iterable[int]) -> dict[int, Moment]:
    """How the relationship stood at the moments, where anything was known."""
    found, state, done = dict[int, Moment](), empty(events[0].relationship, model), 0
    for at_us in sorted(moments):
        while done < len(events) and events[done].occurred_us <= at_us:
            state = fold(state, events[done], model, at_us)
            done += 1
        if done and (moment := _moment(state, model, at_us)) is not None:
            found[at_us] = moment
    return found


def _moment(state: State, model: Model, at_us: int) -> Moment | None:
    told = assess(state, model, at_us)
    if told.figures is None:
        return None
    return Moment(at_us, told.standing, told.figures.quality, told.trend or 0.0)
