"""relationships: one row per relationship with its quality, interval, trend and standing, and the levels they rest on.

The fold keeps a small state (``scoring/state.py``); ``publish`` is a pure function of that state and a moment.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

from projections.projection import Projection, fading
from projections.scoring.cases import ComplaintCase
from projections.scoring.evidence import DAY_US
from projections.scoring.figures import Figures, figures
from projections.scoring.models import Model, models
from projections.scoring.policy import Policy
from projections.scoring.standing import Facts, Reason, Standing, classify
from projections.scoring.state import State, empty, fold
from projections.scoring.value import Worth, worth
from schemas.catalogue import CATALOGUE, RESERVED_PREFIX, Opened
from schemas.touchpoint import Recorded, iso


class Assessed(msgspec.Struct, frozen=True, gc=False):
    """A relationship at a moment: figures, trend, standing and money. ``figures`` are None where nothing is known of it."""

    figures: Figures | None
    trend: float | None
    standing: Standing
    reasons: tuple[Reason, ...]
    worth: Worth | None
    open_complaints: int


class Row(msgspec.Struct, frozen=True, gc=False):
    """The table's columns. Moments are ISO 8601 UTC; quality and its bounds 0-100, levels 0-1; null where nothing is known."""

    relationship: str
    kind: str
    name: str | None
    counterparty: str | None
    segment: str | None
    channel: str | None
    owner: str | None
    region: str | None
    quality: float | None
    quality_low: float | None
    quality_high: float | None
    trend: float | None
    standing: str
    reasons: tuple[Reason, ...]
    level_satisfaction: float | None
    level_trust: float | None
    level_commitment: float | None
    level_balance: float | None
    level_delivery: float | None
    level_quality: float | None
    level_cost: float | None
    level_responsiveness: float | None
    level_exposure: float | None
    evidence: float
    value: float | None
    value_currency: str | None
    value_basis: str | None
    cost_to_serve: float | None
    net_loss: float | None
    open_complaints: int
    events: int
    first_at: str
    last_at: str
    closed_at: str | None


