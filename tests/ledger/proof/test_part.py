"""Any records of a log, with the hashes of what is left out, give its root; with anything else they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.proof.errors import UnprovenError
from ledger.proof.merkle import Frontier
from ledger.proof.part import filled, passed, subtrees
from tests.ledger.proof.logs import hashes, naive_root, nodes_of

SIZE = 90
LEAVES = hashes(SIZE)
NODE = nodes_of(LEAVES)
PARTS = st.integers(1, SIZE).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1))))


def proof_of(size: int, indexes: set[int]) -> list[bytes]:
    tree, proof = Frontier(), []
    for index in sorted(indexes):
        tree, left_out = passed(tree, index, NODE)
        proof += left_out
        tree = tree.extended([LEAVES[index]])
    return proof + passed(tree, size, NODE)[1]


def root_from(size: int, leaves: dict[int, bytes], proof: list[bytes]) -> bytes:
    tree, following = Frontier(), iter(proof)
    for index, leaf in sorted(leaves.items()):
        tree = filled(tree, index, following).extended([leaf])
    tree = filled(tree, size, following)
    assert next(following, None) is None
    return tree.root()


@given(PARTS)
def test_records_and_hashes_of_the_rest_give_the_root(part: tuple[int, set[int]]) -> None:
    size, indexes = part
    proof = proof_of(size, indexes)
    assert root_from(size, {index: LEAVES[index] for index in indexes}, proof) == naive_root(LEAVES[:size])


@given(PARTS.filter(lambda part: bool(part[1])), st.data())
def test_another_record_gives_another_root(part: tuple[int, set[int]], data: st.DataObject) -> None:
    size, indexes = part
    leaves = {index: LEAVES[index] for index in indexes}
    leaves[data.draw(st.sampled_from(sorted(indexes)))] = bytes(32)
    assert root_from(size, leaves, proof_of(size, indexes)) != naive_root(LEAVES[:size])


@given(PARTS)
def test_a_proof_is_no_longer_than_the_gaps_need(part: tuple[int, set[int]]) -> None:
    size, indexes = part
    gaps = len(indexes) + 1
    assert len(proof_of(size, indexes)) <= min(size - len(indexes), gaps * 2 * size.bit_length())


@given(PARTS)
def test_a_proof_that_was_cut_off_is_refused(part: tuple[int, set[int]]) -> None:
    size, indexes = part
    proof = proof_of(size, indexes)
    if proof:
        with pytest.raises(UnprovenError, match="the proof ends before"):
            root_from(size, {index: LEAVES[index] for index in indexes}, proof[:-1])


@given(st.integers(0, 300), st.integers(0, 300))
def test_subtrees_cover_every_leaf_once_and_are_perfect(start: int, length: int) -> None:
    covered = [leaf for level, index in subtrees(start, start + length) for leaf in range(index << level, (index + 1) << level)]
    assert covered == list(range(start, start + length))


def test_a_subtree_joins_only_where_it_may_begin() -> None:
    with pytest.raises(ValueError, match="no perfect subtree of 4 leaves begins at 2"):
        Frontier().extended(LEAVES[:2]).joined(2, bytes(32))
