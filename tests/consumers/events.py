"""Touchpoints as the outside world writes them, for tests of what takes them in."""

import json
from typing import Any

from consumers.mapping import CsvMapping

NOW_US = 1_790_000_000_000_000  # 2026-09-21
STRUCTURED: list[tuple[str, bytes | None]] = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
ORDERS = CsvMapping.from_options(
    [
        "id={order}",
        "source=/import/shop",
        "type=relationship.purchase.v1",
        "subject=customer/{customer}",
        "time={ordered:time}",
        "data.order_id={order}",
        "data.amount.amount={total:money}",
        "data.amount.currency=EUR",
        "data.note={note}",
    ]
)


def event(number: int, *, subject: str = "customer/c1", **changes: Any) -> dict[str, Any]:
    """A valid purchase; ``changes`` replace or add attributes."""
    return {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "/shop",
        "type": "relationship.purchase.v1",
        "subject": subject,
        "time": "2026-09-20T12:00:00Z",
        "data": {"order_id": f"o{number}", "amount": {"amount": "12.50", "currency": "EUR"}},
    } | changes


def structured(number: int, **changes: Any) -> bytes:
    return json.dumps(event(number, **changes)).encode()


def binary(number: int, **changes: Any) -> tuple[list[tuple[str, bytes | None]], bytes]:
    """Headers and value of the same event in binary mode."""
    attributes = event(number, **changes)
    data = attributes.pop("data")
    headers: list[tuple[str, bytes | None]] = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    return [*headers, ("content-type", b"application/json")], json.dumps(data).encode()
