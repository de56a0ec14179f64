"""How the two sides treat each other: being there, complaints, promises, incidents, judgements."""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.catalogue.values import By, Count, Data, Id, Label, Moment, Money, Number, Quantity, Severity, Subject, doc

FeedbackScale = Literal["nps", "csat", "stars", "ces"]
SCALES: dict[FeedbackScale, tuple[int, int]] = {"nps": (0, 10), "csat": (1, 5), "stars": (1, 5), "ces": (1, 7)}  # lowest, highest


class Opened(Data, frozen=True):
    """A relationship began, or what is known about it changed."""

    name: Annotated[str, doc("what people call it", personal=True)]
    counterparty: Annotated[Id | None, doc("the legal party: one party may be both customer and partner")] = None
    segment: Annotated[Label | None, doc("group of peers")] = None
    channel: Annotated[Label | None, doc("how it was won: referral, web, fair ...")] = None
    owner: Annotated[Label | None, doc("who looks after it with us", personal=True)] = None
    region: Label | None = None
    incentive: Annotated[Label | None, doc("what was offered to win it")] = None


class Closed(Data, frozen=True):
    """One side ended the relationship."""

    by: By
    reason: Annotated[str | None, doc("in words", personal=True)] = None


class Contact(Data, frozen=True):
    """The two sides were in touch."""

    channel: Annotated[Label, doc("phone, mail, visit ...")]
    direction: Annotated[Literal["inbound", "outbound"], doc("inbound: they turned to us")]
    response_hours: Annotated[Quantity | None, doc("hours until it was answered")] = None
    sentiment: Annotated[Annotated[float, Meta(ge=-1, le=1)] | None, doc("-1 hostile, 0 neutral, 1 warm")] = None


class Feedback(Data, frozen=True):
    """They told us how satisfied they are."""

    scale: Annotated[FeedbackScale, doc("nps 0-10, csat 1-5, stars 1-5; ces 1-7, where 7 is the least effort")]
    value: Annotated[Number, doc("points on the scale")]
    about: Label | None = None
    comment: Annotated[str | None, doc("in their words", personal=True)] = None

    def __post_init__(self) -> None:
        lowest, highest = SCALES[self.scale]
        if not lowest <= self.value <= highest:
            raise ValueError(f"value {self.value:g} is outside {self.scale}'s {lowest} to {highest}")


class Complaint(Data, frozen=True):
    """One side complained about the other. Open until ``complaint-resolved`` names the same ``complaint_id``."""

    complaint_id: Id
    by: Annotated[By, doc("who complained")]
    severity: Severity
    topic: Label | None = None


class ComplaintResolved(Data, frozen=True):
    """A complaint was settled, one way or another."""

    complaint_id: Id
    outcome: Literal["resolved", "rejected", "withdrawn"]
    satisfied: Annotated[bool | None, doc("whether the side that complained is content")] = None
    compensation: Money | None = None


class Incident(Data, frozen=True):
    """One side did something that harms more than one deal."""

    incident_id: Id
    by: Annotated[By, doc("whose conduct it was")]
    severity: Severity
    about: Literal["compliance", "security", "continuity", "conduct"] | None = None


class Referral(Data, frozen=True):
    """A customer recommended us to somebody."""

    referred: Annotated[Subject, doc("the relationship that was recommended to us")]
    converted: Annotated[bool | None, doc("whether it became a customer")] = None


class RequestAnswered(Data, frozen=True):
    """A question or request was answered."""

    request_id: Id
    by: Annotated[By, doc("who answered")]
    asked_at: Moment
    answered_at: Moment


class Promise(Data, frozen=True):
    """One side promised something by a date."""

    promise_id: Id
    by: Annotated[By, doc("who promised")]
    due_at: Moment
    what: Annotated[str | None, doc("in words", personal=True)] = None


class PromiseSettled(Data, frozen=True):
    """It is known what became of a promise."""

    promise_id: Id
    status: Literal["kept", "late", "broken", "waived"]


class Assessment(Data, frozen=True):
    """A person's judgement. Its weight is capped."""

    assessor: Annotated[Label, doc("who judges", personal=True, apart=True)]
    dimension: Annotated[Label, doc("the dimension of quality that is judged, such as trust")]
    value: Annotated[float, Meta(ge=0, le=1), doc("0 worst, 1 best")]
    rationale: Annotated[str, doc("why, in words", personal=True)]


class Action(Data, frozen=True):
    """We did something to improve the relationship."""

    action_id: Id
    play: Annotated[Label, doc("what we did, named so that it can be compared with others")]
    owner: Annotated[Label | None, doc("who did it", personal=True)] = None
    note: Annotated[str | None, doc("in words", personal=True)] = None


class Inspection(Data, frozen=True):
    """A lot from a partner was inspected."""

    lot_id: Id
    inspected: Annotated[Count, doc("pieces looked at")]
    defective: Annotated[Count, doc("pieces found defective, at most as many as were inspected")]

    def __post_init__(self) -> None:
        if self.defective > self.inspected:
            raise ValueError(f"defective {self.defective} is more than inspected {self.inspected}")
