"""What is made of the evidence: standing, phase and turn, alerts and next steps; and how reputation, supply and acquisition are told.

The order of fields is part of a policy's digest, and so stays.
"""

from functools import cached_property
from math import log
from typing import Annotated

import msgspec

from projections.scoring.evidence import DAY_US
from projections.scoring.policy.section import Fading, OpenShare, Points, Positive, Section, Share, Weight


class ReputationPolicy(Fading, frozen=True):
    prior_mean: OpenShare
    prior_events: Positive
    party_events_max: Positive
    party_share_max: OpenShare
    remedied: OpenShare
    months_kept: Annotated[int, msgspec.Meta(ge=1, le=1200)]


class SupplyPolicy(Section, frozen=True):
    items_kept: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    months_kept: Annotated[int, msgspec.Meta(ge=13, le=1200)]
    rush_days: Annotated[int, msgspec.Meta(ge=0)]
    impact_share: OpenShare
    risk_high: OpenShare
    ask_above: Share


class LeaksPolicy(Section, frozen=True):
    months: Annotated[int, msgspec.Meta(ge=1, le=120)]
    remedied: OpenShare
    hour_cost: Weight
    late_day_share: Share
    late_hours: Weight
    short_share: Share
    defect_share: Weight
    defect_hours: Weight
    dispute_hours: Weight
    answer_hours: Positive
    wait_hours: Share
    unanswered_hours: Weight
    rush_hours: Weight


class AcquisitionPolicy(Section, frozen=True):
    near_days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    far_days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    first_days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    active_days: Annotated[int, msgspec.Meta(ge=1)]
    quick_hours: Positive
    relationships_min: Annotated[int, msgspec.Meta(ge=2)]
    histories_max: Annotated[int, msgspec.Meta(ge=1)]
    between_points: Positive
    spread_points: Positive
    spread_relationships: Positive
    worth_points: Weight
    surely: OpenShare


class TurnPolicy(Section, frozen=True):
    odds: Annotated[float, msgspec.Meta(gt=1)]
    prior_events: Positive
    learned: Positive
    weight_max: Positive
    trials_min: Positive
    alarms: Positive


class PhasePolicy(Section, frozen=True):
    exploration_exchanges: Annotated[int, msgspec.Meta(ge=1)]
    commitment_days: Positive


class ComplaintDays(Section, frozen=True):
    minor: Positive
    moderate: Positive
    major: Positive
    critical: Positive

    def __getitem__(self, severity: str) -> float:
        return getattr(self, severity)  # type: ignore[no-any-return]


class AlertsPolicy(Section, frozen=True):
    complaint_days: ComplaintDays
    promise_days: Weight
    notice_days: Weight
    ending_days: Weight
    rate_above: Share
    accepted: OpenShare
    poor: OpenShare
    limit: Positive
    height_max: Annotated[float, msgspec.Meta(ge=1)]
    defects_share: Share
    payment_days: Positive
    answer_hours: Positive
    rhythm_min: Annotated[int, msgspec.Meta(ge=2)]
    silence_slower: Annotated[float, msgspec.Meta(gt=1)]
    silence_smaller: Annotated[float, msgspec.Meta(gt=1)]
    silence_limit: Positive
    silence_gone: Weight
    amount_spread: Positive
    usual_mood: OpenShare
    mood_drop: OpenShare
    mood_spread: Positive
    usual_bad: OpenShare
    turned_by: Annotated[float, msgspec.Meta(gt=0, le=0.4)]
    turned_limit: Positive
    reputation_drop: Points
    reputation_days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    unknown_days: Weight
    historical_days: Weight
    deliver_days: Positive
    lapse_days: Positive
    quiet_days: Weight
    kept: Annotated[int, msgspec.Meta(ge=1)]

    @cached_property
    def historical_us(self) -> int:
        return int(self.historical_days * DAY_US)

    @cached_property
    def failed_step(self) -> float:
        """What a failure adds to the sum of failures again."""
        return log(self.poor / self.accepted)

    @cached_property
    def kept_step(self) -> float:
        """What a success adds to it: less than 0."""
        return log((1.0 - self.poor) / (1.0 - self.accepted))

    @cached_property
    def slower_log(self) -> float:
        """The logarithm of ``silence_slower``."""
        return log(self.silence_slower)

    @cached_property
    def smaller_log(self) -> float:
        """The logarithm of ``silence_smaller``."""
        return log(self.silence_smaller)

    @cached_property
    def lapse_us(self) -> int:
        return int(self.lapse_days * DAY_US)

    @cached_property
    def quiet_us(self) -> int:
        return int(self.quiet_days * DAY_US)

    @cached_property
    def deliver_us(self) -> int:
        return int(self.deliver_days * DAY_US)


class ActionsPolicy(Section, frozen=True):
    after_days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    apart_days: Annotated[int, msgspec.Meta(ge=16)]
    quality_apart: Positive
    trend_apart: Positive
    neighbours: Annotated[int, msgspec.Meta(ge=1)]
    cases_min: Annotated[int, msgspec.Meta(ge=2)]
    others_max: Annotated[int, msgspec.Meta(ge=1)]

    @cached_property
    def after_us(self) -> int:
        return self.after_days * DAY_US

    @cached_property
    def apart_us(self) -> int:
        return self.apart_days * DAY_US


class Plays(Section, frozen=True):
    """The next step, in words, by kind of alert and by the rule of a standing's reason."""

    quality_turned: str
    silence: str
    complaint_overdue: str
    late_again: str
    pays_late_again: str
    slow_again: str
    wrong_again: str
    we_fail_again: str
    rate_above_benchmark: str
    contract_ending: str
    unequal_deal: str
    promise_broken: str
    exit_candidate: str
    reputation_dropped: str
    sole_source_at_risk: str
    data_quality: str
    low_quality: str
    open_conflict: str
    falling: str
    silent: str
    poor: str
    weak: str
    high_quality: str

    def of(self, name: str) -> str | None:
        """The play for an alert's kind or a reason's rule; ``weak_trust`` and its like share one. None: there is nothing to do."""
        found: str | None = getattr(self, "weak" if name.startswith("weak_") else name, None)
        return found


class StandingPolicy(Section, frozen=True):
    evidence_min: Weight
    width_max: Points
    grow: Points
    repair: Points
    exit: Points
    exit_evidence_min: Weight
    turn: Points
    net_loss: OpenShare
    hopeless: Share
    conflict: Weight
    conflict_days: Weight
    weak_gap: Share
    unequal: Share
    exposed: Share
    silence: OpenShare
    rhythm_min: Annotated[int, msgspec.Meta(ge=2)]
    margin: Points


class Standings(Section, frozen=True):
    customer: StandingPolicy
    partner: StandingPolicy
