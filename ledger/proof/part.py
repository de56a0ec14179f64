"""A part of the log that proves itself: its records at their positions, and the hashes of all that is left out, from left to right.

What lies between two records is covered by the fewest perfect subtrees; positions say which those are, so the proof is their hashes and
nothing else. From records and hashes follows the root. At most two hashes a level and gap: never more than a bundle for each record.
"""

from collections.abc import Iterable, Iterator

from ledger.proof.errors import UnprovenError
from ledger.proof.merkle import Frontier, Nodes

Subtree = tuple[int, int]
"""Level and index of a perfect subtree, as ``Nodes`` takes them."""


def subtrees(start: int, end: int) -> Iterator[Subtree]:
    """The fewest perfect subtrees that cover the leaves from ``start`` up to ``end``, from left to right."""
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield level, start >> level
        start += 1 << level


def passed(tree: Frontier, end: int, node: Nodes) -> tuple[Frontier, list[bytes]]:
    """The tree with the leaves up to ``end`` left out, and the hashes that stand for them."""
    hashes = []
    for level, index in subtrees(tree.size, end):
        hashes.append(node(level, index))
        tree = tree.joined(level, hashes[-1])
    return tree, hashes


def filled(tree: Frontier, end: int, hashes: Iterable[bytes]) -> Frontier:
    """The tree with the leaves up to ``end``, of which only ``hashes`` are known; takes as many from them as it needs.

    Raises:
        UnprovenError: there are too few.
    """
    following = iter(hashes)
    for level, _ in subtrees(tree.size, end):
        hash_ = next(following, None)
        if hash_ is None:
            raise UnprovenError(f"the proof ends before position {end + 1}: it was cut off, or records were moved; fetch it again")
        tree = tree.joined(level, hash_)
    return tree
