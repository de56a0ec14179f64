"""Our own conduct by topic: which touchpoint speaks for or against us, and what would help.

The evidence is the very evidence the scores rest on (``scoring/models.py``), of it the part that is conduct of ours. Feedback and the
mood of contacts are in it too: they are how our conduct is seen, and nothing to be remedied by itself.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from projections.scoring import responsiveness, satisfaction, trust
from projections.scoring.cases import Case, ComplaintCase, NegotiationCase, PromiseCase
from projections.scoring.cases.case import Item
from projections.scoring.evidence import Evidence
from projections.scoring.policy import Policy
from schemas import catalogue as c

Remedied = Literal["better", "fewer", "none"]
"""What becomes of the harm a remedy takes away: the same things are done, and well; they no longer happen; or it has no remedy."""


class Topic(NamedTuple):
    """One topic of our conduct. ``harm``: what speaks against us in it, in words."""

    name: str
    harm: str
    remedied: Remedied


TOPICS = (
    Topic("deliveries", "late or short deliveries", "better"),
    Topic("answers", "slow answers", "better"),
    Topic("promises", "late, broken or overdue promises", "better"),
    Topic("payments", "late payments", "better"),
    Topic("deals", "unequal deals", "better"),
    Topic("complaints", "complaints about us", "fewer"),
    Topic("handling", "complaints left open, rejected or slow to settle", "fewer"),
    Topic("returns", "returns for faults of ours", "fewer"),
    Topic("invoices", "disputed invoices", "fewer"),
    Topic("contracts", "breaches of contract", "fewer"),
    Topic("incidents", "incidents we caused", "fewer"),
    Topic("feedback", "poor feedback", "none"),
)
NUMBERS: Mapping[str, int] = {topic.name: number for number, topic in enumerate(TOPICS)}

Source = Callable[[Any, Policy], Evidence | None]
Sources = Mapping[type, tuple[tuple[int, Source], ...]]

_BOTH: Sources = {
    c.Delivery: ((NUMBERS["deliveries"], trust.delivery),),
    c.RequestAnswered: ((NUMBERS["answers"], responsiveness.our_answer),),
    c.Contact: ((NUMBERS["answers"], satisfaction.waited), (NUMBERS["feedback"], satisfaction.sentiment)),
    c.Payment: ((NUMBERS["payments"], trust.payment),),
    c.InvoiceDisputed: ((NUMBERS["invoices"], trust.dispute),),
    c.ContractBreached: ((NUMBERS["contracts"], trust.breach),),
    c.Incident: ((NUMBERS["incidents"], trust.incident),),
    c.Feedback: ((NUMBERS["feedback"], satisfaction.feedback),),
}
SIMPLE: Mapping[str, Sources] = {
    "customer": {**_BOTH, c.Return: ((NUMBERS["returns"], satisfaction.returned),)},
    "partner": _BOTH,  # what we send back to a partner is its fault
}
"""By kind: the topics and sources of a touchpoint that speaks alone. A source may tell of their conduct too: ``Evidence.ours`` says."""

CASES: Mapping[type, type[Case]] = {
    c.Complaint: ComplaintCase,
    c.ComplaintResolved: ComplaintCase,
    c.Promise: PromiseCase,
    c.PromiseSettled: PromiseCase,
    c.NegotiationOpened: NegotiationCase,
    c.NegotiationClosed: NegotiationCase,
}
_COMPLAINTS, _HANDLING = NUMBERS["complaints"], NUMBERS["handling"]
_OF_CASE: Mapping[type, int] = {PromiseCase: NUMBERS["promises"], NegotiationCase: NUMBERS["deals"]}


def told(case: Case, moment_us: int, kind: str, policy: Policy) -> Iterator[tuple[int, Item, float]]:
    """What a case says of our conduct at a moment: topic number, evidence, and the part of ``minus`` that is of this topic.

    A complaint costs something even when it is settled at once and to their content; all beyond is how it was handled.
    """
    for item in case.items(moment_us, kind, policy):
        if not item.ours:
            continue
        if not isinstance(case, ComplaintCase):
            yield _OF_CASE[type(case)], item, item.minus
            continue
        spared = 0.0  # what was won back was won by handling it
        if item.minus >= 0.0:
            spared = min(item.minus, policy.severity.of[case.severity] * (1.0 - policy.complaint.recovered_satisfied))
            yield _COMPLAINTS, item, spared
        yield _HANDLING, item, item.minus - spared
