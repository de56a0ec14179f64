"""The Merkle tree over the log's leaves: RFC 9162 section 2.1, with SHA-256.

A ``Frontier`` is all that appending needs: at most 63 hashes. Proofs need single nodes, which a ``Nodes`` fetches from tiles or a
table. Verifying needs neither, and trusts nothing it is given. Indexes count from 0: the record at position 17 is leaf 16.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from hashlib import sha256
from typing import Self

import msgspec

from ledger.proof.errors import MalformedError, UnprovenError
from ledger.proof.text import HASH_BYTES

EMPTY_ROOT = sha256(b"").digest()
SIZE_BYTES = 8

Nodes = Callable[[int, int], bytes]
"""The hash of the node at (level, index): the perfect subtree over leaves ``index * 2**level`` up to ``(index + 1) * 2**level``."""


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def ancestors(level: list[bytes], height: int) -> list[bytes]:
    """The nodes so much higher over the nodes of one level, whose number is a multiple of ``2 ** height``."""
    for _ in range(height):
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=True)]
    return level


class Frontier(msgspec.Struct, frozen=True):
    """The tree of the first ``size`` leaves, as far as appending to it needs to know.

    ``roots`` are those of the perfect subtrees that cover the leaves, from left to right, so from large to small: one for each bit
    set in ``size``.
    """

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def extended(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """Return the tree with more leaves at its right end. A pass a level: 0.3 us a leaf in batches of a thousand, 1 us alone."""
        level = list(leaf_hashes)
        added, height = len(level), 0
        left, right = list(self.roots), []
        while level:
            if self.size >> height & 1:
                level.insert(0, left.pop())
            if len(level) & 1:
                right.append(level.pop())
            level = ancestors(level, 1)
            height += 1
        return Frontier(self.size + added, (*left, *reversed(right)))

    def joined(self, level: int, root: bytes) -> "Frontier":
        """Return the tree with ``2 ** level`` more leaves, of which only the root is known; its size is a multiple of that."""
        if self.size & (1 << level) - 1:
            raise ValueError(f"no perfect subtree of {1 << level} leaves begins at {self.size}")
        left, height = list(self.roots), level
        while self.size >> height & 1:
            root, height = node_hash(left.pop(), root), height + 1
        return Frontier(self.size + (1 << level), (*left, root))

    def root(self) -> bytes:
        """The tree's root, 32 bytes; ``EMPTY_ROOT`` of no leaves."""
        return reduce(lambda right, left: node_hash(left, right), reversed(self.roots)) if self.roots else EMPTY_ROOT

    def encode(self) -> bytes:
        """The size, 8 bytes big-endian, and the roots."""
        return self.size.to_bytes(SIZE_BYTES, "big") + b"".join(self.roots)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Decode what ``encode`` made.

        Raises:
            MalformedError: it is anything else.
        """
        size = int.from_bytes(raw[:SIZE_BYTES], "big")
        if len(raw) != SIZE_BYTES + HASH_BYTES * size.bit_count():
            raise MalformedError(f"{len(raw)} bytes are no frontier of a tree of size {size}: rebuild it from the log")
        return cls(size, tuple(raw[at : at + HASH_BYTES] for at in range(SIZE_BYTES, len(raw), HASH_BYTES)))


def tree_root(size: int, node: Nodes) -> bytes:
    """The root of the tree of the first ``size`` leaves, from its nodes."""
    return _range_hash(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Nodes) -> list[bytes]:
    """Prove that leaf ``index`` is in the tree of ``size``: the hashes beside its path, from the leaf up (section 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of size {size}")
    proof = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range_hash(middle, end, node))
            end = middle
        else:
            proof.append(_range_hash(start, middle, node))
            start = middle
    return proof[::-1]


def consistency_proof(old_size: int, new_size: int, node: Nodes) -> list[bytes]:
    """Prove that the tree of ``old_size`` is the beginning of that of ``new_size``; empty when they are equal (section 2.1.4.1)."""
    if not 0 < old_size <= new_size:
        raise ValueError(f"no proof leads from size {old_size} to {new_size}: the RFC defines it from 1 on")
    proof = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            proof.append(_range_hash(middle, end, node))
            end = middle
        else:
            proof.append(_range_hash(start, middle, node))
            start = middle
    if start:  # else the old root itself, which the verifier has
        proof.append(_range_hash(start, end, node))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf with the hash ``leaf`` is the one at ``index`` of the tree with ``size`` and ``root`` (section 2.1.3.2).

    Raises:
        UnprovenError: it is not, or the proof is wrong.
    """
    fn, sn, found = index, size - 1, leaf
    right = 0 <= index < size and len(leaf) == HASH_BYTES
    for sibling in proof:
        right = right and sn > 0 and len(sibling) == HASH_BYTES
        if fn & 1 or fn == sn:
            found = node_hash(sibling, found)
            fn, sn = _past_zeroes(fn, sn)
        else:
            found = node_hash(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    if not (right and sn == 0 and found == root):
        raise UnprovenError(f"leaf {index} is not proven to be in the tree of size {size}: leaf, index, proof or root was altered")


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree with ``old_size`` and ``old_root`` is the beginning of the new one (section 2.1.4.2).

    Equal sizes need equal roots and an empty proof. Size 0 is refused: every tree begins with the empty one, so nothing is proven.

    Raises:
        UnprovenError: it is not, or the proof is wrong.
    """
    if old_size == new_size > 0:
        right = not proof and old_root == new_root
    else:
        path = [old_root, *proof] if old_size.bit_count() == 1 else list(proof)
        right = 0 < old_size < new_size and bool(proof) and all(len(hash_) == HASH_BYTES for hash_ in path)
        right = right and _both_roots(old_size, new_size, path) == (old_root, new_root)
    if not right:
        raise UnprovenError(
            f"the tree of size {new_size} is not proven to continue that of size {old_size}: records up to {old_size} were altered, "
            "or the proof is not of these two"
        )


def _both_roots(old_size: int, new_size: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """The old and the new root that a consistency proof leads to, or None where its length is wrong."""
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            fn, sn = _past_zeroes(fn, sn)
        else:
            new = node_hash(new, sibling)
        fn, sn = fn >> 1, sn >> 1
    return (old, new) if sn == 0 else None


def _past_zeroes(fn: int, sn: int) -> tuple[int, int]:
    """Climb the right edge to where a sibling is: shift both until ``fn`` is odd or 0."""
    while fn and not fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _range_hash(start: int, end: int, node: Nodes) -> bytes:
    """MTH(D[start:end]) of a range that is a subtree of the RFC's recursion: all perfect but those at the right edge."""
    level = (end - start).bit_length() - 1
    if end - start == 1 << level:
        return node(level, start >> level)
    middle = start + _split(end - start)
    return node_hash(_range_hash(start, middle, node), _range_hash(middle, end, node))


def _split(width: int) -> int:
    """The largest power of two smaller than ``width``."""
    return 1 << (width - 1).bit_length() - 1
