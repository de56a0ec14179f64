"""contracts: one row per contract, from its signing to its end, with renewals and breaches.

Of several signings (or ends) of one contract the one that happened first holds; its end and value are those of the newest word on them. So
the row does not depend on the order of arrival. What is said of a contract nobody reported signed makes a row too.
"""

from datetime import date
from typing import Literal, get_args

import msgspec

from projections.named import named
from projections.scoring.marks import Mark
from schemas.catalogue import ContractBreached, ContractEnded, ContractRenewed, ContractSigned, Money
from schemas.touchpoint import iso

Word = ContractSigned | ContractRenewed | ContractEnded | ContractBreached


class Row(msgspec.Struct, frozen=True):
    """The table's columns. ``*_at`` are ISO 8601 UTC, ``*_on`` ISO dates; the value is a decimal text and an ISO 4217 code.

    status: ``running`` until somebody says it ended, also past ``ends_on``; ``unknown_signing`` when nobody reported it signed.
    ends_on, value_*: of the newest signing or renewal; a renewal that tells no value leaves the former one.
    notice_on: the last day to end or renew it, ``notice_days`` before its end; its end where no notice was agreed.
    """

    contract: str
    relationship: str
    contract_id: str
    status: Literal["running", "ended", "unknown_signing"]
    signed_at: str | None
    starts_on: str | None
    ends_on: str | None
    notice_on: str | None
    renewal: Literal["auto", "manual"] | None
    value_amount: str | None
    value_currency: str | None
    renewals: int
    renewed_at: str | None
    ended_at: str | None
    reason: Literal["expired", "terminated", "completed"] | None
    ended_by: Literal["us", "them"] | None
    breaches_ours: int
    breaches_theirs: int
    negotiation_id: str | None


class State(msgspec.Struct):
    """What is known of one contract. ``term``, ``value``: the newest word on its end and its value."""

    relationship: str
    contract_id: str
    signed: Mark | None = None
    signing: ContractSigned | None = None
    term: tuple[Mark, date | None] | None = None
    value: tuple[Mark, Money] | None = None
    renewals: int = 0
    renewed: Mark | None = None
    ended: Mark | None = None
    end: ContractEnded | None = None
    breaches_ours: int = 0
    breaches_theirs: int = 0


def _take(state: State, at: Mark, data: Word) -> None:
    match data:
        case ContractSigned():
            if state.signed is None or at < state.signed:
                state.signed, state.signing = at, data
            _agree(state, at, data.ends_on, data.value)
        case ContractRenewed():
            state.renewals += 1
            state.renewed = at if state.renewed is None else max(state.renewed, at)
            _agree(state, at, data.ends_on, data.value)
        case ContractEnded():
            if state.ended is None or at < state.ended:
                state.ended, state.end = at, data
        case ContractBreached(by="us"):
            state.breaches_ours += 1
        case ContractBreached():
            state.breaches_theirs += 1


def _agree(state: State, at: Mark, ends_on: date | None, value: Money | None) -> None:
    if state.term is None or at > state.term[0]:
        state.term = at, ends_on
    if value is not None and (state.value is None or at > state.value[0]):
        state.value = at, value


def publish(state: State, _moment_us: int) -> Row:
    """The same at every moment."""
    signing, end = state.signing, state.end
    ends_on = None if state.term is None else state.term[1]
    notice_days = (None if signing is None else signing.notice_days) or 0
    value = None if state.value is None else state.value[1]
    return Row(
        contract=f"{state.relationship}#{state.contract_id}",
        relationship=state.relationship,
        contract_id=state.contract_id,
        status="ended" if end is not None else "unknown_signing" if signing is None else "running",
        signed_at=_iso(state.signed),
        starts_on=None if signing is None else signing.starts_on.isoformat(),
        ends_on=None if ends_on is None else ends_on.isoformat(),
        notice_on=None if ends_on is None else _before(ends_on, notice_days).isoformat(),
        renewal=None if signing is None else signing.renewal,
        value_amount=None if value is None else value.amount,
        value_currency=None if value is None else value.currency,
        renewals=state.renewals,
        renewed_at=_iso(state.renewed),
        ended_at=_iso(state.ended),
        reason=None if end is None else end.reason,
        ended_by=None if end is None else end.by,
        breaches_ours=state.breaches_ours,
        breaches_theirs=state.breaches_theirs,
        negotiation_id=None if signing is None else signing.negotiation_id,
    )


def _iso(at: Mark | None) -> str | None:
    return None if at is None else iso(at.at_us)


def _before(day: date, days: int) -> date:
    """So many days before ``day``; the first day there is where that would be earlier still."""
    return date.fromordinal(max(1, day.toordinal() - days))


CONTRACTS = named(
    "contracts",
    version=2,
    row=Row,
    state=State,
    words=get_args(Word),
    name="contract_id",
    take=_take,
    publish=publish,
    index=("relationship", "status,ends_on", "status,notice_on"),
)
