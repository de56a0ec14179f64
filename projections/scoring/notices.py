"""Data-quality notices of a relationship: what was reported about something nobody had opened, and amounts no rate is known for.

Such a touchpoint is a fact someone reported and counts as it can; the notice says what is missing, so that it can be sent later.
"""

from collections.abc import Sequence

import msgspec

from schemas import catalogue as c
from schemas.touchpoint import Recorded

OPENS: dict[type, tuple[str, str]] = {  # what opens a case: its name, the field with its id
    c.Complaint: ("complaint", "complaint_id"),
    c.NegotiationOpened: ("negotiation", "negotiation_id"),
    c.ContractSigned: ("contract", "contract_id"),
    c.Promise: ("promise", "promise_id"),
}
NEEDS: dict[type, tuple[str, str]] = {
    c.ComplaintResolved: OPENS[c.Complaint],
    c.NegotiationOffer: OPENS[c.NegotiationOpened],
    c.NegotiationClosed: OPENS[c.NegotiationOpened],
    c.ContractRenewed: OPENS[c.ContractSigned],
    c.ContractEnded: OPENS[c.ContractSigned],
    c.ContractBreached: OPENS[c.ContractSigned],
    c.PromiseSettled: OPENS[c.Promise],
}


class Notice(msgspec.Struct, frozen=True):
    """One gap in the data. ``position``: of the touchpoint that shows it, None where it is many."""

    notice: str
    position: int | None
    text: str


def never_opened(events: Sequence[Recorded]) -> list[Notice]:
    """Touchpoints that name an id never opened in this relationship, in the order of the log; when it was opened does not matter."""
    opened = {(told[0], getattr(event.data, told[1])) for event in events if (told := OPENS.get(type(event.data))) is not None}
    found = []
    for event in events:
        told = NEEDS.get(type(event.data))
        if told is not None and (told[0], getattr(event.data, told[1])) not in opened:
            name = getattr(event.data, told[1])
            found.append(Notice("never_opened", event.position, f"{event.type} names {told[0]} {name}, which was never opened"))
    return found


def without_rate(others: dict[str, str], currency: str) -> list[Notice]:
    """Amounts left out of the value."""
    return [
        Notice("no_exchange_rate", None, f"{amount} {other} left out of the value: no rate to {currency} is known for their days")
        for other, amount in others.items()
    ]
