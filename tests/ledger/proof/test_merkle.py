"""The tree is RFC 9162's: published vectors, the RFC's own examples, a naive tree and a library that is not ours agree with it."""

from hashlib import sha256

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.proof.errors import MalformedError, UnprovenError
from ledger.proof.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.ledger.proof.logs import naive_root, nodes_of

# The eight leaves and the roots after each that implementations of Certificate Transparency publish.
VECTOR_LEAVES = [
    bytes.fromhex(leaf) for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
VECTOR_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(str(n).encode()) for n in range(70)]
NODE = nodes_of(LEAVES)
SIZES = st.integers(0, len(LEAVES))


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots(size: int) -> None:
    assert Frontier().extended(map(leaf_hash, VECTOR_LEAVES[:size])).root().hex() == VECTOR_ROOTS[size]


def test_the_empty_tree_has_the_hash_of_nothing_as_its_root() -> None:
    assert Frontier().root() == EMPTY_ROOT == sha256(b"").digest() == tree_root(0, NODE)


def test_the_proofs_that_the_rfc_draws() -> None:
    """RFC 9162 section 2.1.5: the tree of seven leaves, its nodes named as there."""
    a, b, c, d, e, f, j = LEAVES[:7]
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, l = node_hash(g, h), node_hash(i, j)  # noqa: E741
    assert inclusion_proof(0, 7, NODE) == [b, h, l]
    assert inclusion_proof(3, 7, NODE) == [c, g, l]
    assert inclusion_proof(4, 7, NODE) == [f, j, k]
    assert inclusion_proof(6, 7, NODE) == [i, k]
    assert consistency_proof(3, 7, NODE) == [c, d, g, l]
    assert consistency_proof(4, 7, NODE) == [l]
    assert consistency_proof(6, 7, NODE) == [i, j, k]


@given(SIZES, st.lists(SIZES, max_size=6))
def test_batches_do_not_matter(size: int, cuts: list[int]) -> None:
    frontier, start = Frontier(), 0
    for cut in [*sorted(cut for cut in cuts if cut < size), size]:
        frontier = frontier.extended(LEAVES[start:cut])
        start = cut
    assert frontier == Frontier().extended(LEAVES[:size])
    assert frontier.size == size
    assert frontier.root() == naive_root(LEAVES[:size]) == tree_root(size, NODE)


@given(SIZES)
def test_a_frontier_survives_being_stored(size: int) -> None:
    frontier = Frontier().extended(LEAVES[:size])
    assert Frontier.decode(frontier.encode()) == frontier


@pytest.mark.parametrize("raw", [b"", bytes(7), bytes(9), (3).to_bytes(8, "big") + bytes(32), (4).to_bytes(8, "big") + bytes(64)])
def test_bytes_that_are_no_frontier_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedError, match="no frontier"):
        Frontier.decode(raw)


@pytest.mark.parametrize("size", range(1, 35))
def test_every_leaf_is_proven_in_its_place_and_no_other(size: int) -> None:
    root = naive_root(LEAVES[:size])
    for index in range(size):
        proof = inclusion_proof(index, size, NODE)
        verify_inclusion(LEAVES[index], index, size, proof, root)
        for wrong in (index - 1, index + 1, index + size, size):
            with pytest.raises(UnprovenError):
                verify_inclusion(LEAVES[index], wrong, size, proof, root)


@pytest.mark.parametrize("new_size", range(1, 35))
def test_every_tree_continues_every_earlier_one(new_size: int) -> None:
    for old_size in range(1, new_size + 1):
        verify_consistency(
            old_size, naive_root(LEAVES[:old_size]), new_size, naive_root(LEAVES[:new_size]), consistency_proof(old_size, new_size, NODE)
        )


def damaged(proof: list[bytes], at: int) -> list[list[bytes]]:
    """Proofs that differ from ``proof`` in one way each, about the hash ``at``."""
    extra = leaf_hash(b"extra")
    changed = [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]] if proof else [extra]
    return [
        changed,
        [*proof[:at], extra, *proof[at:]],
        [*proof, extra],
        [extra, *proof],
        *([[*proof[:at], *proof[at + 1 :]], [*proof[:at], proof[at] + b"\0", *proof[at + 1 :]], []] if proof else []),
    ]


@given(st.data(), st.integers(1, len(LEAVES)))
def test_a_damaged_inclusion_proof_proves_nothing(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(index, size, NODE), naive_root(LEAVES[:size])
    for wrong in damaged(proof, data.draw(st.integers(0, max(len(proof) - 1, 0)))):
        with pytest.raises(UnprovenError):
            verify_inclusion(LEAVES[index], index, size, wrong, root)
    for leaf, root_ in (LEAVES[index - 1] if size > 1 else root[::-1], root), (LEAVES[index], root[::-1]), (b"", root), (b"", b""):
        with pytest.raises(UnprovenError):
            verify_inclusion(leaf, index, size, proof, root_)


@given(st.data(), st.integers(2, len(LEAVES)))
def test_a_damaged_consistency_proof_proves_nothing(data: st.DataObject, new_size: int) -> None:
    old_size = data.draw(st.integers(1, new_size))
    old_root, new_root = naive_root(LEAVES[:old_size]), naive_root(LEAVES[:new_size])
    proof = consistency_proof(old_size, new_size, NODE)
    for wrong in damaged(proof, data.draw(st.integers(0, max(len(proof) - 1, 0)))):
        with pytest.raises(UnprovenError):
            verify_consistency(old_size, old_root, new_size, new_root, wrong)
    for old, new in (old_root[::-1], new_root), (old_root, new_root[::-1]):
        with pytest.raises(UnprovenError):
            verify_consistency(old_size, old, new_size, new, proof)


def test_size_0_proves_nothing_and_is_refused() -> None:
    with pytest.raises(UnprovenError):
        verify_inclusion(LEAVES[0], 0, 0, [], LEAVES[0])
    for new_size in 0, 5:
        with pytest.raises(UnprovenError):
            verify_consistency(0, EMPTY_ROOT, new_size, naive_root(LEAVES[:new_size]), [])
        with pytest.raises(ValueError, match="size 0"):
            consistency_proof(0, new_size, NODE)
    with pytest.raises(ValueError, match="no leaf 0"):
        inclusion_proof(0, 0, NODE)


def test_a_tree_does_not_continue_a_larger_one() -> None:
    with pytest.raises(UnprovenError):
        verify_consistency(5, naive_root(LEAVES[:5]), 3, naive_root(LEAVES[:3]), consistency_proof(3, 5, NODE))
    with pytest.raises(ValueError, match="from size 5 to 3"):
        consistency_proof(5, 3, NODE)


def test_pymerkle_agrees() -> None:
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    for n in range(len(LEAVES)):
        oracle.append_entry(str(n).encode())
    for size in range(1, len(LEAVES) + 1):
        root = Frontier().extended(LEAVES[:size]).root()
        assert oracle.get_root(size) == root
        for index in range(0, size, 3):
            assert oracle.prove_inclusion(index + 1, size).path[1:] == inclusion_proof(index, size, NODE)
            pymerkle.verify_consistency(Frontier().extended(LEAVES[: index + 1]).root(), root, oracle.prove_consistency(index + 1, size))
