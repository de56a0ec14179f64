"""Read every event of a stretch of the log again, and hash it: positions, versions, identities, times, and what the tree is made of.

Reads rows as they stand and trusts none. A stretch may be scanned in a process of its own; ``merge`` joins neighbours.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from zlib import crc32

import msgspec

from ledger.plan import Row
from ledger.proof.leaf import hash_named
from ledger.proof.merkle import Frontier, ancestors
from ledger.proof.text import HASH_BYTES
from ledger.proof.tiles import HEIGHT, WIDTH
from ledger.recorder import LedgerRecorder
from schemas.identity import identity

PAGE_EVENTS = 8 * WIDTH  # about 1 MB: more would not stay in a processor's cache
MISSING = bytes(HASH_BYTES)  # stands for the leaf of an event that is not there, so that those behind it keep their places
WRONG_MAX = 100  # told of one stretch


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong. ``position``: where in the log, None where it concerns no single event; ``means``: for whoever relies on it."""

    position: int | None
    what: str
    means: str


class Stretch(msgspec.Struct):
    """What a scan found from ``start`` (leaves before it, a multiple of 256) on."""

    start: int
    count: int = 0  # leaves, missing ones included
    groups: bytes = b""  # the root of every 256 leaves in a row
    tail: bytes = b""  # the hashes of the leaves behind the last full group
    marks: dict[int, bytes] = {}  # by size asked for: the hashes of the leaves of its last group, which is not full
    firsts: dict[str, int] = {}  # by relationship: its first version here, and its last
    lasts: dict[str, int] = {}
    identities: int = 0  # sums of what the store's indexes must hold, as ``LedgerRecorder.index_sums`` makes them
    versions: int = 0
    first_us: int = 0
    last_us: int = 0
    wrong: list[Wrong] = []

    def tell(self, position: int | None, what: str, means: str) -> None:
        """Note what is wrong, of very much the first only."""
        if len(self.wrong) < WRONG_MAX:
            self.wrong.append(Wrong(position, what, means))


class _Named(msgspec.Struct, gc=False):
    source: str
    id: str
    type: str
    subject: str


_decode = msgspec.json.Decoder(_Named).decode

Group = Callable[[int, bytes], None]
"""Takes the number of a group of 256 leaves and their hashes; the last group may have fewer."""


