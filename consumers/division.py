"""One topic divided among several ledgers by its partitions, so that no ledger's head row is the limit.

Partition p belongs to ledger p mod n, counted from 0. A topic must have a multiple of n partitions: a key's ledger is then its hash mod
n, whatever their number, and the topic may be given more without a relationship ever moving from one ledger to another.
"""

from typing import Any

import msgspec
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.partitioner.default import murmur2

from schemas.errors import LedgerError

LEDGERS_MAX = 999
SIGN_BIT_OFF = 0x7FFF_FFFF  # Kafka's clients take the hash as a positive number


class DividedOtherwiseError(LedgerError):
    """The topic and the ledgers do not go together: relationships would be split between ledgers. The message says what to put right."""

    code = "divided_otherwise"


class Division(msgspec.Struct, frozen=True):
    """A ledger's share of a topic: it is ledger ``number`` (from 1) of ``of``."""

    number: int = 1
    of: int = 1

    @property
    def mark(self) -> int:
        """Both as one number, as it is kept in the ledger."""
        return self.of * (LEDGERS_MAX + 1) + self.number

    def owns(self, partition: int) -> bool:
        """Whether a partition (from 0) is this ledger's."""
        return partition % self.of == self.number - 1

    def check(self, topic: str, partitions: int, *, kept: int | None) -> None:
        """Make sure that relationships stay in one ledger. ``kept``: the mark this ledger was given before; None: none yet.

        Raises:
            DividedOtherwiseError: they would not.
        """
        if kept is not None and kept != self.mark:
            of, number = divmod(kept, LEDGERS_MAX + 1)
            raise DividedOtherwiseError(
                f"this ledger is number {number} of {of} that share topic {topic}, now told to be number {self.number} of {self.of}:"
                " put RLEDGER_STORE back as it was; to divide a topic anew, begin with empty ledgers and a copy of the topic"
            )
        if partitions % self.of:
            raise DividedOtherwiseError(
                f"topic {topic} has {partitions} partitions, which {self.of} ledgers cannot share evenly:"
                f" give it {partitions + -partitions % self.of}, a multiple of {self.of}"
            )


WHOLE = Division()


def number_of(key: str, ledgers: int) -> int:
    """Which of so many ledgers (from 1) a key's records are in, published by a client that places them as Kafka's own do (murmur2)."""
    hashed: int = murmur2(key.encode()) & SIGN_BIT_OFF
    return hashed % ledgers + 1


class DividedAssignor(CooperativeStickyAssignor):  # type: ignore[misc]  # kafka-python has no types
    """Shares a ledger's partitions among the consumers of its group, as if the topic had no others.

    Its name holds the division: the broker lets consumers of different ones into no common group.
    """

    def __init__(self, division: Division) -> None:
        super().__init__()
        self._division = division
        self.name = f"{CooperativeStickyAssignor.name}-{division.number}-of-{division.of}"

    def assign(self, cluster: Any, members: Any) -> Any:  # noqa: ANN401  # kafka-python's
        """As kafka-python's, of the ledger's partitions alone."""
        return super().assign(_Share(cluster, self._division), members)


class _Share:
    """What of a cluster's metadata the assignor reads, less the partitions of other ledgers."""

    def __init__(self, cluster: Any, division: Division) -> None:  # noqa: ANN401
        self._cluster, self._division = cluster, division

    def topics(self) -> set[str]:
        found: set[str] = self._cluster.topics()
        return found

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        partitions = self._cluster.partitions_for_topic(topic)
        return None if partitions is None else {partition for partition in partitions if self._division.owns(partition)}
