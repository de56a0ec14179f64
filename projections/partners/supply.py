"""supply: one row per partner with what it supplies: items, their rates and what was bought, categories, contracts, disruptions.

What is kept is chosen by name and by when things happened, never by when they arrived. A partner of very many items is told by a sample:
the ``items_kept`` with the smallest hashes of their names, whichever arrive first (bottom-k sampling, Cohen & Kaplan 2007).
"""

from collections.abc import Sequence
from datetime import date
from functools import cache, partial
from typing import Protocol, TypeVar

import msgspec

from projections.months import month_name, month_of
from projections.projection import Projection
from projections.scoring.evidence import DAY_US
from projections.scoring.marks import Mark, mark
from projections.scoring.policy import Policy
from schemas import catalogue as c
from schemas.identity import digest
from schemas.touchpoint import Recorded

TERMS_KEPT = 12  # of a contract, the newest
DISRUPTIONS_KEPT = 24  # the newest
EPOCH_DAY = date(1970, 1, 1).toordinal()


class RateTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A rate from a day (proleptic ordinal) on. Amounts are in units of ``currency`` for one ``unit``; ``quantity`` it was agreed for."""

    effective_day: int
    mark: Mark
    rate: float
    currency: str
    unit: str
    benchmark: float | None = None
    quantity: float | None = None


class ItemKept(msgspec.Struct, array_like=True, gc=False):
    """``place``: in the order of hashes. ``bought``: by currency and month [quantity, amount paid]."""

    place: int
    rates: list[RateTold] = []
    bought: dict[str, dict[int, list[float]]] = {}


class ContractKept(msgspec.Struct, array_like=True, gc=False):
    """``terms``: each signing and renewal, when it happened and the day (proleptic ordinal) it set as the end."""

    place: int
    terms: list[tuple[Mark, int | None]] = []
    automatic: bool = False  # it goes on by itself: nobody can be late


class State(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of a partner. ``categories``: the newest word on how many other sources there are."""

    relationship: str
    opened: Mark | None = None
    name: str | None = None
    segment: str | None = None
    items: dict[str, ItemKept] = {}
    categories: dict[str, tuple[Mark, int]] = {}
    contracts: dict[str, ContractKept] = {}
    disruptions: list[tuple[int, int, int | None]] = []  # (from, tie, to): days as proleptic ordinals, None where not over yet


class Rate(msgspec.Struct, frozen=True):
    """One rate of an item. ``effective_on``: ISO date."""

    effective_on: str
    rate: float
    currency: str
    unit: str
    benchmark: float | None
    quantity: float | None


class Item(msgspec.Struct, frozen=True):
    """What is known of an item. rates: in the order they take effect. bought: by currency and month (``2026-05``) [quantity, amount]."""

    item: str
    rates: tuple[Rate, ...]
    bought: dict[str, dict[str, tuple[float, float]]]


class Row(msgspec.Struct, frozen=True):
    """The table's columns.

    sole_source: categories of spend with no other qualified source. alternatives: by category. items: see ``Item``.
    rushed_renewals: by month, contracts renewed within the policy's last days before their end, or after it.
    disruptions: [from, to] as ISO dates, ``to`` null where it was not told yet.
    """

    relationship: str
    name: str | None
    segment: str | None
    sole_source: tuple[str, ...]
    alternatives: dict[str, int]
    items: tuple[Item, ...]
    rushed_renewals: dict[str, int]
    disruptions: tuple[tuple[str, str | None], ...]


@cache
def supply(policy: Policy) -> Projection:
    """The projection under a policy."""
    return Projection(
        "supply",
        version=2,
        policy=policy.digest,
        row=Row,
        state=State,
        key=_key,
        takes=_TYPES,
        fold=partial(_fold, policy),
        publish=partial(_publish, policy),
        index=("segment,relationship",),
    )


_TYPES = frozenset({c.Opened, c.OrderPlaced, c.Rate, c.Qualified, c.ContractSigned, c.ContractRenewed, c.Disrupted})


def _key(event: Recorded) -> str | None:
    return event.relationship if event.relationship.startswith("partner/") else None


def _fold(policy: Policy, state: State | None, events: Sequence[Recorded]) -> State:
    if state is None:
        state = State(events[0].relationship)
    for event in events:
        _take(state, event, policy)
    return state


