"""What a touchpoint says the moment it happens, as trials for the CUSUM (``turn.py``): the share that went badly, by dimension.

It is the evidence of the score itself, without what time does to it later: a complaint counts when it is raised, a recovery when it comes.
"""

from collections.abc import Iterator

from projections.scoring.cases import Case
from projections.scoring.evidence import DAY_US
from projections.scoring.marks import mark
from projections.scoring.models import Model
from projections.scoring.turn import Trial, Turn, Turning, gap, trial
from schemas.catalogue import Purchase
from schemas.touchpoint import Recorded


def trials(event: Recorded, model: Model, case: Case | None) -> Iterator[Trial]:
    """The trials of one touchpoint. ``case``: the one it belongs to, the touchpoint told already; None where it belongs to none."""
    if case is not None:
        tie = mark(event).tie
        for item in case.items(event.occurred_us, model.kind, model.policy):
            if item.by == tie:
                # what is taken back of a loss speaks for them
                yield from _trial(model, model.numbers[item.dimension], item.plus + max(0.0, -item.minus), max(0.0, item.minus))
        return
    for number, _, source in model.simple.get(type(event.data), ()):
        evidence = source(event.data, model.policy)
        if evidence is not None:
            yield from _trial(model, number, evidence.plus, evidence.minus)


def watch(turning: Turning, event: Recorded, model: Model, case: Case | None, bought_us: int | None) -> Turn | None:
    """Take a touchpoint; returns the turn if it shows one.

    Args:
        turning: what is remembered; changed.
        event: of the relationship, in the order of the log or of time.
        model: the kind's.
        case: the case it belongs to, the touchpoint told already.
        bought_us: when the customer bought the last time before it, None where never.
    """
    policy, found = model.policy, None
    if isinstance(event.data, Purchase) and model.kind == "customer":
        days = 0 if bought_us is None else event.occurred_us // DAY_US - bought_us // DAY_US
        return gap(turning, days, event.occurred_us, policy.turn) if days > 0 else None
    for told in trials(event, model, case):
        found = trial(turning, told, model.dimensions[told.number].prior_mean, event.occurred_us, policy.turn) or found
    return found


def _trial(model: Model, number: int, plus: float, minus: float) -> Iterator[Trial]:
    weight = plus + minus
    if weight > 0.0 and model.dimensions[number].weight > 0.0:
        yield Trial(number, minus / weight, weight)
