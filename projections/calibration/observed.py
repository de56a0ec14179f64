"""The events calibration looks at: whole histories, in order of time, of all relationships or of a fair sample of them.

Which relationships are in the sample follows from their names alone, so that two runs over the same log look at the same ones.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ledger.ledger import READ_LIMIT_MAX, Ledger
from projections.corrections import counting
from schemas.records import recorded
from schemas.touchpoint import LEDGER_SUBJECT, Recorded

HISTORIES_MAX = 10_000  # relationships; more make no figure surer than anybody could tell, and their events are held in memory
NUMBERS = 2**32  # relationships are numbered from 0 to this


class History(NamedTuple):
    """One relationship: its touchpoints as they count, by when they happened."""

    relationship: str
    kind: str
    events: tuple[Recorded, ...]


def events(ledger: Ledger) -> Iterator[Recorded]:
    """Every event about a relationship, in the order of the log."""
    after = 0
    while batch := ledger.read(after=after, limit=READ_LIMIT_MAX):
        for stored in batch:
            if stored.relationship != LEDGER_SUBJECT:
                yield recorded(stored)
        after = batch[-1].position


def observed(log: Iterable[Recorded], *, histories_max: int = HISTORIES_MAX) -> list[History]:
    """Whole histories, at most so many: those of the relationships with the smallest numbers."""
    found: dict[str, list[Recorded]] = {}
    below = NUMBERS
    for event in log:
        if _number(event.relationship) < below:
            found.setdefault(event.relationship, []).append(event)
            while len(found) > histories_max:
                below //= 2
                found = {name: told for name, told in found.items() if _number(name) < below}
    return [
        History(name, name.partition("/")[0], tuple(sorted(counting(told), key=lambda event: (event.occurred_us, event.position))))
        for name, told in sorted(found.items())
    ]


def _number(relationship: str) -> int:
    return zlib.crc32(relationship.encode())
