"""acquisition: one row per relationship with how it began, and how good it was at two moments after, on the evidence of then.

A relationship begins with its first touchpoint. What the days from there to the later moment say is kept by day, as the very scoring of
``relationships`` weighs it, so that the score at either moment is told as ``show --as-of`` tells it; what happens later changes nothing. A
touchpoint that arrives late and happened earlier moves the beginning to an earlier day, and both moments with it: what was left out before
lies after them still, so the order of arrival changes nothing.
"""

from datetime import date
from functools import cache, partial
from operator import attrgetter

import msgspec

from projections.acquisition.days import UNTOLD, Kind, State, fold, quality_at, steps, timely
from projections.projection import Projection
from projections.scoring.cases import ComplaintCase
from projections.scoring.evidence import DAY_US
from projections.scoring.models import Model, models
from projections.scoring.policy import AcquisitionPolicy, Policy
from projections.scoring.state import WORD_BITS
from schemas import catalogue as c

Stood = tuple[float | None, bool | None, float | None, float | None]
"""Quality, whether active, value and cost at a moment."""
UNKNOWN: Stood = None, None, None, None
EPOCH_DAY = date(1970, 1, 1).toordinal()


class Row(msgspec.Struct, frozen=True):
    """The table's columns.

    begun_on: the day (UTC) of the first touchpoint. opened: whether an opening was told. channel, segment, incentive: as first told.
    first_...: within the policy's ``first_days``, null where nothing of the kind happened in them.
    near_..., far_...: ``near_days`` and ``far_days`` after the beginning; null until the close of a day, or a touchpoint that happened
    later, tells that the moment has passed. quality: 0-100, null where nothing was known. active: whether they bought, or we ordered,
    within ``active_days`` before. value: margin or revenue of a customer, spend with a partner, from the beginning on, in ``currency``
    (that of most); cost: incentives we gave in that currency, and our work. basis: ``margin`` where every purchase told it, ``revenue``,
    or ``spend``.
    """

    relationship: str
    kind: str
    begun_on: str
    opened: bool
    channel: str | None
    segment: str | None
    incentive: str | None
    first_purchase: float | None
    first_purchase_currency: str | None
    first_delivery: str | None
    first_complaint: str | None
    first_answer: str | None
    first_payment: str | None
    first_quote: str | None
    first_rate: str | None
    currency: str | None
    basis: str | None
    near_quality: float | None
    near_active: bool | None
    near_value: float | None
    near_cost: float | None
    far_quality: float | None
    far_active: bool | None
    far_value: float | None
    far_cost: float | None


@cache
def acquisition(policy: Policy) -> Projection:
    """The projection under a policy."""
    by_kind = models(policy)
    return Projection(
        "acquisition",
        version=5,
        policy=policy.digest,
        row=Row,
        state=State,
        key=attrgetter("relationship"),
        takes=_TYPES,
        timely=partial(timely, policy.acquisition.far_days),
        fold=partial(fold, {kind: Kind(model, {type_: steps(model, type_) for type_ in _TYPES}) for kind, model in by_kind.items()}),
        publish=partial(_publish, by_kind),
        due=partial(_due, policy.acquisition),
        told=attrgetter("seen_us"),
        index=("channel,relationship", "segment,relationship"),
    )


_TYPES = frozenset(entry.struct for entry in c.CATALOGUE.values() if not entry.type.startswith(c.RESERVED_PREFIX))


def _due(rule: AcquisitionPolicy, state: State, moment_us: int) -> int | None:
    """The nearer of the two moments that have not passed."""
    for days in (rule.near_days, rule.far_days):
        if moment_us < (end_us := (state.begun + days) * DAY_US):
            return end_us
    return None


def _publish(by_kind: dict[str, Model], state: State, moment_us: int) -> Row:
    model = by_kind[state.kind]
    rule = model.policy.acquisition
    currency, basis = _currency(state, model.kind, rule)
    today = moment_us // DAY_US - state.begun
    near = _stood(state, model, rule.near_days, currency, basis) if today >= rule.near_days else UNKNOWN
    far = _stood(state, model, rule.far_days, currency, basis) if today >= rule.far_days else UNKNOWN
    first_us = (state.begun + rule.first_days) * DAY_US
    firsts = {name: told for name, told in state.firsts.items() if told.mark.at_us < first_us}
    words = {name: told.word for name, told in firsts.items()}
    won = {name: told.word for name, told in state.won.items()}
    purchase = firsts.get("purchase")
    return Row(
        relationship=state.relationship,
        kind=model.kind,
        begun_on=date.fromordinal(state.begun + EPOCH_DAY).isoformat(),
        opened=state.opened,
        channel=won.get("channel"),
        segment=won.get("segment"),
        incentive=won.get("incentive", words.get("incentive")),
        first_purchase=None if purchase is None else round(purchase.amount, 2),
        first_purchase_currency=None if purchase is None else purchase.currency,
        first_delivery=words.get("delivery"),
        first_complaint=_complained(state, words.get("complaint"), first_us),
        first_answer=words.get("answer"),
        first_payment=words.get("payment"),
        first_quote=words.get("quote"),
        first_rate=words.get("rate"),
        currency=currency,
        basis=basis,
        near_quality=near[0],
        near_active=near[1],
        near_value=near[2],
        near_cost=near[3],
        far_quality=far[0],
        far_active=far[1],
        far_value=far[2],
        far_cost=far[3],
    )


def _complained(state: State, complaint_id: str | None, first_us: int) -> str | None:
    """What became of the first complaint by the end of the first days."""
    if complaint_id is None:
        return None
    case = state.cases.get(f"complaint/{complaint_id}")  # of the many that are no longer kept singly all were settled
    return "left open" if isinstance(case, ComplaintCase) and case.is_open(first_us) else "settled"


def _currency(state: State, kind: str, rule: AcquisitionPolicy) -> tuple[str | None, str | None]:
    """The currency most was bought in by the later moment, and what the value of it is."""
    end, most, main, margins = state.begun + rule.far_days, 0, "", 0
    for currency, days in state.money.items():
        count = told = 0
        for day, money in days.items():
            if day < end:
                count += money.count
                told += money.margins
        if count and (count, currency) > (most, main):
            most, main, margins = count, currency, told
    if not most:
        return None, None
    return main, "spend" if kind == "partner" else "margin" if most == margins else "revenue"


def _traded(state: State, since: int, end: int) -> bool:
    """Whether they bought, or we ordered, on a day from ``since`` up to ``end``."""
    for word, bits in state.traded.items():
        first = word * WORD_BITS
        before = bits & (1 << end - first) - 1 if end > first else 0
        if before and first + before.bit_length() > since:  # the day after the newest of them
            return True
    return False


def _stood(state: State, model: Model, after_days: int, currency: str | None, basis: str | None) -> Stood:
    """How it was so many days after the beginning."""
    rule = model.policy.acquisition
    end = state.begun + after_days
    told = state.near if after_days == rule.near_days else UNTOLD
    score = quality_at(state, model, end) if told == UNTOLD else told
    active = _traded(state, end - rule.active_days, end)
    cost = model.policy.serve.hour_cost * sum([hours for day, hours in state.served.items() if day < end])
    if currency is None:
        return score, active, None, round(cost, 2)
    known = [money for day, money in state.money[currency].items() if day < end]
    value = sum([money.margin if basis == "margin" else money.amount for money in known])
    return score, active, round(value, 2), round(cost + sum([money.given for money in known]), 2)
