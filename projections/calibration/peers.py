"""The peers' mean of every dimension: the level that a relationship nothing is known of is given.

Relationships' own shares of good evidence, weighted by how much of it there is: n / (n + k) with k the events the prior is worth (the
credibility estimator of Bühlmann & Straub 1970). Tested on what came later: the evidence of the later part, foretold by the level at the
split; the mean matters most for those of whom little was known.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from projections.calibration.measures import DRAWS, SEED, SURE, Floats, Interval
from projections.calibration.observed import History
from projections.scoring.figures import totals
from projections.scoring.models import Model
from projections.scoring.policy import DimensionPolicy
from projections.scoring.state import State, empty, fold
from schemas.touchpoint import Recorded

KNOWN_EVENTS = 0.5  # of evidence, faded: less is next to nothing
RELATIONSHIPS_MIN = 20  # with evidence before the split, and as many with evidence after it
DIGITS = 2


class Mean(msgspec.Struct, frozen=True):
    """One dimension. loss: log loss an event of later evidence, with either mean. taken: whether it is proposed; why: why not."""

    number: str
    before: float
    after: float
    interval: Interval | None
    relationships: int
    loss_before: float | None
    loss_after: float | None
    taken: bool
    why: str | None


def evidence(histories: Sequence[History], model: Model, split_us: int, end_us: int) -> Floats:
    """Evidence for and against each dimension, until the split and after it: by relationship, dimension, and these four."""
    rows = []
    for one in histories:
        if one.kind != model.kind:
            continue
        early = [event for event in one.events if event.occurred_us < split_us]
        late = [event for event in one.events if split_us <= event.occurred_us <= end_us]
        states = (_folded(one, part, model) for part in (early, late))
        told = [totals(state, model, moment_us).dimensions for state, moment_us in zip(states, (split_us, end_us), strict=True)]
        rows.append([(a.plus, max(0.0, a.minus), b.plus, max(0.0, b.minus)) for a, b in zip(*told, strict=True)])
    return np.array(rows, float).reshape(len(rows), len(model.names), 4)


def mean(told: Floats, name: str, rule: DimensionPolicy, mass: float) -> Mean:
    """The peers' mean of one dimension; ``told`` as in ``evidence``, of it alone."""
    plus, minus, later_plus, later_minus = told.T
    prior_mean, prior_events = rule.prior_mean, rule.prior_events
    known = plus + minus
    with_evidence = int((known >= KNOWN_EVENTS).sum())
    later = int((later_plus + later_minus >= KNOWN_EVENTS).sum())
    if min(with_evidence, later) < RELATIONSHIPS_MIN:
        counts = f"{with_evidence} relationships with evidence before and {later} after"
        return Mean(name, prior_mean, prior_mean, None, with_evidence, None, None, taken=False, why=f"{counts}, {RELATIONSHIPS_MIN} needed")
    weight = known / (known + prior_events)
    share = np.divide(plus, known, out=np.zeros_like(plus), where=known > 0.0)
    found = round(float(np.clip((weight * share).sum() / weight.sum(), 0.01, 0.99)), DIGITS)
    drawn = np.random.default_rng(SEED).multinomial(len(told), np.full(len(told), 1.0 / len(told)), size=DRAWS)
    low, high = np.quantile((drawn @ (weight * share)) / np.maximum(drawn @ weight, 1e-9), [(1.0 - mass) / 2.0, (1.0 + mass) / 2.0])
    losses = []
    for tried in (prior_mean, found):
        level = np.clip((plus + prior_events * tried) / (known + prior_events), SURE, 1.0 - SURE)
        losses.append(float(-(later_plus * np.log(level) + later_minus * np.log1p(-level)).sum() / (later_plus + later_minus).sum()))
    why = "as it is" if found == prior_mean else "no better on what came later" if losses[1] > losses[0] else None
    interval = round(float(low), 4), round(float(high), 4)
    return Mean(name, prior_mean, found, interval, with_evidence, round(losses[0], 4), round(losses[1], 4), taken=why is None, why=why)


def _folded(history: History, events: Sequence[Recorded], model: Model) -> State:
    state = empty(history.relationship, model)
    for event in events:
        state = fold(state, event, model, event.occurred_us)
    return state
