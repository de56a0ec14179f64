"""What the intake loop asks of a source: messages in order, and how far each stream was read.

A source never decides what is valid and never stores anything. Its position is what the ledger committed with the messages
(``Delivered``); whatever it remembers itself may be thrown away at any moment (``rewind``).
"""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from ledger.interface import DeadLetter, Delivered
from schemas.errors import RefusalCode
from schemas.touchpoint import Touchpoint

M = TypeVar("M")  # one message as the source's client hands it over: not wrapped, the fast path touches it once


class Batch(msgspec.Struct, Generic[M], frozen=True):
    """Messages in the order of their streams, and the offsets the ledger commits with them."""

    messages: Sequence[M]
    delivered: tuple[Delivered, ...] = ()

    def __len__(self) -> int:
        """How many messages there are."""
        return len(self.messages)


class Offsets(Protocol):
    """What a source asks of the ledger."""

    def next_offsets(self, streams: Sequence[str]) -> dict[str, int]:
        """Where to go on reading each of ``streams``; a stream never read is absent."""

    def streams(self, prefix: str) -> dict[str, int]:
        """The next offset of every stream whose name begins with ``prefix``."""


class Source(Protocol[M]):
    """Where messages of type ``M`` come from. Used by one thread."""

    def poll(self, timeout_ms: int, limit: int) -> Batch[M] | None:
        """The next messages, at most ``limit``; empty when none came within ``timeout_ms``; None: the source has come to its end.

        Raises:
            LedgerError: going on would lose or repeat something silently; the message says what to do. Stop.
        """

    def touchpoint(self, message: M, now_us: int) -> Touchpoint:
        """Decode ``message``.

        Raises:
            RefusedError: it is not a valid touchpoint; keep ``letter`` instead.
        """

    def letter(self, message: M, code: RefusalCode, reason: str) -> DeadLetter:
        """The message as it came, with why it was refused."""

    def acknowledge(self, batch: Batch[M]) -> None:
        """Note that the ledger has ``batch``. Advisory: the ledger's own offsets decide where reading goes on."""

    def rewind(self) -> None:
        """Forget all positions; the next poll goes on from the offsets the ledger has stored."""

    def idle(self, timeout_ms: int) -> None:
        """Wait while staying a member in good standing (heartbeats), taking no messages."""

    def close(self) -> None:
        """Let go of the source. What was polled and not appended will be delivered again."""