def _take(state: State, event: Recorded, policy: Policy) -> None:
    data = event.data
    if isinstance(data, c.OrderPlaced):
        _buy(state, data, month_of(event.occurred_us), policy)
    elif isinstance(data, c.Rate):
        _rate(state, data, mark(event), policy)
    elif isinstance(data, c.Qualified):
        new = mark(event), data.alternatives
        state.categories[data.category] = max(state.categories.get(data.category, new), new)
    elif isinstance(data, c.ContractSigned | c.ContractRenewed):
        _contract(state, data, mark(event), policy)
    elif isinstance(data, c.Disrupted):
        starts, ends = data.starts_on.toordinal(), None if data.ends_on is None else data.ends_on.toordinal()
        state.disruptions = sorted([*state.disruptions, (starts, mark(event).tie, ends)])[-DISRUPTIONS_KEPT:]
    elif isinstance(data, c.Opened) and (state.opened is None or mark(event) > state.opened):
        state.opened, state.name, state.segment = mark(event), data.name, data.segment


def _buy(state: State, data: c.OrderPlaced, month: int, policy: Policy) -> None:
    """Add what each line with a price bought; an order of one line has the order's price."""
    lines = data.items or ()
    for line in lines:
        price = line.unit_price
        if price is None and len(lines) > 1:
            continue
        kept = _kept(state.items, line.item, ItemKept, policy)
        if kept is not None:
            currency, amount = data.amount.currency, float(data.amount.amount)
            if price is not None:
                currency, amount = price.currency, line.quantity * float(price.amount)
            months = kept.bought.setdefault(currency, {})
            found = months.setdefault(month, [0.0, 0.0])
            found[0] += line.quantity
            found[1] += amount
            if len(months) > policy.supply.months_kept:
                del months[min(months)]


def _rate(state: State, data: c.Rate, at: Mark, policy: Policy) -> None:
    kept = _kept(state.items, data.item, ItemKept, policy)
    if kept is None:
        return
    benchmark = data.benchmark
    told = RateTold(
        data.effective_on.toordinal(),
        at,
        float(data.rate.amount),
        data.rate.currency,
        data.unit,
        float(benchmark.amount) if benchmark is not None and benchmark.currency == data.rate.currency else None,
        data.quantity,
    )
    kept.rates = sorted([*kept.rates, told], key=lambda one: (one.effective_day, one.mark))[-policy.rate.items_kept :]


def _contract(state: State, data: c.ContractSigned | c.ContractRenewed, at: Mark, policy: Policy) -> None:
    kept = _kept(state.contracts, data.contract_id, ContractKept, policy)
    if kept is not None:
        ends = None if data.ends_on is None else data.ends_on.toordinal()
        kept.terms = sorted([*kept.terms, (at, ends)], key=lambda term: term[0])[-TERMS_KEPT:]
        kept.automatic = kept.automatic or (isinstance(data, c.ContractSigned) and data.renewal == "auto")


class _Placed(Protocol):
    place: int


P = TypeVar("P", bound=_Placed)


def _kept(among: dict[str, P], name: str, make: type[P], policy: Policy) -> P | None:
    """What is kept under a name, begun where it is new; None where the name is not in the sample."""
    found = among.get(name)
    if found is not None:
        return found
    place = int.from_bytes(digest(name, "")[:7], "big")
    if len(among) >= policy.supply.items_kept:
        last = max(among, key=lambda one: among[one].place)
        if place > among[last].place:
            return None
        del among[last]
    made = among[name] = make(place)  # type: ignore[call-arg]  # what is kept begins with its place
    return made


def _publish(policy: Policy, state: State, _moment_us: int) -> Row:
    """The same at every moment."""
    return Row(
        relationship=state.relationship,
        name=state.name,
        segment=state.segment,
        sole_source=tuple(category for category, (_, alternatives) in sorted(state.categories.items()) if alternatives == 0),
        alternatives={category: alternatives for category, (_, alternatives) in sorted(state.categories.items())},
        items=tuple(_item(name, kept) for name, kept in sorted(state.items.items())),
        rushed_renewals=_rushed(state, policy.supply.rush_days),
        disruptions=tuple((_day(starts), None if ends is None else _day(ends)) for starts, _, ends in state.disruptions),
    )


def _item(name: str, kept: ItemKept) -> Item:
    rates = tuple(Rate(_day(one.effective_day), one.rate, one.currency, one.unit, one.benchmark, one.quantity) for one in kept.rates)
    bought = {
        currency: {month_name(month): (round(quantity, 6), round(amount, 6)) for month, (quantity, amount) in sorted(months.items())}
        for currency, months in sorted(kept.bought.items())
    }
    return Item(name, rates, bought)


def _rushed(state: State, days: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for kept in state.contracts.values():
        if kept.automatic:
            continue
        for (_, ends), (at, _) in zip(kept.terms, kept.terms[1:], strict=False):
            if ends is not None and at.at_us // DAY_US + EPOCH_DAY > ends - days:
                month = month_name(month_of(at.at_us))
                found[month] = found.get(month, 0) + 1
    return dict(sorted(found.items()))


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()
