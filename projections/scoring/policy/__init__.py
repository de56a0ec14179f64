"""The policy as typed values: every number behind a score.

Each section of ``policy.toml`` is one struct; the file says unit and source of every number, the types here its range. ``weights.py`` has
what touchpoints weigh, ``rules.py`` what is made of the evidence, and ``Policy`` is all of it.
"""

import hashlib
from functools import cached_property

import msgspec

from projections.scoring.policy.rules import (
    AcquisitionPolicy,
    ActionsPolicy,
    AlertsPolicy,
    LeaksPolicy,
    PhasePolicy,
    Plays,
    ReputationPolicy,
    StandingPolicy,
    Standings,
    SupplyPolicy,
    TurnPolicy,
)
from projections.scoring.policy.section import Section
from projections.scoring.policy.weights import (
    AssessmentPolicy,
    ComplaintPolicy,
    ContractPolicy,
    CustomerDimensions,
    DealPolicy,
    DeliveryPolicy,
    DimensionPolicy,
    ExposurePolicy,
    FeedbackPolicy,
    InformationPolicy,
    InspectionPolicy,
    ModelPolicy,
    PartnerDimensions,
    PaymentPolicy,
    PromisePolicy,
    PurchasesPolicy,
    RatePolicy,
    ReferralPolicy,
    ResponsePolicy,
    ServePolicy,
    SeverityPolicy,
    ValuePolicy,
    WeightPolicy,
)

__all__ = [
    "AcquisitionPolicy",
    "ActionsPolicy",
    "AlertsPolicy",
    "DealPolicy",
    "DeliveryPolicy",
    "DimensionPolicy",
    "LeaksPolicy",
    "PhasePolicy",
    "Policy",
    "PurchasesPolicy",
    "RatePolicy",
    "ReputationPolicy",
    "StandingPolicy",
    "Standings",
    "TurnPolicy",
]

DIGITS = 16  # hexadecimal, of a policy's digest


class Policy(Section, frozen=True):
    """All of ``policy.toml``."""

    version: str
    model: ModelPolicy
    customer: CustomerDimensions
    partner: PartnerDimensions
    severity: SeverityPolicy
    complaint: ComplaintPolicy
    feedback: FeedbackPolicy
    response: ResponsePolicy
    return_: WeightPolicy = msgspec.field(name="return")
    delivery: DeliveryPolicy
    inspection: InspectionPolicy
    information: InformationPolicy
    rate: RatePolicy
    payment: PaymentPolicy
    dispute: WeightPolicy
    promise: PromisePolicy
    breach: WeightPolicy
    contract: ContractPolicy
    referral: ReferralPolicy
    closed: WeightPolicy
    purchases: PurchasesPolicy
    deal: DealPolicy
    exposure: ExposurePolicy
    assessment: AssessmentPolicy
    value: ValuePolicy
    serve: ServePolicy
    reputation: ReputationPolicy
    supply: SupplyPolicy
    leaks: LeaksPolicy
    acquisition: AcquisitionPolicy
    turn: TurnPolicy
    phase: PhasePolicy
    alerts: AlertsPolicy
    actions: ActionsPolicy
    plays: Plays
    standing: Standings

    @cached_property
    def digest(self) -> str:
        """Names the numbers, whatever the version and the comments: policies with the same digest give the same scores."""
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(self, version=""))).hexdigest()[:DIGITS]
