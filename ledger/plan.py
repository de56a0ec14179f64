"""Decide an append: from what callers ask and what the store knows to what is written and what is answered.

Pure, and the only place that decides; the recorders ask the store, write what was decided, and commit. Within one plan positions
follow each other with no gap, versions follow each other in their relationship, a repeat gets the position of its first, and a
request whose source's offset moved meanwhile writes nothing and leaves the others alone. The Merkle tree grows by a leaf an event, whose
personal values are sealed by then: what stands in the store is what is proven.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from msgspec.structs import astuple

from ledger import letters, sealing
from ledger.interface import Appended, DeadLetter, Delivered, LetterFor, Refused
from ledger.proof.leaf import hash_row
from ledger.proof.merkle import Frontier
from ledger.sums import moved
from ledger.vault import KeptKey, Sealer, Vault
from schemas.errors import ChangedError, LedgerError, NotFoundError, OvertakenError, RefusalCode, RefusedError
from schemas.identity import content_digest
from schemas.personal import UNMARKED
from schemas.touchpoint import LEDGER_SUBJECT, Touchpoint

MOVED = ("tracking", "keys")
"""The tables whose sums a plan moves; those of the others move as their rows are written."""

Answer = list[Appended | Refused]
Outcome = Answer | LedgerError
Row = tuple[int, str, int, str, int, bytes, bytes]
"""An event to be written: the fields of ``Stored`` in order, then its identity."""


class Erasure(msgspec.Struct, frozen=True):
    """Destroy the key of a relationship, if its newest version still is ``version``: what was looked at before still holds."""

    relationship: str
    version: int


class Request(msgspec.Struct):
    """What one caller wants appended, all of it or nothing. ``identities`` are those of ``touchpoints``, in order."""

    touchpoints: Sequence[Touchpoint]
    identities: Sequence[bytes]
    delivered: Sequence[Delivered] = ()
    dead_letters: Sequence[DeadLetter] = ()
    letter_for: LetterFor | None = None
    replays: int | None = None  # number of the dead letter that the one touchpoint corrects
    erases: Erasure | None = None


class Named(msgspec.Struct):
    """What requests name, and so what the store is asked for."""

    identities: list[bytes]  # none where they are supposed to be new
    relationships: set[str]
    erased: set[str]  # relationships whose key a request destroys
    streams: list[str]
    numbers: list[int]  # of dead letters that are replayed
    sealing_for: Sequence[str]  # as the function says

    def versions_asked(self, remembered: Mapping[str, int]) -> list[str]:
        """Relationships to look up; of an erased one always, since a request is judged by its version here and not in the database."""
        return list(self.relationships.difference(remembered) | self.erased)


def named(requests: Sequence[Request], *, supposing: bool) -> Named:
    """All that ``requests`` name; ``supposing``: that the log holds none of their identities."""
    return Named(
        [] if supposing else [identity for request in requests for identity in request.identities],
        {touchpoint.subject for request in requests for touchpoint in request.touchpoints},
        {request.erases.relationship for request in requests if request.erases is not None},
        list({delivered.stream for request in requests for delivered in request.delivered}),
        [request.replays for request in requests if request.replays is not None],
        sealing_for(requests),
    )


class Known(msgspec.Struct):
    """What the store holds of all that the requests name, read in the transaction that will write."""

    position: int  # of the newest event, 0 when there is none
    recorded_us: int  # of the newest event, 0 when there is none
    tree: Frontier  # over all events
    firsts: dict[bytes, tuple[int, bytes]]  # by identity: position and event of those already in the log
    versions: dict[str, int]  # by relationship: its newest version; absent or 0 where it has none
    offsets: dict[str, int]  # by stream: its next offset
    replayed: dict[int, int | None]  # by number of a dead letter: the position of its corrected form
    sealing_for: Sequence[str] = ()  # as the function says
    keys: Sequence[KeptKey] = ()  # of those relationships
    asked: dict[int, KeptKey] = {}  # by number: those that sealed ``firsts`` ask for
    last_key: int = 0  # the highest number of a key
    sums: dict[str, bytes] = {}  # of the tables in ``MOVED``, as in ``sums``


class Plan(msgspec.Struct):
    """What is written in one commit, and what each request is answered."""

    recorded_us: int
    tree: Frontier  # with the new events
    rows: list[Row] = []
    offsets: dict[str, int] = {}
    letters: list[tuple[Any, ...]] = []  # as ``letters.to_row`` makes them
    replayed: dict[int, int] = {}
    keys: list[KeptKey] = []  # new ones
    destroyed: list[int] = []  # numbers of keys
    sums: dict[str, bytes] = {}  # of the tables in ``MOVED`` that change, with what is written
    outcomes: list[Outcome] = []


def sealing_for(requests: Sequence[Request]) -> list[str]:
    """The relationships whose keys may be needed, the ledger's own first; none where nothing is to be sealed."""
    named = {one.subject for request in requests for one in request.touchpoints if one.type not in UNMARKED}
    named |= {request.erases.relationship for request in requests if request.erases is not None}
    named |= {letters.about(one) or LEDGER_SUBJECT for request in requests for one in request.dead_letters}
    named |= {LEDGER_SUBJECT for request in requests if request.letter_for is not None}
    return [LEDGER_SUBJECT, *(named - {LEDGER_SUBJECT})] if named else []


