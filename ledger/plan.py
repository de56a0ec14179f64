"""Decide an append: from what callers ask and what the store knows to what is written and what is answered.

Pure, and the only place that decides; the recorders ask the store, write what was decided, and commit. Within one plan positions
follow each other with no gap, versions follow each other in their relationship, a repeat gets the position of its first, and a
request whose source's offset moved meanwhile writes nothing and leaves the others alone. The Merkle tree grows by a leaf an event.
"""

from collections.abc import Sequence

import msgspec

from ledger.interface import Appended, DeadLetter, Delivered, LetterFor, Refused
from ledger.proof.leaf import hash_row
from ledger.proof.merkle import Frontier
from schemas.errors import LedgerError, NotFoundError, OvertakenError
from schemas.identity import content_digest
from schemas.touchpoint import Touchpoint

Answer = list[Appended | Refused]
Outcome = Answer | LedgerError
Row = tuple[int, str, int, str, int, bytes, bytes]
"""An event to be written: the fields of ``Stored`` in order, then its identity."""


class Request(msgspec.Struct):
    """What one caller wants appended, all of it or nothing. ``identities`` are those of ``touchpoints``, in order."""

    touchpoints: Sequence[Touchpoint]
    identities: Sequence[bytes]
    delivered: Sequence[Delivered] = ()
    dead_letters: Sequence[DeadLetter] = ()
    letter_for: LetterFor | None = None
    replays: int | None = None  # number of the dead letter that the one touchpoint corrects


class Known(msgspec.Struct):
    """What the store holds of all that the requests name, read in the transaction that will write."""

    position: int  # of the newest event, 0 when there is none
    recorded_us: int  # of the newest event, 0 when there is none
    tree: Frontier  # over all events
    firsts: dict[bytes, tuple[int, bytes]]  # by identity: position and event of those already in the log
    versions: dict[str, int]  # by relationship: its newest version; absent or 0 where it has none
    offsets: dict[str, int]  # by stream: its next offset
    replayed: dict[int, int | None]  # by number of a dead letter: the position of its corrected form


class Plan(msgspec.Struct):
    """What is written in one commit, and what each request is answered."""

    recorded_us: int
    tree: Frontier  # with the new events
    rows: list[Row] = []
    offsets: dict[str, int] = {}
    letters: list[DeadLetter] = []
    replayed: dict[int, int] = {}
    outcomes: list[Outcome] = []


def plan(requests: Sequence[Request], known: Known, *, now_us: int) -> Plan:
    """Decide ``requests`` in order. Uses up ``known``: what one request writes, the next one knows.

    Time never runs backwards in the log: with a clock behind the newest event, that event's moment is used again.
    """
    made = Plan(max(now_us, known.recorded_us), known.tree)
    for request in requests:
        made.outcomes.append(_refusal(request, known) or _decide(request, known, made))
    made.tree = known.tree.extended(hash_row(*row[:-1]) for row in made.rows)
    return made


def _refusal(request: Request, known: Known) -> Outcome | None:
    """Answer a request that must not be carried out: its source moved, or its dead letter is unknown or replayed already."""
    for delivered in request.delivered:
        stored = known.offsets.get(delivered.stream)
        if stored != delivered.expected:
            return OvertakenError(delivered.stream, delivered.expected, stored)
    if request.replays is None:
        return None
    if request.replays not in known.replayed:
        return NotFoundError(f"there is no dead letter {request.replays}; `rledger deadletters list` shows them")
    position = known.replayed[request.replays]
    return None if position is None else [Appended(position, duplicate=True)]


def _decide(request: Request, known: Known, made: Plan) -> Answer:
    """Place each touchpoint of ``request``, and note all that goes with it."""
    firsts, versions, rows, recorded_us = known.firsts, known.versions, made.rows, made.recorded_us
    position = known.position
    answer: Answer = []
    for touchpoint, identity in zip(request.touchpoints, request.identities, strict=True):
        first = firsts.get(identity)
        if first is None:
            position += 1
            relationship = touchpoint.subject
            versions[relationship] = version = versions.get(relationship, 0) + 1
            rows.append((position, relationship, version, touchpoint.type, recorded_us, touchpoint.event, identity))
            firsts[identity] = (position, touchpoint.event)
            answer.append(Appended(position, duplicate=False))
        else:
            answer.append(_repeat(touchpoint, *first))
            if request.letter_for is not None and isinstance(refused := answer[-1], Refused):
                made.letters.append(request.letter_for(len(answer) - 1, refused))
    if position != known.position:
        known.position, known.recorded_us = position, recorded_us
    for delivered in request.delivered:
        known.offsets[delivered.stream] = made.offsets[delivered.stream] = delivered.next
    made.letters.extend(request.dead_letters)
    if request.replays is not None and isinstance(appended := answer[0], Appended):
        known.replayed[request.replays] = made.replayed[request.replays] = appended.position
    return answer


def _repeat(touchpoint: Touchpoint, position: int, event: bytes) -> Appended | Refused:
    """Answer a touchpoint whose identity stands at ``position`` with ``event``.

    Contents are compared only here, from the stored bytes: nothing extra is kept of the many that are never repeated, and nothing
    from which the content of an erased event could be guessed.
    """
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
