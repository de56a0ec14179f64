"""Which policy is in force: the last one adopted in the log, before the first adoption the one that ships with the program.

An adoption is an event like any other: asked about the past, it counts when it had happened by ``as_of`` and was recorded by ``known_at``.
So a question about a day is answered as it was on that day. The n-th adoption has the id ``policy-adopted/n``: all are found without
reading the log, and of two people who adopt at once only one is first.
"""

from collections.abc import Callable, Iterator
from functools import cached_property

import msgspec

from ledger.ledger import Ledger
from projections.scoring.policy import Policy
from projections.scoring.policy_file import Read, read, shipped, shipped_text
from schemas.catalogue import PolicyAdopted
from schemas.records import recorded
from schemas.touchpoint import LEDGER_SOURCE, Recorded


class Adoption(msgspec.Struct, frozen=True, dict=True):
    """The ``number``-th policy that was adopted, from 1; ``event`` says when and by whom."""

    number: int
    event: Recorded
    data: PolicyAdopted

    @cached_property
    def read(self) -> Read:
        """The policy, without what this program does not know.

        Raises:
            PolicyError: this program cannot follow it: another must be adopted.
        """
        return read(self.data.policy, where=f"{self.data.version}, adopted at position {self.event.position:,}", tolerant=True)


class Policies:
    """The policies of a ledger, as far as they were adopted when last looked."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.adopted: list[Adoption] = []
        self.refresh()

    def refresh(self) -> None:
        """Look for further adoptions."""
        while (found := self._ledger.find(LEDGER_SOURCE, adoption_id(len(self.adopted) + 1))) is not None:
            event = recorded(found)
            if not isinstance(event.data, PolicyAdopted):
                raise TypeError(f"position {event.position} has the id of an adoption and is none")
            self.adopted.append(Adoption(len(self.adopted) + 1, event, event.data))

    @property
    def newest(self) -> Adoption | None:
        """The last adoption; None: the shipped policy is in force."""
        return self.adopted[-1] if self.adopted else None

    @property
    def in_force(self) -> Policy:
        """The policy of today.

        Raises:
            PolicyError: this program cannot follow it.
        """
        return policy_of(self.newest)

    def when(self, counts: Callable[[Recorded], bool]) -> Adoption | None:
        """The last adoption that ``counts``; None: none did."""
        return next((one for one in reversed(self.adopted) if counts(one.event)), None)

    def earlier(self) -> Iterator[Policy]:
        """All that were in force before today's, the newest first."""
        for one in reversed(self.adopted[:-1]):
            yield policy_of(one)
        yield shipped()


def adoption_id(number: int) -> str:
    """The id of the ``number``-th adoption, from 1."""
    return f"policy-adopted/{number}"


def policy_of(adoption: Adoption | None) -> Policy:
    """The policy that was adopted, or the shipped one.

    Raises:
        PolicyError: this program cannot follow it.
    """
    return shipped() if adoption is None else adoption.read.policy


def text_of(adoption: Adoption | None) -> str:
    """Its file."""
    return shipped_text() if adoption is None else adoption.data.policy
