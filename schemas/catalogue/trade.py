"""What is bought, delivered, paid and supplied, and at which rates."""

from datetime import date
from typing import Annotated, Literal

from schemas.catalogue.values import By, Count, Data, Id, Label, Moment, Money, Quantity, SignedMoney, Value, doc


class SoldItem(Value, frozen=True):
    """One line of a customer's purchase."""

    sku: Id
    quantity: Quantity
    unit_price: Money | None = None


class OrderedItem(Value, frozen=True):
    """One line of our order with a partner."""

    item: Id
    quantity: Quantity
    unit_price: Money | None = None


class Purchase(Data, frozen=True):
    """A customer bought from us."""

    order_id: Id
    amount: Annotated[Money, doc("what the customer pays in all")]
    margin: Annotated[SignedMoney | None, doc("what is left of it after its direct costs")] = None
    channel: Label | None = None
    items: tuple[SoldItem, ...] | None = None


class Return(Data, frozen=True):
    """Goods went back to whoever sold them."""

    order_id: Id
    reason: Literal["defect", "wrong_item", "late", "changed_mind", "other"]
    amount: Annotated[Money | None, doc("what was refunded")] = None


class Delivery(Data, frozen=True):
    """Goods or a service were delivered. Late when ``delivered_at`` is after ``promised_at``."""

    order_id: Id
    by: Annotated[By, doc("who delivered")]
    promised_at: Moment
    delivered_at: Moment
    quantity_promised: Quantity | None = None
    quantity_delivered: Annotated[Quantity | None, doc("in full when at least quantity_promised")] = None
    defective: Annotated[Quantity | None, doc("how much of quantity_delivered was defective")] = None


class Payment(Data, frozen=True):
    """An invoice was paid."""

    invoice_id: Id
    by: Annotated[By, doc("who paid")]
    amount: Money
    due_on: date
    paid_on: date


class InvoiceDisputed(Data, frozen=True):
    """One side says an invoice is wrong."""

    invoice_id: Id
    by: Annotated[By, doc("who disputes it")]
    amount: Annotated[Money | None, doc("the part in dispute")] = None
    reason: Annotated[str | None, doc("in words", personal=True)] = None


class OrderPlaced(Data, frozen=True):
    """We ordered from a partner."""

    order_id: Id
    amount: Annotated[Money, doc("what we pay in all")]
    category: Annotated[Label | None, doc("of spend")] = None
    promised_at: Moment | None = None
    items: tuple[OrderedItem, ...] | None = None


class Rate(Data, frozen=True):
    """A partner's rate for an item, from a day on."""

    item: Id
    unit: Annotated[Label, doc("what the rate is for one of: piece, kg, hour ...")]
    rate: Annotated[Money, doc("a unit")]
    effective_on: date
    benchmark: Annotated[Money | None, doc("a unit, the market's rate")] = None
    quantity: Annotated[Quantity | None, doc("units it is agreed for")] = None


class Quote(Data, frozen=True):
    """We asked a partner for a quote."""

    rfq_id: Annotated[Id, doc("our request for quotation")]
    asked_at: Moment
    due_at: Moment | None = None
    answered_at: Annotated[Moment | None, doc("absent: no answer")] = None
    item: Id | None = None
    price: Money | None = None
    declined: Annotated[bool | None, doc("they will not quote")] = None


class Information(Data, frozen=True):
    """A supplier of information supplied a piece of it."""

    item: Id
    supplied_at: Moment
    requested_at: Moment | None = None
    accuracy: Annotated[Literal["confirmed", "refuted", "unknown"] | None, doc("what it turned out to be")] = None


class Qualified(Data, frozen=True):
    """A partner was qualified as a source for a category of spend."""

    category: Label
    alternatives: Annotated[Count, doc("other qualified sources; 0: this one is the sole source")]
    certifications: tuple[Label, ...] | None = None
    valid_until: date | None = None


class Disrupted(Data, frozen=True):
    """A partner's supply was interrupted."""

    starts_on: date
    item: Id | None = None
    ends_on: Annotated[date | None, doc("absent: not over yet")] = None
    cause: Label | None = None
    notice_days: Annotated[Count | None, doc("days of warning we had")] = None

    def __post_init__(self) -> None:
        if self.ends_on is not None and self.ends_on < self.starts_on:
            raise ValueError(f"ends_on {self.ends_on} is before starts_on {self.starts_on}")
