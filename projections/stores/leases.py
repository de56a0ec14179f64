"""Who writes which slices: workers share them fairly, and take over those of a worker that is gone.

How it is known who is alive, and where it is written who has what, is each store's own (a ``Roll``). Each new owner of a slice raises its
epoch, which the old one's commits are then compared with: safe whatever is believed of who is alive, which only says how soon work goes on.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, Self

from projections.stores.interface import Holding, Lock
from projections.stores.slices import Share, Slice, fair

REBALANCE_S = 1.0  # between two looks at who else is there


class Held(NamedTuple):
    """A slice, the epoch of its lease, and the worker that took it, dead or alive; None: it was given up."""

    first: int
    beyond: int
    epoch: int
    worker: str | None


Handed = tuple[Sequence[int], Sequence[int]]
"""Slices given up, and slices taken, each by its first bucket."""
Decide = Callable[[Sequence[str], Sequence[Held]], Handed]
"""From the workers that are alive, in an order that all of them see, and all slices in theirs."""


class Roll(Protocol):
    """Where one worker is signed on, from when it is made until it leaves or dies. ``worker``: its name, like no other's."""

    worker: str

    def read(self) -> tuple[list[str], list[Held]]:
        """The workers that are alive, this one among them, and all slices. Waits for nobody."""

    def change(self, decide: Decide) -> list[Held]:
        """Give up and take what is decided of what stands now, but for what others take meanwhile. Returns: all slices then."""

    def leave(self) -> None:
        """Give up everything, so that others need not wait."""


def is_kept(holdings: Sequence[Holding]) -> bool:
    """Whether a worker that is alive has any slice; asked before one signs on, which makes others give slices up."""
    return any(one.worker is not None for one in holdings)


class Leases(Lock):
    """The slices of one worker, which the caller ends with ``release``."""

    def __init__(self, roll: Roll) -> None:
        self._roll = roll
        self._slices: tuple[Slice, ...] = ()
        self._look_s = 0.0  # when to look at the others again, by the monotonic clock

    @classmethod
    def alone(cls, roll: Roll) -> Self | None:
        """Every slice for good; None where a worker that is alive has one. Asked only where none ``is_kept``."""
        leases = cls(roll)
        try:
            if leases._take_all():
                return leases
        except BaseException:
            leases.release()
            raise
        leases.release()
        return None

    def look(self) -> Share:
        """The slices that are ours. Once in a while some are given up for others, or free ones are taken."""
        if time.monotonic() >= self._look_s:
            alive, held = self._roll.read()
            if any(self._due(alive, held)):
                held = self._roll.change(self._due)
            self._slices = self._mine(held)
            self._look_s = time.monotonic() + REBALANCE_S
        return self._slices

    def release(self) -> None:
        """Give up everything, so that others need not wait."""
        self._slices = ()
        self._roll.leave()

    def _take_all(self) -> bool:
        held = self._roll.change(self._all)
        self._slices, self._look_s = self._mine(held), float("inf")
        return len(self._slices) == len(held)

    def _mine(self, held: Sequence[Held]) -> tuple[Slice, ...]:
        return tuple(Slice(one.first, one.beyond, one.epoch) for one in held if one.worker == self._roll.worker)

    def _due(self, alive: Sequence[str], held: Sequence[Held]) -> Handed:
        """What brings us to our fair share: giving up what is too much, or taking free ones."""
        mine = [one.first for one in self._mine(held)]
        wanted = fair(len(held), len(alive), alive.index(self._roll.worker))
        free = [one.first for one in held if one.worker not in alive]
        return mine[wanted:], free[: max(0, wanted - len(mine))]

    def _all(self, alive: Sequence[str], held: Sequence[Held]) -> Handed:
        """All, where all are free."""
        return (), () if any(one.worker in alive for one in held) else [one.first for one in held]
