"""Verify the ledger: every event read and hashed again, and held against all that remembers what it was.

Those are the tree in its head, every checkpoint seen so far, and the tiles; then dead letters, offsets and keys. What is wrong is named
with its position and what it means. Nothing is mended. Views are compared in ``compared.py``.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from ledger.ledger import Ledger
from ledger.proof.merkle import Frontier
from ledger.proof.text import encode_base64
from ledger.scan import Stretch, Wrong, trees
from schemas.errors import LedgerError, StoreUnavailableError
from service.audit.besides import letters_and_offsets, private_keys
from service.audit.checkpoints import Checkpoints
from service.audit.scanning import Part, Told, read_log, uncollected
from service.audit.seen import Seen, seen_checkpoints
from service.audit.tiles import TileCheck
from service.settings import Settings

RESTORE = "stop all that write, keep the store as it is, for it is evidence, and restore a backup that verifies"


class Report(msgspec.Struct):
    """What was found. ``root`` is that of the events as they are now, in base64."""

    ok: bool
    size: int
    root: str
    problems: list[Wrong]


def verify(settings: Settings, checkpoints: Checkpoints, given: Sequence[Path], told: Told) -> Report:
    """Read the whole log again, and compare; 5 us an event and core. ``given``: files with checkpoints that were kept elsewhere.

    Raises:
        NotFoundError: a file of ``given`` is not there.
    """
    try:
        return _verify(settings, checkpoints, given, told)
    except StoreUnavailableError as error:
        return Report(False, 0, "", [Wrong(None, f"the log cannot be read to its end: {error}", RESTORE)])  # noqa: FBT003  # ok


def _verify(settings: Settings, checkpoints: Checkpoints, given: Sequence[Path], told: Told) -> Report:
    ledger = checkpoints.ledger
    size = ledger.head().position
    seen = seen_checkpoints(settings, checkpoints, given)
    sizes = frozenset(one.size for one in seen.checkpoints if one.size <= size)
    with uncollected(), ThreadPoolExecutor(1) as beside:  # what the database does itself, while other processes hash
        apart = beside.submit(_beside, checkpoints)
        whole, groups = read_log(ledger, Part(settings, 0, size, sizes, checkpoints.tiles.folder), told)
        sums, others = apart.result()
    found = trees(whole, sizes | {size})
    logs = [*_head(ledger, whole, found[size]), *_discontinued(found, seen, size)]
    problems = [
        *whole.wrong,
        *logs,
        *seen.problems,
        *TileCheck(checkpoints.tiles, groups, ledger.head().position).problems(whole, logs_fault=bool(logs)),
        *_indexes(whole, sums if ledger.head().position == size else None),
        *others,
    ]
    problems.sort(key=lambda wrong: (wrong.position is None, wrong.position))
    return Report(not problems, size, encode_base64(found[size].root()), problems)


def _beside(checkpoints: Checkpoints) -> tuple[tuple[int, int] | None, list[Wrong]]:
    """What the store's indexes hold, and what is wrong with all that is not the log."""
    ledger = checkpoints.ledger
    wrong = [Wrong(None, problem.what, problem.do) for problem in ledger.check()]
    return ledger.recorder.index_sums(), [*wrong, *letters_and_offsets(ledger), *private_keys(checkpoints)]


def _indexes(whole: Stretch, sums: tuple[int, int] | None) -> Iterator[Wrong]:
    if sums is not None:
        for name, expected, held in zip(("identities", "versions"), (whole.identities, whole.versions), sums, strict=True):
            if held != expected:
                what = f"the database's index of {name} does not hold what its table holds"
                yield Wrong(None, what, "events may not be found, or be appended twice: the database's file was altered, or is damaged")


def _head(ledger: Ledger, whole: Stretch, tree: Frontier) -> Iterator[Wrong]:
    """The head row against the events; it may have grown meanwhile."""
    try:
        head, kept = ledger.head(), ledger.tree()
    except LedgerError as error:
        yield Wrong(None, f"the tree in the head cannot be read: {error}", "it was altered")
        return
    if kept.frontier.size > tree.size:
        return
    if (kept.frontier, kept.root) != (tree, tree.root()):
        what = f"the head keeps a tree with the root {encode_base64(kept.root)}, the events have {encode_base64(tree.root())}"
        yield Wrong(None, what, "events were altered, removed, added or moved after they were appended, or the tree was")
    if whole.last_us != head.recorded_us:
        yield Wrong(None, f"the head was written at {head.recorded_us}, the last event at {whole.last_us}", "one of both was altered")


def _discontinued(found: Mapping[int, Frontier], seen: Seen, size: int) -> Iterator[Wrong]:
    """Checkpoints that the log does not continue, the smallest first: those before say up to where it is as it was."""
    good = 0
    for one in sorted(seen.checkpoints, key=lambda one: one.size):
        if one.size > size:
            what = f"{one.where} is of {one.size:,} events, the log has {size:,}"
            yield Wrong(size + 1, what, f"events were removed from its end, or this is an older backup; {RESTORE}")
        elif found[one.size].root() == one.root:
            good = one.size
        else:
            means = f"an event from position {good + 1:,} to {one.size:,} is not what was signed, even if all else agrees; {RESTORE}"
            yield Wrong(None, f"the log does not continue {one.where}, of {one.size:,} events", means)
