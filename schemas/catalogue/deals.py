"""What the two sides agree: negotiations, contracts, incentives."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from schemas.catalogue.values import By, Count, Data, Id, Label, Money, Number, Severity, Value, doc

Weight = Annotated[float, Meta(ge=0, le=1e6)]


class Span(Value, frozen=True):
    """What we guess of a value we cannot know: it lies between ``low`` and ``high``."""

    low: Number
    high: Number
    basis: Annotated[str | None, doc("what the guess rests on")] = None

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")


class Ours(Value, frozen=True):
    """What we want of an issue, in its unit."""

    target: Annotated[Number, doc("the best we hope for")]
    reservation: Annotated[Number, doc("the worst we would take before we walk away", secret=True)]


class Theirs(Value, frozen=True):
    """What we think they want of an issue, in its unit."""

    target: Annotated[Number | Span, doc("the best they hope for")]
    reservation: Annotated[Number | Span, doc("the worst they would take before they walk away", secret=True)]


class Issue(Value, frozen=True):
    """One thing that is negotiated: a price, a delay, a volume."""

    issue: Id
    ours: Ours
    unit: Annotated[Label | None, doc("what its numbers count: EUR, days ...")] = None
    theirs: Theirs | None = None
    weight_ours: Annotated[Weight | None, doc("how much it matters to us beside the others", secret=True)] = None
    weight_theirs: Annotated[Weight | None, doc("how much it matters to them, as we think")] = None
    benchmark: Annotated[Number | None, doc("the market's value")] = None
    options: Annotated[tuple[Number, ...] | None, doc("the allowed values, where they are few")] = None


Terms = dict[Id, Number]


class NegotiationOpened(Data, frozen=True):
    """A negotiation began, with what each side wants as far as we know."""

    negotiation_id: Id
    issues: Annotated[tuple[Issue, ...], Meta(min_length=1), doc("each named once")]
    about: Label | None = None

    def __post_init__(self) -> None:
        names = [issue.issue for issue in self.issues]
        if len(set(names)) < len(names):
            raise ValueError("issues names an issue twice")


class NegotiationOffer(Data, frozen=True):
    """One side made an offer."""

    negotiation_id: Id
    by: Annotated[By, doc("who offers")]
    terms: Annotated[Terms, doc("a number an issue, in the issue's unit")]


class NegotiationClosed(Data, frozen=True):
    """A negotiation ended, with a deal or without."""

    negotiation_id: Id
    outcome: Literal["agreed", "failed"]
    terms: Annotated[Terms | None, doc("what was agreed: a number an issue, in the issue's unit")] = None


class ContractSigned(Data, frozen=True):
    """A contract was signed."""

    contract_id: Id
    starts_on: date
    ends_on: Annotated[date | None, doc("absent: open-ended")] = None
    value: Annotated[Money | None, doc("over its whole term")] = None
    renewal: Annotated[Literal["auto", "manual"] | None, doc("auto: it goes on unless somebody ends it")] = None
    notice_days: Annotated[Count | None, doc("days before the end by which it must be ended or renewed")] = None
    negotiation_id: Id | None = None

    def __post_init__(self) -> None:
        if self.ends_on is not None and self.ends_on < self.starts_on:
            raise ValueError(f"ends_on {self.ends_on} is before starts_on {self.starts_on}")


class ContractRenewed(Data, frozen=True):
    """A contract goes on."""

    contract_id: Id
    ends_on: Annotated[date | None, doc("its new end; absent: open-ended")] = None
    value: Annotated[Money | None, doc("over its new term")] = None


class ContractEnded(Data, frozen=True):
    """A contract is over."""

    contract_id: Id
    reason: Literal["expired", "terminated", "completed"]
    by: Annotated[By | None, doc("who ended it, when somebody did")] = None


class ContractBreached(Data, frozen=True):
    """One side broke a contract."""

    contract_id: Id
    by: Annotated[By, doc("who broke it")]
    severity: Severity
    clause: Label | None = None


class Incentive(Data, frozen=True):
    """One side gave the other a reason to do more business."""

    incentive_id: Id
    by: Annotated[By, doc("who gives it")]
    form: Literal["discount", "rebate", "exclusivity", "volume", "training", "other"]
    value: Money | None = None
    condition: Annotated[str | None, doc("what must be done for it")] = None
