"""A small log to prove things about: records, keys, and the naive tree that the real one must agree with."""

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256

from ledger.proof.bundle import Consistency, Inclusion
from ledger.proof.checkpoint import Checkpoint
from ledger.proof.keys import WITNESS, Signer
from ledger.proof.leaf import encode_leaf
from ledger.proof.merkle import Frontier, Nodes, consistency_proof, inclusion_proof, leaf_hash
from ledger.proof.note import Note
from schemas.touchpoint import Stored

ORIGIN = "ledger.example/sales"
LOG_SIGNER = Signer(ORIGIN, bytes(range(32)))
WITNESS_SIGNERS = tuple(Signer(f"witness.example/w{n}", bytes([n]) * 32, WITNESS) for n in (1, 2, 3))
NOON_US = 1_763_985_600_000_000  # 2025-11-24T12:00:00Z


@cache
def records(count: int) -> list[Stored]:
    """``count`` of them over seven relationships, two a second."""
    return [record(position) for position in range(1, count + 1)]


def record(position: int) -> Stored:
    event = f'{{"specversion":"1.0","id":"{position}","source":"/crm","data":{{"note":"Größe {position * 7919 % 1000}"}}}}'
    relationship, version = f"customer/{position % 7}", (position + 6) // 7 if position % 7 else position // 7
    return Stored(position, relationship, version, "relationship.contact.v1", NOON_US + position // 2 * 1_000_000, event.encode())


@cache
def hashes(count: int) -> list[bytes]:
    return [leaf_hash(encode_leaf(stored)) for stored in records(count)]


def naive_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """MTH as RFC 9162 section 2.1.1 writes it down."""
    n = len(leaf_hashes)
    if n == 0:
        return sha256().digest()
    if n == 1:
        return leaf_hashes[0]
    k = 1
    while k * 2 < n:
        k *= 2
    return sha256(b"\x01" + naive_root(leaf_hashes[:k]) + naive_root(leaf_hashes[k:])).digest()


def nodes_of(leaf_hashes: Sequence[bytes]) -> Nodes:
    """Nodes computed from all leaves, naively; asked for one that is not whole, it fails."""

    def node(level: int, index: int) -> bytes:
        below = leaf_hashes[index << level : (index + 1) << level]
        assert len(below) == 1 << level
        return naive_root(below)

    return node


def checkpoint(size: int, leaf_hashes: Callable[[int], list[bytes]] = hashes) -> Note:
    return Checkpoint(ORIGIN, size, Frontier().extended(leaf_hashes(size)).root()).signed(LOG_SIGNER)


def encode_entries(leaves: Sequence[bytes]) -> bytes:
    """The bundle of up to 256 leaves, as c2sp.org/tlog-tiles writes it down."""
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def inclusion(position: int, size: int) -> Inclusion:
    proof = inclusion_proof(position - 1, size, nodes_of(hashes(size)))
    return Inclusion(position - 1, tuple(proof), checkpoint(size).encode())


def consistency(old_size: int, new_size: int) -> Consistency:
    proof = consistency_proof(old_size, new_size, nodes_of(hashes(new_size)))
    return Consistency(old_size, tuple(proof), checkpoint(new_size).encode())
