"""The two models: which touchpoint speaks for which dimension of a customer and of a partner.

Simple evidence is a function of one touchpoint; cases are in ``cases/``. A type that stands in neither table of a kind is accepted and
counted, with no evidence.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from projections.scoring import commitment, delivery, exposure, quality, responsiveness, satisfaction, trust
from projections.scoring.cases import (
    Assessments,
    Case,
    ComplaintCase,
    NegotiationCase,
    PromiseCase,
    Qualification,
    Rates,
)
from projections.scoring.evidence import Evidence
from projections.scoring.policy import DimensionPolicy, Policy, StandingPolicy
from schemas import catalogue as c

Source = Callable[[Any, Policy], Evidence | None]
"""Evidence of one touchpoint's data; None when it says nothing."""

SIMPLE: Mapping[str, Mapping[type, tuple[tuple[str, Source], ...]]] = {
    "customer": {
        c.Feedback: (("satisfaction", satisfaction.feedback),),
        c.Contact: (("satisfaction", satisfaction.sentiment), ("satisfaction", satisfaction.waited)),
        c.Return: (("satisfaction", satisfaction.returned),),
        c.RequestAnswered: (("satisfaction", responsiveness.our_answer),),
        c.Delivery: (("trust", trust.delivery),),
        c.Payment: (("trust", trust.payment),),
        c.InvoiceDisputed: (("trust", trust.dispute),),
        c.ContractBreached: (("trust", trust.breach),),
        c.Incident: (("trust", trust.incident),),
        c.ContractSigned: (("commitment", commitment.signed),),
        c.ContractRenewed: (("commitment", commitment.renewed),),
        c.ContractEnded: (("commitment", commitment.ended),),
        c.Referral: (("commitment", commitment.referral),),
        c.Closed: (("commitment", commitment.closed),),
    },
    "partner": {
        c.Delivery: (("delivery", delivery.delivery), ("quality", quality.delivery)),
        c.Information: (("delivery", delivery.information), ("quality", quality.information)),
        c.Inspection: (("quality", quality.inspection),),
        c.Return: (("quality", quality.returned),),
        c.RequestAnswered: (("responsiveness", responsiveness.their_answer), ("trust", responsiveness.our_answer)),
        c.Quote: (("responsiveness", responsiveness.quote),),
        c.Contact: (("responsiveness", responsiveness.contact), ("trust", satisfaction.sentiment)),
        c.Feedback: (("trust", satisfaction.feedback),),
        c.Payment: (("trust", trust.payment),),
        c.InvoiceDisputed: (("trust", trust.dispute),),
        c.ContractBreached: (("trust", trust.breach),),
        c.Incident: (("trust", trust.incident),),
        c.ContractEnded: (("trust", trust.ended),),
        c.Closed: (("trust", commitment.closed),),
        c.Disrupted: (("exposure", exposure.disrupted),),
    },
}

SHARED_CASES: Mapping[type, type[Case]] = {
    c.Complaint: ComplaintCase,
    c.ComplaintResolved: ComplaintCase,
    c.Promise: PromiseCase,
    c.PromiseSettled: PromiseCase,
    c.NegotiationOpened: NegotiationCase,
    c.NegotiationOffer: NegotiationCase,
    c.NegotiationClosed: NegotiationCase,
    c.Assessment: Assessments,
}
CASES: Mapping[str, Mapping[type, type[Case]]] = {
    "customer": SHARED_CASES,
    "partner": {**SHARED_CASES, c.Rate: Rates, c.Qualified: Qualification},
}


class Model(msgspec.Struct, frozen=True):
    """One kind of relationship under one policy. Dimensions are numbered by their place in ``names``.

    half_lives: of each dimension, in microseconds.
    hours: per type of data, hours of our work one touchpoint takes; customers alone.
    simple: per type of data, (dimension number, its half-life in microseconds, source) of each evidence.
    """

    kind: str
    policy: Policy
    standing: StandingPolicy
    names: tuple[str, ...]
    numbers: dict[str, int]
    dimensions: tuple[DimensionPolicy, ...]
    half_lives: tuple[float, ...]
    simple: dict[type, tuple[tuple[int, float, Source], ...]]
    cases: Mapping[type, type[Case]]
    hours: Mapping[type, float]

    @property
    def base(self) -> float:
        """Quality (0-100) of a relationship nothing is known of: the peers' mean."""
        return 100.0 * sum(dimension.weight * dimension.prior_mean for dimension in self.dimensions)


def models(policy: Policy) -> dict[str, Model]:
    """Both models under a policy, by kind."""
    result = {}
    for kind, part in (("customer", policy.customer), ("partner", policy.partner)):
        names = part.__struct_fields__
        numbers = {name: number for number, name in enumerate(names)}
        dimensions = tuple(getattr(part, name) for name in names)
        simple = {
            data: tuple((numbers[name], dimensions[numbers[name]].half_life_us, source) for name, source in sources)
            for data, sources in SIMPLE[kind].items()
        }
        result[kind] = Model(
            kind,
            policy,
            getattr(policy.standing, kind),
            names,
            numbers,
            dimensions,
            tuple(dimension.half_life_us for dimension in dimensions),
            simple,
            CASES[kind],
            _served(policy) if kind == "customer" else {},
        )
    return result


def _served(policy: Policy) -> dict[type, float]:
    """Hours of our work a touchpoint with a customer takes."""
    rule = policy.serve
    return {
        c.Contact: rule.contact_hours,
        c.RequestAnswered: rule.request_hours,
        c.Complaint: rule.complaint_hours,
        c.Return: rule.return_hours,
        c.InvoiceDisputed: rule.dispute_hours,
        c.Delivery: rule.delivery_hours,
    }