def scan(recorder: LedgerRecorder, start: int, end: int, *, sizes: Collection[int], group: Group, told: Callable[[int], None]) -> Stretch:
    """Scan the events at positions ``start + 1`` to ``end``; 4 us an event.

    Args:
        recorder: whose events.
        start: a multiple of 256.
        end: of the stretch; what stands behind it is left to others.
        sizes: of trees whose roots will be asked for.
        group: is given the leaves' hashes.
        told: is called with the events read, page by page.
    """
    found = Stretch(start)
    marks = sorted(size for size in sizes if size % WIDTH)
    rest: list[bytes] = []  # the leaves behind the last full group
    roots: list[bytes] = []
    at = start
    while at < end:
        rows = [row for row in recorder.rows(at, min(PAGE_EVENTS, end - at)) if row[0] <= end]
        first, hashes = at - len(rest), [*rest, *_filled(found, rows, _leaves(found, rows), at, end)]
        at = first + len(hashes)
        for size in marks[bisect_right(marks, first) : bisect_right(marks, at)]:
            found.marks[size] = b"".join(hashes[size // WIDTH * WIDTH - first : size - first])
        full = len(hashes) // WIDTH * WIDTH
        for behind in range(0, full, WIDTH):
            group((first + behind) // WIDTH, b"".join(hashes[behind : behind + WIDTH]))
        roots += ancestors(hashes[:full], HEIGHT)
        rest = hashes[full:]
        told(at - start)
    if rest:
        group(at // WIDTH, b"".join(rest))
    found.count, found.groups, found.tail = at - start, b"".join(roots), b"".join(rest)
    return found


def _filled(found: Stretch, rows: Sequence[Row], leaves: list[bytes], at: int, end: int) -> list[bytes]:
    """The hashes of all leaves behind ``at``, given those of ``rows``; what is missing is told, and filled."""
    last = rows[-1][0] if rows else end
    if [row[0] for row in rows] == list(range(at + 1, last + 1)):
        return leaves
    there = dict(zip((row[0] for row in rows), leaves, strict=True))
    gaps = [position for position in range(at + 1, last + 1) if position not in there]
    for position in gaps[:WRONG_MAX]:
        found.tell(position, "the event is missing", "it was removed: positions are 1, 2, 3 ... for ever")
    return [there.get(position, MISSING) for position in range(at + 1, last + 1)]


def _leaves(found: Stretch, rows: Sequence[Row]) -> list[bytes]:
    """The hashes of the rows; versions follow each other, identities are those of the events, time never runs backwards."""
    firsts, lasts, before_us, identities, versions = found.firsts, found.lasts, found.last_us, 0, 0
    leaves = []
    for position, relationship, version, type_, recorded_us, event, stored in rows:
        name = relationship.encode()
        leaves.append(hash_named(position, name, version, type_.encode(), recorded_us, event))
        last = lasts.get(relationship)
        if last is None:
            firsts[relationship] = version
        elif version != last + 1:
            found.tell(position, f"version {version} of {relationship} follows version {last}", "events of it were moved, or are missing")
        lasts[relationship] = version
        identities += crc32(stored, position)
        versions += crc32(name, position * 31 + version)
        try:
            named = _decode(event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            found.tell(position, f"the event is no CloudEvent any more ({error})", "its bytes were altered")
        else:
            if identity(named.source, named.id) != stored:
                found.tell(position, "source and id are not those that its identity was made of", "the event or its identity was altered")
            if named.type != type_ or named.subject != relationship:
                found.tell(position, f"it is kept as {type_} of {relationship}, and says otherwise", "the event or its row was altered")
        if recorded_us < before_us:
            found.tell(position, "it was recorded before the event in front of it", "its time was altered, or events were moved")
        before_us = recorded_us
    found.identities, found.versions = found.identities + identities, found.versions + versions
    if rows:
        found.first_us, found.last_us = found.first_us or rows[0][4], before_us
    return leaves


def merge(stretches: Sequence[Stretch]) -> Stretch:
    """Join neighbours, in order, and check what neither saw alone: versions and times across their borders."""
    whole = Stretch(0)
    for one in stretches:
        if whole.start + whole.count != one.start:
            raise ValueError(f"a stretch from {one.start} does not follow {whole.count} leaves")
        for relationship, version in one.firsts.items():
            if version != (last := whole.lasts.get(relationship, 0)) + 1:
                what = f"from position {one.start + 1:,} on, version {version} of {relationship} follows version {last}"
                whole.tell(None, what, "events of it were moved, or are missing")
        if one.count and one.first_us < whole.last_us:
            whole.tell(one.start + 1, "it was recorded before the event in front of it", "its time was altered, or events were moved")
        whole.lasts |= one.lasts
        whole.count, whole.tail, whole.last_us = whole.count + one.count, one.tail, max(whole.last_us, one.last_us)
        whole.identities, whole.versions = whole.identities + one.identities, whole.versions + one.versions
        whole.groups += one.groups
        whole.marks |= one.marks
        for wrong in one.wrong:
            whole.tell(wrong.position, wrong.what, wrong.means)
    return whole


def trees(whole: Stretch, sizes: Collection[int]) -> dict[int, Frontier]:
    """The tree at each of ``sizes``: those that were asked of the scan, and its end."""
    found: dict[int, Frontier] = {}
    groups, done = Frontier(), 0
    for size in sorted(sizes):
        full = size // WIDTH
        groups = groups.extended(whole.groups[at * HASH_BYTES : (at + 1) * HASH_BYTES] for at in range(done, full))
        done = full
        rest = whole.tail if size == whole.count else whole.marks.get(size, b"")
        tail = Frontier().extended(rest[at : at + HASH_BYTES] for at in range(0, len(rest), HASH_BYTES))
        found[size] = Frontier(size, groups.roots + tail.roots)
    return found
