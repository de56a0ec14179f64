"""reputation: one row per relationship with our own conduct towards it, for and against us by topic and by month.

The company's reputation is made of these rows when it is asked for (``company.py``): no row depends on another relationship. Sums are
forward-decayed (Cormode et al. 2009) with one half-life for all topics, so the order of arrival does not matter. What a case adds stands in
the month it began to count, so the sums up to a month are what was so at its end.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Self

import msgspec

from projections.months import month_name, month_of
from projections.projection import Projection, fading
from projections.reputation.topics import CASES, NUMBERS, SIMPLE, TOPICS, told
from projections.scoring.cases import Case, book
from projections.scoring.evidence import faded, kept
from projections.scoring.marks import Mark, mark
from projections.scoring.policy import Policy
from schemas.catalogue import By, ContractBreached, Delivery, Incident, InvoiceDisputed, Opened, Payment, RequestAnswered
from schemas.touchpoint import Recorded

EARLIER = 0  # the month that stands for all before those told singly
DIGITS = 6  # of events of evidence
MONTHS_SLACK = 12  # months remembered beyond those shown before they are added together


class Sums(msgspec.Struct, array_like=True, gc=False):
    """``topics``: for topic i evidence for us at 2 i and against at 2 i + 1, forward-decayed. ``months``: the same over all topics."""

    topics: list[float]
    months: dict[int, list[float]] = {}

    def add(self, number: int, month: int, plus: float, minus: float) -> None:
        """Add evidence, forward-decayed, of topic ``number`` in ``month``."""
        self.topics[2 * number] += plus
        self.topics[2 * number + 1] += minus
        found = self.months.get(month)
        if found is None:
            self.months[month] = [plus, minus]
        else:
            found[0] += plus
            found[1] += minus

    def tell(self, case: Case, moment_us: int, kind: str, policy: Policy) -> None:
        """Add what a case says at a moment."""
        for number, item, minus in told(case, moment_us, kind, policy):
            factor = kept(item.at_us, policy.reputation.half_life_us)
            self.add(number, month_of(item.since_us), item.plus * factor, minus * factor)

    def newest(self, count: int) -> dict[int, list[float]]:
        """The newest ``count`` months by the calendar, all before added together."""
        first = max(self.months, default=0) - count + 1
        result: dict[int, list[float]] = {}
        for month, pair in sorted(self.months.items()):
            if month >= first:
                result[month] = pair
            else:
                plus, minus = result.get(EARLIER, (0.0, 0.0))
                result[EARLIER] = [plus + pair[0], minus + pair[1]]
        return result

    def copy(self) -> Self:
        return type(self)(self.topics.copy(), {month: pair.copy() for month, pair in self.months.items()})


class State(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of our conduct in one relationship. ``cases`` are not in ``sums`` until they are settled."""

    relationship: str
    kind: str
    sums: Sums
    cases: dict[str, Case] = {}
    settled: dict[int, int] = {}
    opened: Mark | None = None
    segment: str | None = None
    last_us: int = -(2**62)


class Row(msgspec.Struct, frozen=True, gc=False):
    """The table's columns: events of evidence, faded to the moment the row was evaluated at.

    level: how our conduct stands with this relationship, 0-100, the policy's prior included. evidence: all of it, for and against.
    Topics without ``for_`` can only go wrong. months: by month (UTC, ``2026-05``; ``earlier`` for all before) evidence [for, against];
    the against of a month may be below 0, where we made good in it what went wrong before.
    """

    relationship: str
    kind: str
    segment: str | None
    level: float
    evidence: float
    for_deliveries: float
    against_deliveries: float
    for_answers: float
    against_answers: float
    for_promises: float
    against_promises: float
    for_payments: float
    against_payments: float
    for_deals: float
    against_deals: float
    against_complaints: float
    against_handling: float
    against_returns: float
    against_invoices: float
    against_contracts: float
    against_incidents: float
    for_feedback: float
    against_feedback: float
    months: dict[str, tuple[float, float]]


