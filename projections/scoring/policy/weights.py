"""What each touchpoint weighs: evidence for a dimension, its half-life, and what stands in for what is not known yet.

The order of fields is part of a policy's digest, and so stays.
"""

from functools import cached_property
from typing import Annotated

import msgspec

from projections.scoring.evidence import DAY_US
from projections.scoring.policy.section import Fading, OpenShare, Positive, Section, Share, Weight


class ModelPolicy(Section, frozen=True):
    interval_mass: OpenShare
    trend_days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    cases_kept: Annotated[int, msgspec.Meta(ge=1)]


class DimensionPolicy(Section, frozen=True):
    weight: Share
    half_life_days: Positive
    prior_mean: OpenShare
    prior_events: Positive

    @cached_property
    def half_life_us(self) -> float:
        return self.half_life_days * DAY_US


class CustomerDimensions(Section, frozen=True):
    satisfaction: DimensionPolicy
    trust: DimensionPolicy
    commitment: DimensionPolicy
    balance: DimensionPolicy


class PartnerDimensions(Section, frozen=True):
    delivery: DimensionPolicy
    quality: DimensionPolicy
    cost: DimensionPolicy
    responsiveness: DimensionPolicy
    trust: DimensionPolicy
    balance: DimensionPolicy
    exposure: DimensionPolicy


class SeverityPolicy(Section, frozen=True):
    minor: Weight
    moderate: Weight
    major: Weight
    critical: Weight

    @cached_property
    def of(self) -> dict[str, float]:
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


class ComplaintPolicy(Section, frozen=True):
    growth_max: Weight
    growth_days: Positive
    recovered_satisfied: Share
    recovered_resolved: Share
    recovered_unsatisfied: Share
    recovered_rejected: Share
    recovered_withdrawn: Share
    slow_days: Positive
    answer_half_hours: Positive


class FeedbackPolicy(Section, frozen=True):
    weight: Weight
    sentiment_weight: Weight


class ResponsePolicy(Section, frozen=True):
    weight: Weight
    half_hours: Positive
    contact_weight: Weight
    unanswered_weight: Weight
    declined_level: Share


class WeightPolicy(Section, frozen=True):
    weight: Weight


class DeliveryPolicy(Section, frozen=True):
    weight: Weight
    trust_weight: Weight
    late_level: Share
    late_days_max: Positive
    short_level: Share
    full_slack: Share


class InspectionPolicy(Section, frozen=True):
    weight: Weight
    large_lot: Positive
    tolerance: Positive


class InformationPolicy(Section, frozen=True):
    weight: Weight
    refuted_weight: Weight
    due_hours: Weight
    half_hours: Positive


class RatePolicy(Section, frozen=True):
    weight: Weight
    spread: Positive
    items_kept: Annotated[int, msgspec.Meta(ge=2)]


class PaymentPolicy(Section, frozen=True):
    weight: Weight
    half_days: Positive


class PromisePolicy(Section, frozen=True):
    kept_weight: Weight
    late_weight: Weight
    broken_weight: Weight
    overdue_weight: Weight
    overdue_days: Positive


class ContractPolicy(Section, frozen=True):
    signed: Weight
    renewed: Weight
    expired: Weight
    terminated: Weight


class ReferralPolicy(Section, frozen=True):
    weight: Weight
    converted_weight: Weight


class PurchasesPolicy(Fading, frozen=True):
    shape: Positive
    rate_days: Positive
    first: Share
    horizon_days: Positive
    weight: Positive
    leaving: Weight = 0.0
    steady: Share = 1.0


class DealPolicy(Section, frozen=True):
    weight: Weight
    fair_gain: Positive
    estimated_weight: Weight
    low_gain: Weight
    tilted_share: Annotated[float, msgspec.Meta(ge=0.5, le=1)]


class ExposurePolicy(Section, frozen=True):
    qualified_weight: Weight
    alternatives_half: Positive
    disruption_weight: Weight


class AssessmentPolicy(Section, frozen=True):
    weight: Weight
    weight_max: Weight


class ValuePolicy(Fading, frozen=True):
    """What they bring, and what serving them costs."""


class ServePolicy(Section, frozen=True):
    hour_cost: Weight
    contact_hours: Weight
    request_hours: Weight
    complaint_hours: Weight
    return_hours: Weight
    dispute_hours: Weight
    delivery_hours: Weight