def plan(requests: Sequence[Request], known: Known, vault: Vault, *, now_us: int) -> Plan:
    """Decide ``requests`` in order. Uses up ``known``: what one request writes, the next one knows.

    Time never runs backwards in the log: with a clock behind the newest event, that event's moment is used again.
    """
    made, before = Plan(max(now_us, known.recorded_us), known.tree), dict(known.offsets)
    sealer = Sealer(vault, known.sealing_for, known.keys, last=known.last_key, now_us=made.recorded_us)
    for request in requests:
        made.outcomes.append(_refusal(request, known) or _decide(request, known, made, sealer, vault))
    made.keys, made.destroyed = sealer.made, [one.number for one in sealer.ended]
    made.tree = known.tree.extended(hash_row(*row[:-1]) for row in made.rows)
    if made.offsets:
        offsets = [one for one in before.items() if one[0] in made.offsets]
        made.sums["tracking"] = moved(known.sums.get("tracking", b""), offsets, made.offsets.items())
    if made.keys or made.destroyed:
        fresh = {one.number for one in made.keys}
        gone = [one for one in sealer.ended if one.number not in fresh]
        come = sealer.now([*made.keys, *gone])
        made.sums["keys"] = moved(known.sums.get("keys", b""), map(astuple, gone), map(astuple, come))
    return made


def _refusal(request: Request, known: Known) -> Outcome | None:
    """Answer a request that must not be carried out: its source moved, or its dead letter is unknown or replayed already."""
    for delivered in request.delivered:
        stored = known.offsets.get(delivered.stream)
        if stored != delivered.expected:
            return OvertakenError(delivered.stream, delivered.expected, stored)
    if request.erases is not None and known.versions.get(request.erases.relationship, 0) != request.erases.version:
        return ChangedError(request.erases.relationship, request.erases.version)
    if request.replays is None:
        return None
    if request.replays not in known.replayed:
        return NotFoundError(f"there is no dead letter {request.replays}; `rledger deadletters list` shows them")
    position = known.replayed[request.replays]
    return None if position is None else [Appended(position, duplicate=True)]


def _decide(request: Request, known: Known, made: Plan, sealer: Sealer, vault: Vault) -> Answer:
    """Place each touchpoint of ``request``, and note all that goes with it."""
    if request.erases is not None:
        sealer.erase(request.erases.relationship)
    firsts, versions, rows, recorded_us = known.firsts, known.versions, made.rows, made.recorded_us
    position = known.position
    answer: Answer = []

    def keep(letter: DeadLetter) -> None:
        made.letters.append(letters.to_row(letter, recorded_us, sealer.letter_key(letters.about(letter))))

    for touchpoint, identity in zip(request.touchpoints, request.identities, strict=True):
        first = firsts.get(identity)
        outcome = _as_stored(touchpoint, sealer) if first is None else _repeat(touchpoint, *first, known, vault)
        if isinstance(outcome, bytes):
            position += 1
            relationship = touchpoint.subject
            versions[relationship] = version = versions.get(relationship, 0) + 1
            rows.append((position, relationship, version, touchpoint.type, recorded_us, outcome, identity))
            firsts[identity] = (position, touchpoint.event)
            outcome = Appended(position, duplicate=False)
        elif request.letter_for is not None and isinstance(outcome, Refused):
            keep(request.letter_for(len(answer), outcome))
        answer.append(outcome)
    if position != known.position:
        known.position, known.recorded_us = position, recorded_us
    for delivered in request.delivered:
        known.offsets[delivered.stream] = made.offsets[delivered.stream] = delivered.next
    for letter in request.dead_letters:
        keep(letter)
    if request.replays is not None and isinstance(appended := answer[0], Appended):
        known.replayed[request.replays] = made.replayed[request.replays] = appended.position
    return answer


def _as_stored(touchpoint: Touchpoint, sealer: Sealer) -> bytes | Refused:
    """The event as it will stand in the store."""
    event = touchpoint.event
    if event.startswith(sealing.SEALED):
        return Refused("bad_envelope", "the event begins with the attribute sealed, by which the ledger marks its own: leave it out")
    if touchpoint.type in UNMARKED:
        return event
    try:
        return sealer.seal(touchpoint)
    except RefusedError as refused:
        return Refused(cast("RefusalCode", refused.code), refused.reason)


def _repeat(touchpoint: Touchpoint, position: int, event: bytes, known: Known, vault: Vault) -> Appended | Refused:
    """Answer a touchpoint whose identity stands at ``position`` with ``event``.

    Contents are compared only here, from the stored bytes: nothing extra is kept of the many that are never repeated, and nothing
    from which the content of an erased event could be guessed. Of an erased one the identity alone decides.
    """
    if sealing.is_sealed(event):
        keys = vault.open_all(known.asked[number] for number in sealing.numbers(event))
        if sealing.is_erased(event, keys):
            return Appended(position, duplicate=True)
        event = sealing.open_event(event, keys)
    if touchpoint.event == event:
        return Appended(position, duplicate=True)
    ours, theirs = content_digest(event), content_digest(touchpoint.event)
    if ours == theirs:
        return Appended(position, duplicate=True)
    return Refused(
        "id_reused",
        f"source {touchpoint.source!r} and id {touchpoint.id!r} stand at position {position} with other content "
        f"(SHA-256 {ours.hex()}, this one {theirs.hex()}): give a new touchpoint a new id, correct an old one with a correction",
    )