COLUMNS = tuple(name for name in Row.__struct_fields__ if name.startswith(("for_", "against_")))
"""The columns of evidence."""
_SLOTS = [2 * NUMBERS[name.partition("_")[2]] + name.startswith("against_") for name in COLUMNS]  # their places in ``sums``
_WHOSE: dict[type, By | None] = dict.fromkeys((Opened, *CASES, *(type_ for sources in SIMPLE.values() for type_ in sources)))
_WHOSE |= {Delivery: "us", Payment: "us", RequestAnswered: "us", ContractBreached: "us", Incident: "us", InvoiceDisputed: "them"}
"""Types the fold takes, and whose ``by`` makes them conduct of ours; None where more than the one touchpoint tells."""


@cache
def reputation(policy: Policy) -> Projection:
    """The projection under a policy."""
    return Projection(
        "reputation",
        version=3,
        policy=policy.digest,
        row=Row,
        state=State,
        key=_key,
        takes=frozenset(_WHOSE),
        fold=partial(_fold, policy),
        publish=partial(_publish, policy),
        due=fading,
        index=("segment,relationship",),
    )


def _key(event: Recorded) -> str | None:
    whose = _WHOSE[type(event.data)]
    return event.relationship if whose is None or event.data.by == whose else None  # type: ignore[union-attr]


def _fold(policy: Policy, state: State | None, events: Sequence[Recorded]) -> State:
    if state is None:
        relationship = events[0].relationship
        state = State(relationship, relationship.partition("/")[0], Sums([0.0] * (2 * len(TOPICS))))
    for event in events:
        _take(state, event, policy)
    return state


def _take(state: State, event: Recorded, policy: Policy) -> None:
    at, data = event.occurred_us, event.data
    if at > state.last_us:
        state.last_us = at
    sources = SIMPLE[state.kind].get(type(data))
    if sources is not None:
        half_life = policy.reputation.half_life_us
        for number, source in sources:
            evidence = source(data, policy)
            if evidence is not None and evidence.ours:
                factor = kept(at, half_life)
                state.sums.add(number, month_of(at), evidence.plus * factor, evidence.minus * factor)
    elif (case_type := CASES.get(type(data))) is not None:
        book.tell(state.cases, state.settled, case_type, event, policy)
        if len(state.cases) > policy.model.cases_kept and (found := book.settle(state.cases, state.settled)) is not None:
            case, ended = found
            state.sums.tell(case, ended, state.kind, policy)
    elif isinstance(data, Opened) and data.segment is not None:
        new = mark(event)
        if state.opened is None or new > state.opened:  # the newest word holds
            state.opened, state.segment = new, data.segment
    if len(state.sums.months) > policy.reputation.months_kept + MONTHS_SLACK:
        state.sums.months = state.sums.newest(policy.reputation.months_kept)


def _publish(policy: Policy, state: State, moment_us: int) -> Row:
    rule = policy.reputation
    sums, now_us = state.sums.copy() if state.cases else state.sums, max(moment_us, state.last_us)
    for case in state.cases.values():
        sums.tell(case, now_us, state.kind, policy)
    fade = faded(moment_us, rule.half_life_us)
    # most are 0; what was made good may leave the last bits of a float
    amounts = [max(0.0, round(amount * fade, DIGITS)) if amount else 0.0 for amount in sums.topics]
    good, bad = sum(amounts[::2]), sum(amounts[1::2])
    columns: tuple[Any, ...] = (  # in their order: to name them took a third of the time
        state.relationship,
        state.kind,
        state.segment,
        round(100.0 * (good + rule.prior_events * rule.prior_mean) / (good + bad + rule.prior_events), 2),
        round(good + bad, DIGITS),
        *[amounts[slot] for slot in _SLOTS],
        {
            month_name(month) if month != EARLIER else "earlier": (
                round(plus * fade, DIGITS) if plus else 0.0,
                round(minus * fade, DIGITS) if minus else 0.0,
            )
            for month, (plus, minus) in sums.newest(rule.months_kept).items()
        },
    )
    return Row(*columns)
