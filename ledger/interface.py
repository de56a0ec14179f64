"""What a ledger takes and gives: the shapes of an append, of the source's offsets and of dead letters.

Shared by both recorders, the consumers and the command line.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from ledger.proof.merkle import Frontier
from schemas.errors import RefusalCode


class Delivered(msgspec.Struct, frozen=True):
    """How far a source was read, committed with what was read.

    ``stream`` names one ordered stream of the source, for Kafka ``kafka/<cluster id>/<topic>/<topic id>/<partition>``, for files
    ``file/<sha256 of its first record>``. The append happens only if the stored next offset is ``expected`` (None: nothing stored yet);
    afterwards it is ``next``.
    """

    stream: str
    expected: int | None
    next: int


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that could not become a touchpoint, as it came.

    ``origin`` is the topic or file it came from; ``offset`` counts from 0 (Kafka) or is the byte where the line starts (files).
    ``body`` is None for a null value or where even the bytes could not be read.
    """

    code: RefusalCode
    reason: str
    origin: str
    partition: int | None = None
    offset: int | None = None
    timestamp_ms: int | None = None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    body: bytes | None = None
    source: str | None = None  # of the CloudEvent, where it could be read
    id: str | None = None


class KeptLetter(msgspec.Struct, frozen=True):
    """A dead letter in the store. ``replayed_position`` is where its corrected form stands in the log, once it does."""

    number: int  # counts from 1
    recorded_us: int
    letter: DeadLetter
    replayed_us: int | None = None
    replayed_position: int | None = None


class Appended(msgspec.Struct, frozen=True, gc=False):
    """Where a touchpoint stands. ``duplicate``: it stood there before this append."""

    position: int
    duplicate: bool


class Refused(msgspec.Struct, frozen=True):
    """A touchpoint the ledger itself refused (``id_reused``)."""

    code: RefusalCode
    reason: str


LetterFor = Callable[[int, Refused], DeadLetter]
"""Makes the dead letter of the touchpoint at an index (from 0) of the append, when the ledger refuses it."""


class Tree(msgspec.Struct, frozen=True):
    """The Merkle tree at the end of the log. ``origin`` names this log among all logs, for ever; ``root`` is that of ``frontier``."""

    origin: str
    frontier: Frontier
    root: bytes


class KeptCheckpoint(msgspec.Struct, frozen=True):
    """A signed checkpoint that was seen, as it came: our own, or the same with cosignatures of witnesses."""

    number: int  # counts from 1
    size: int  # of its tree
    kept_us: int
    note: bytes


class Head(msgspec.Struct, frozen=True):
    """The end of the log. ``position`` 0 and ``recorded_us`` 0: empty."""

    position: int
    recorded_us: int


class Beside(msgspec.Struct, frozen=True):
    """A row that is no event: of offsets, dead letters, checkpoints. Values are int, str, bytes or None, by column."""

    table: str
    row: dict[str, Any]


Take = Callable[[Beside], object]
"""Takes one row after the other."""
