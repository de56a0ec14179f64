"""One holder at a time of a piece of work, whichever processes compete for it, told in the ledger's own offsets.

A lease is a stream's number, moved by the same compare-and-swap that guards a source's offsets: even while it is free, odd while
somebody holds it. Its holder renews it by adding two, best together with what it stores anyway. Who finds that a held lease was not
renewed for a whole term, by its own clock and no other, takes it over; the former holder's next renewal is then refused. No two
machines' clocks are compared.

A paused holder does not know that its term is over: it must not act unless ``fresh``, and what it set going must be over within the
rest of the term.
"""

import time
from collections.abc import Callable

from ledger.interface import Delivered
from ledger.ledger import Ledger
from schemas.errors import OvertakenError

FRESH_SHARE = 0.4  # of a term after a renewal in which its holder may act
RENEW_SHARE = 0.2  # of a term after which it renews


class Lease:
    """The lease ``name`` of ``ledger``, held by this object or not. ``term_s``: the same for everybody who competes for it."""

    def __init__(self, ledger: Ledger, name: str, *, term_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self.term_s, self._clock_s = ledger, term_s, clock_s
        self._stream = f"lease/{name}"
        self._seen: tuple[int | None, float] | None = None  # the number as it was found, and since when it has been so
        self._held: int | None = None
        self._renewed_s = 0.0

    def acquire(self) -> bool:
        """Whether it is ours now. While it is somebody else's, ask again a few times a term: only looking tells that it is not renewed."""
        if self._held is not None:
            return True
        now_s = self._clock_s()
        number = self._ledger.next_offsets([self._stream]).get(self._stream)
        if self._seen is None or self._seen[0] != number:
            self._seen = number, now_s
        if number is not None and number % 2 and now_s - self._seen[1] < self.term_s:
            return False
        try:
            self._swap(number, (number or 0) + (2 if number is not None and number % 2 else 1))
        except OvertakenError:
            return False
        return True

    def fresh(self) -> bool:
        """Whether its holder may act: it was renewed lately."""
        return self._held is not None and self._clock_s() - self._renewed_s < FRESH_SHARE * self.term_s

    def due(self) -> bool:
        """Whether it is time to renew."""
        return self._clock_s() - self._renewed_s >= RENEW_SHARE * self.term_s

    def renew(self, *stored: Delivered) -> None:
        """Keep it for another term, and store the holder's own offsets in the same commit.

        Raises:
            OvertakenError: somebody else has taken it over; nothing was stored. Stop, and acquire it again.
        """
        if self._held is None:
            raise ValueError("a lease is renewed by its holder")
        try:
            self._swap(self._held, self._held + 2, *stored)
        except OvertakenError:
            self._held = self._seen = None
            raise

    def release(self) -> None:
        """Let the next one have it at once. Nothing happens where it is not ours."""
        held, self._held = self._held, None
        if held is not None:
            try:
                self._ledger.append([], delivered=[Delivered(self._stream, held, held + 1)])
            except OvertakenError:
                self._seen = None

    def _swap(self, expected: int | None, number: int, *stored: Delivered) -> None:
        asked_s = self._clock_s()  # not when it was answered: the term began when others could see it, at the latest
        self._ledger.append([], delivered=[Delivered(self._stream, expected, number), *stored])
        self._held, self._renewed_s = number, asked_s
