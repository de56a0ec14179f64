"""Questions whose answers the later part knows, answered by the levels as they are published: the same fold, the same formula.

A level is asked for as of a moment, with only what had happened by then.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from projections.calibration.deliveries import on_time_in_full
from projections.calibration.measures import Floats, Ints
from projections.calibration.observed import History
from projections.scoring.figures import level, totals
from projections.scoring.models import Model
from projections.scoring.state import State, empty, fold
from schemas.catalogue import Delivery


class Deliveries(NamedTuple):
    """Deliveries by partners: what came before by the same partner, whether it came on time and in full, and when (microseconds UTC)."""

    kept: Floats
    seen: Floats
    last: Floats
    happened: Floats
    at_us: Ints
    history: Ints


def commitment(histories: Sequence[History], moments_us: Sequence[int], model: Model) -> Floats:
    """Of each history (row) the level of commitment at each moment; ``moments_us`` rise."""
    found = np.zeros((len(histories), len(moments_us)))
    for number, one in enumerate(histories):
        if one.kind != model.kind:
            continue
        state, following = empty(one.relationship, model), 0
        for place, moment_us in enumerate(moments_us):
            while following < len(one.events) and one.events[following].occurred_us < moment_us:
                state = fold(state, one.events[following], model, one.events[following].occurred_us)
                following += 1
            found[number, place] = _level(state, model, "commitment", moment_us)
    return found


def deliveries(histories: Sequence[History], full_slack: float) -> Deliveries:
    """Every delivery by a partner, in the order of the histories and of time."""
    rows = []
    for number, one in enumerate(histories):
        kept = seen = last = 0.0
        for event in one.events:
            if one.kind == "partner" and isinstance(event.data, Delivery) and event.data.by == "them":
                good = float(on_time_in_full(event.data, full_slack))
                rows.append((kept, seen, last, good, event.occurred_us, number))
                kept, seen, last = kept + good, seen + 1.0, good
    before, seen_, last_, happened, at_us, history = np.array(rows, float).reshape(len(rows), 6).T
    return Deliveries(before, seen_, last_, happened, at_us.astype(np.int64), history.astype(np.int64))


def delivery(histories: Sequence[History], from_us: int, model: Model) -> Floats:
    """The level of delivery before each delivery from a moment on, in the order of ``deliveries``."""
    found = []
    for one in histories:
        if one.kind != model.kind:
            continue
        state = empty(one.relationship, model)
        for event in one.events:
            if event.occurred_us >= from_us and isinstance(event.data, Delivery) and event.data.by == "them":
                found.append(_level(state, model, "delivery", event.occurred_us))
            state = fold(state, event, model, event.occurred_us)
    return np.array(found)


def _level(state: State, model: Model, dimension: str, moment_us: int) -> float:
    known, number = totals(state, model, moment_us), model.numbers[dimension]
    return level(known.dimensions[number], known.purchases if dimension == "commitment" else None, model.dimensions[number]).level
