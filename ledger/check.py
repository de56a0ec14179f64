"""Whether a store still keeps the ledger's promises, and what to do where it does not.

Each store finds out about itself; what it found is judged here, alike for both. That nobody altered the bytes of an event is not seen
here but proven by hashes.
"""

from collections.abc import Iterator

import msgspec

NAMED_MAX = 5  # examples of one problem


class Problem(msgspec.Struct, frozen=True):
    """One promise not kept: ``what`` was found where, and what to ``do`` about it."""

    what: str
    do: str


class Findings(msgspec.Struct):
    """What a store found out about itself, reading all of its indexes: about a second a million events."""

    place: str
    head: int = 0  # position that the head row tells
    highest: int = 0  # position of the last event
    count: int = 0  # of events
    gaps: list[int] = []  # the first positions that are missing, NAMED_MAX at most
    uneven: list[str] = []  # relationships whose versions are not 1, 2, 3 ..., NAMED_MAX at most
    unguarded: list[str] = []  # triggers that are missing, switched off or altered
    damage: list[str] = []  # the database's own words on its pages and indexes


def problems(found: Findings) -> Iterator[Problem]:
    """What is wrong, the gravest first; nothing when all is well."""
    restore = "stop all that write to it and restore a backup; events are never removed by this program"
    if found.damage:
        yield Problem(f"{found.place} is damaged: {'; '.join(found.damage[:NAMED_MAX])}", f"check the disk, {restore}")
    if found.gaps:
        yield Problem(f"{found.place} lacks {found.highest - found.count} events, from position {_some(found.gaps)}", restore)
    if found.count > found.highest:
        yield Problem(f"{found.place} holds {found.count} events, and the last one is {found.highest}", restore)
    if found.head != found.highest:
        yield Problem(
            f"the head of {found.place} says {found.head} events, the last one is {found.highest}",
            f"somebody wrote to it past this program; {restore}",
        )
    if found.uneven:
        yield Problem(f"versions are not 1, 2, 3 ... in {found.place} for {_some(found.uneven)}", restore)
    if found.unguarded:
        yield Problem(
            f"{found.place} no longer refuses changes to its events: {_some(found.unguarded)} missing, off or altered",
            "find out who dropped the triggers and what was changed meanwhile (`rledger verify`), then restore them from a backup's schema",
        )


def _some(examples: list[int] | list[str]) -> str:
    return ", ".join(map(str, examples))
