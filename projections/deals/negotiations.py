"""negotiations: one row per negotiation, from its opening to its close, with what each side gained and gave way.

A concession is what a side let go between its first and its last offer, as a share of its own range from walk-away to target (Raiffa 1982).
Targets and walk-aways are secrets and stand in no column: only the gains that they make of the terms.

Of several openings (or closes) of one negotiation the one that happened first holds, so the row does not depend on the order of arrival.
"""

from collections.abc import Callable
from typing import Literal, get_args

import msgspec

from projections.named import named
from projections.scoring import gains
from projections.scoring.evidence import DAY_US
from projections.scoring.gains import stakes
from projections.scoring.marks import Mark
from schemas.catalogue import NegotiationClosed, NegotiationOffer, NegotiationOpened
from schemas.touchpoint import iso

DIGITS = 4  # of a gain
Word = NegotiationOpened | NegotiationOffer | NegotiationClosed


class Row(msgspec.Struct, frozen=True):
    """The table's columns. ``*_at`` are ISO 8601 UTC; terms are a number an issue, in the issue's unit.

    status: ``unknown_opening`` when nobody reported it opened: then there is nothing to tell gains from.
    days: from its opening to its close, or to its newest offer while it is open.
    gain_ours: 0 at our walk-away, 1 at our target, of the terms agreed. gain_theirs_*: likewise, the least and most it may be as far as
        we know their range.
    conceded_*: what the side's last offer gives less of its own gain than its first; null before its second offer, and of theirs where
        nothing is known of their range. Below 0: it asked for more.
    """

    negotiation: str
    relationship: str
    negotiation_id: str
    about: str | None
    status: Literal["open", "agreed", "failed", "unknown_opening"]
    opened_at: str | None
    closed_at: str | None
    days: float | None
    issues: tuple[str, ...]
    offers_ours: int
    offers_theirs: int
    last_offer_ours: dict[str, float] | None
    last_offer_theirs: dict[str, float] | None
    terms: dict[str, float] | None
    gain_ours: float | None
    gain_theirs_low: float | None
    gain_theirs_high: float | None
    conceded_ours: float | None
    conceded_theirs: float | None


class Offers(msgspec.Struct, array_like=True):
    """A side's offers: how many, the first and the last."""

    count: int = 0
    first: tuple[Mark, dict[str, float]] | None = None
    last: tuple[Mark, dict[str, float]] | None = None


class State(msgspec.Struct):
    """What is known of one negotiation."""

    relationship: str
    negotiation_id: str
    opened: Mark | None = None
    opening: NegotiationOpened | None = None
    closed: Mark | None = None
    close: NegotiationClosed | None = None
    ours: Offers = msgspec.field(default_factory=Offers)
    theirs: Offers = msgspec.field(default_factory=Offers)


def _take(state: State, at: Mark, data: Word) -> None:
    match data:
        case NegotiationOpened():
            if state.opened is None or at < state.opened:
                state.opened, state.opening = at, data
        case NegotiationOffer():
            _offer(state.ours if data.by == "us" else state.theirs, at, data.terms)
        case NegotiationClosed():
            if state.closed is None or at < state.closed:
                state.closed, state.close = at, data


def _offer(offers: Offers, at: Mark, terms: dict[str, float]) -> None:
    offers.count += 1
    if offers.first is None or at < offers.first[0]:
        offers.first = at, terms
    if offers.last is None or at > offers.last[0]:
        offers.last = at, terms


def publish(state: State, _moment_us: int) -> Row:
    """The same at every moment."""
    opening, close = state.opening, state.close
    terms = None if close is None or close.outcome != "agreed" else close.terms
    theirs = _gains(opening, terms)
    return Row(
        negotiation=f"{state.relationship}#{state.negotiation_id}",
        relationship=state.relationship,
        negotiation_id=state.negotiation_id,
        about=None if opening is None else opening.about,
        status="unknown_opening" if opening is None else "open" if close is None else close.outcome,
        opened_at=None if state.opened is None else iso(state.opened.at_us),
        closed_at=None if state.closed is None else iso(state.closed.at_us),
        days=_days(state),
        issues=() if opening is None else tuple(issue.issue for issue in opening.issues),
        offers_ours=state.ours.count,
        offers_theirs=state.theirs.count,
        last_offer_ours=None if state.ours.last is None else state.ours.last[1],
        last_offer_theirs=None if state.theirs.last is None else state.theirs.last[1],
        terms=terms,
        gain_ours=_gain_ours(opening, terms),
        gain_theirs_low=None if theirs is None else round(theirs[0], DIGITS),
        gain_theirs_high=None if theirs is None else round(theirs[1], DIGITS),
        conceded_ours=_conceded(state.ours, lambda offer: _gain_ours(opening, offer)),
        conceded_theirs=_conceded(state.theirs, lambda offer: _gain_theirs(opening, offer)),
    )


def _days(state: State) -> float | None:
    """How long it took, or has taken so far."""
    ends = [offers.last[0].at_us for offers in (state.ours, state.theirs) if offers.last is not None]
    end_us = state.closed.at_us if state.closed is not None else max(ends, default=None)
    return None if state.opened is None or end_us is None else round(max(0, end_us - state.opened.at_us) / DAY_US, 2)


def _gain_ours(opening: NegotiationOpened | None, terms: dict[str, float] | None) -> float | None:
    if opening is None or not terms:
        return None
    on = stakes(opening.issues, terms)
    gain = gains.ours(on, [terms[stake.issue] for stake in on])
    return None if gain is None else round(gain, DIGITS)


def _gain_theirs(opening: NegotiationOpened | None, terms: dict[str, float] | None) -> float | None:
    """By the middle of what we think of them, over the issues we know anything about."""
    if opening is None or not terms:
        return None
    on = stakes(opening.issues, terms)
    gain = gains.theirs_likely(on, [terms[stake.issue] for stake in on])
    return None if gain is None else round(gain, DIGITS)


def _gains(opening: NegotiationOpened | None, terms: dict[str, float] | None) -> tuple[float, float] | None:
    """The least and the most they may gain."""
    if opening is None or not terms:
        return None
    on = stakes(opening.issues, terms)
    return gains.theirs(on, [terms[stake.issue] for stake in on])


def _conceded(offers: Offers, gain: Callable[[dict[str, float]], float | None]) -> float | None:
    if offers.count < 2 or offers.first is None or offers.last is None:  # noqa: PLR2004  # from one to another
        return None
    first, last = gain(offers.first[1]), gain(offers.last[1])
    return None if first is None or last is None else round(first - last, DIGITS)


NEGOTIATIONS = named(
    "negotiations",
    version=2,
    row=Row,
    state=State,
    words=get_args(Word),
    name="negotiation_id",
    take=_take,
    publish=publish,
    index=("relationship", "status,opened_at"),
)