def assess(state: State, model: Model, moment_us: int) -> Assessed:
    """Everything the scoring says of a relationship at ``moment_us``, which is not before its newest event."""
    money = worth(state, model, moment_us)
    open_complaints, open_conflict = _complaints(state, model, moment_us)
    now = figures(state, model, moment_us)
    if now.evidence <= 0.0:
        standing, reasons = classify(now, Facts(), model)
        return Assessed(None, None, standing, reasons, money, open_complaints)
    trend, then = None, None
    then_us = (moment_us // DAY_US - model.policy.model.trend_days) * DAY_US
    if state.first_us < then_us:
        found = figures(state, model, then_us)
        if found.evidence > 0.0:
            trend, then = now.quality - found.quality, found
    silence, silent_days = _silence(state, model, moment_us)
    facts = Facts(trend, open_conflict, state.actions, silence, silent_days, None if money is None else money.net_loss)
    standing, reasons = classify(now, facts, model, then)
    return Assessed(now, trend, standing, reasons, money, open_complaints)


def relationships(policy: Policy) -> Projection:
    """The projection under a policy."""
    by_kind = models(policy)
    return Projection(
        "relationships",
        version=14,
        policy=policy.digest,
        row=Row,
        state=State,
        key=_key,
        takes=TYPES,
        fold=partial(_fold, by_kind),
        publish=partial(_publish, by_kind),
        due=fading,
        index=(*(f"kind,standing,{column}" for column in RANKED), "segment,quality", "counterparty,relationship"),
    )


def _key(event: Recorded) -> str | None:
    """Touchpoints alone, also of types not known: what the ledger writes about a relationship (alerts handled, corrections) is none."""
    return None if event.data is None and event.type.startswith(RESERVED_PREFIX) else event.relationship


def _fold(by_kind: dict[str, Model], state: State | None, events: Sequence[Recorded]) -> State:
    if state is None:
        relationship = events[0].relationship
        state = empty(relationship, by_kind[relationship.partition("/")[0]])
    model = by_kind[state.kind]
    for event in events:
        fold(state, event, model, event.recorded_us)
    return state


def _publish(by_kind: dict[str, Model], state: State, moment_us: int) -> Row:
    model = by_kind[state.kind]
    found = assess(state, model, max(moment_us, state.last_us))  # a publisher's clock may run five minutes ahead of ours
    now, profile, money = found.figures, state.profile or NOBODY, found.worth
    known = () if now is None else zip(model.names, now.levels, strict=True)
    level = {name: round(one.level, 4) for name, one in known if one.evidence > 0.0}.get
    return Row(
        relationship=state.relationship,
        kind=state.kind,
        name=None if state.profile is None else profile.name,
        counterparty=profile.counterparty,
        segment=profile.segment,
        channel=profile.channel,
        owner=profile.owner,
        region=profile.region,
        quality=None if now is None else round(now.quality, 2),
        quality_low=None if now is None else round(now.low, 2),
        quality_high=None if now is None else round(now.high, 2),
        trend=None if found.trend is None else round(found.trend, 2),
        standing=found.standing,
        reasons=found.reasons,
        level_satisfaction=level("satisfaction"),
        level_trust=level("trust"),
        level_commitment=level("commitment"),
        level_balance=level("balance"),
        level_delivery=level("delivery"),
        level_quality=level("quality"),
        level_cost=level("cost"),
        level_responsiveness=level("responsiveness"),
        level_exposure=level("exposure"),
        evidence=0.0 if now is None else round(now.evidence, 2),
        value=None if money is None else float(money.amount),
        value_currency=None if money is None else money.currency,
        value_basis=None if money is None else money.basis,
        cost_to_serve=None if money is None or money.cost_to_serve is None else float(money.cost_to_serve),
        net_loss=None if money is None else money.net_loss,
        open_complaints=found.open_complaints,
        events=state.events,
        first_at=iso(state.first_us),
        last_at=iso(state.last_us),
        closed_at=None if state.closed is None else iso(state.closed.at_us),
    )


TYPES = frozenset((*(entry.struct for entry in CATALOGUE.values() if not entry.type.startswith(RESERVED_PREFIX)), type(None)))
"""Every touchpoint there is, and those that this version does not know."""
RANKED = ("quality", "trend", "value", "last_at")
"""Columns whose order stands in an index, for each kind and standing."""
LEVEL_COLUMNS = tuple(name for name in Row.__struct_fields__ if name.startswith("level_"))
NOBODY = Opened("")
"""Of whom nothing was told."""


def _complaints(state: State, model: Model, moment_us: int) -> tuple[int, float]:
    """How many are open, and events of evidence in those that have been for the policy's days: what is settled at once is no conflict."""
    since_us = moment_us - model.standing.conflict_days * DAY_US
    count, conflict = 0, 0.0
    for case in state.cases.values():
        if type(case) is ComplaintCase and case.is_open(moment_us):
            count += 1
            if case.opened is not None and case.opened.at_us <= since_us:
                conflict += case.weight(moment_us, model.policy)
    return count, conflict


def _silence(state: State, model: Model, moment_us: int) -> tuple[float | None, float]:
    """The chance of a gap as long as the open one, and how many days that has lasted.

    Purchases at random at a rate that is learned from the gaps so far: the predictive distribution of the next gap is a Lomax
    (Pareto II) one, with as many gaps as there were for its shape and the days they took for its scale.
    """
    first, last = state.first_bought, state.last_bought
    if first is None or last is None or state.purchases < model.standing.rhythm_min or last <= first:
        return None, 0.0
    days = max(0.0, moment_us / DAY_US - last)
    return ((last - first) / (last - first + days)) ** (state.purchases - 1), days
