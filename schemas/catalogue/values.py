"""The values touchpoints are made of: identifiers, moments, quantities, money.

Every number is bounded, so that no sum of them overflows a float and none is too large for a database's integer.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

SUBJECT_PATTERN = r"^(customer|partner)/[A-Za-z0-9._~:@+-]{1,200}$(?!\n)"  # "$" alone would let a last newline through
AMOUNT_PATTERN = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?$(?!\n)"
SIGNED_AMOUNT_PATTERN = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?$(?!\n)"
CURRENCY_PATTERN = r"^[A-Z]{3}$"


def doc(text: str, *, personal: bool = False, secret: bool = False, apart: bool = False) -> Meta:
    """Describe a field in the generated documents.

    ``personal``: it may hold personal data, so it is among the fields an erasure must reach. ``secret``: it would harm us in a
    counterparty's hands, so no view that one may see shows it. ``apart``, with ``personal``: a score needs to know whether two values of
    a relationship are the same, so they can be told apart even when erased.
    """
    marks = {mark: True for mark, on in (("personal", personal), ("secret", secret), ("apart", apart)) if on}
    return Meta(description=text, extra=marks or None, extra_json_schema={f"x-{mark}": True for mark in marks} or None)


Kind = Literal["customer", "partner"]
By = Literal["us", "them"]
Severity = Literal["minor", "moderate", "major", "critical"]

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Label = Annotated[str, Meta(max_length=200)]
Subject = Annotated[str, Meta(pattern=SUBJECT_PATTERN)]
Moment = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000_000)]
Quantity = Annotated[float, Meta(ge=0, le=1e15)]
Number = Annotated[float, Meta(ge=-1e15, le=1e15)]
Currency = Annotated[str, Meta(min_length=3, max_length=3, description="ISO 4217 code", extra_json_schema={"pattern": CURRENCY_PATTERN})]


class Value(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Base of everything in the catalogue. Never part of a reference cycle, so the garbage collector need not look."""


class Data(Value, frozen=True):
    """Base of the ``data`` of every touchpoint type. Fields the catalogue does not know stay in the stored bytes and are ignored here."""


class Money(Value, frozen=True):
    """An exact amount, never a float: up to 15 digits before the point and 6 after."""

    amount: Annotated[str, Meta(description="decimal, not negative", examples=["12.50"], extra_json_schema={"pattern": AMOUNT_PATTERN})]
    currency: Currency

    # Both fields in one match, which is twice as fast as two: the currency is three characters long, so the match is unambiguous.
    _matches: ClassVar[Any] = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?[A-Z]{3}").fullmatch
    _expected: ClassVar[str] = '{"amount": "12.50", "currency": "EUR"}'

    def __post_init__(self) -> None:
        if self._matches(self.amount + self.currency) is None:
            raise ValueError(f"expected money like {self._expected}")

    @property
    def value(self) -> Decimal:
        """The amount, in units of ``currency``."""
        return Decimal(self.amount)


class SignedMoney(Money, frozen=True):
    """Money that may be negative, such as a margin."""

    amount: Annotated[str, Meta(description="decimal", examples=["-3.20"], extra_json_schema={"pattern": SIGNED_AMOUNT_PATTERN})]

    _matches: ClassVar[Any] = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?[A-Z]{3}").fullmatch
    _expected: ClassVar[str] = '{"amount": "-3.20", "currency": "EUR"}'
