"""Bundles are those of c2sp.org/tlog-proof and tlog-witness, and prove what they say to whoever trusts the key."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.proof.bundle import Consistency, Inclusion
from ledger.proof.checkpoint import Checkpoint, Trust
from ledger.proof.errors import MalformedError, UnprovenError, UntrustedError
from ledger.proof.leaf import encode_leaf
from ledger.proof.merkle import Frontier, leaf_hash
from ledger.proof.note import Note
from schemas.errors import LedgerError
from tests.ledger.proof.logs import LOG_SIGNER, ORIGIN, checkpoint, consistency, inclusion, record

TRUST = Trust(ORIGIN, (LOG_SIGNER.key,))
SIZE = 23


def stated(size: int) -> Checkpoint:
    return Checkpoint.parse(checkpoint(size).text)


@pytest.mark.parametrize("position", range(1, SIZE + 1))
def test_a_record_is_proven_at_its_position(position: int) -> None:
    bundle = Inclusion.parse(inclusion(position, SIZE).encode())
    stored, opened = bundle.verify(encode_leaf(record(position)), TRUST)
    assert stored == record(position)
    assert opened.checkpoint.size == SIZE
    with pytest.raises(UnprovenError):
        bundle.verify(encode_leaf(record(position + 1)), TRUST)


def test_a_bundle_is_written_as_the_specification_says() -> None:
    note = checkpoint(2)
    sibling = base64.b64encode(leaf_hash(encode_leaf(record(2)))).decode()
    assert inclusion(1, 2).encode().decode() == f"c2sp.org/tlog-proof@v1\nindex 0\n{sibling}\n\n{note.encode().decode()}"
    assert inclusion(1, 1).encode().decode() == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{checkpoint(1).encode().decode()}"


def test_extra_data_is_kept_and_proves_nothing() -> None:
    bundle = inclusion(3, SIZE)
    with_extra = Inclusion(bundle.index, bundle.proof, bundle.checkpoint, b"more")
    assert with_extra.encode().split(b"\n")[1] == b"extra bW9yZQ=="
    assert Inclusion.parse(with_extra.encode()) == with_extra
    assert with_extra.verify(encode_leaf(record(3)), TRUST) == bundle.verify(encode_leaf(record(3)), TRUST)


def test_the_form_that_witnesses_take() -> None:
    lines = consistency(14, SIZE).encode().decode().split("\n")
    blank = lines.index("")
    assert lines[0] == "old 14"
    assert all(len(base64.b64decode(line)) == 32 for line in lines[1:blank])
    assert "\n".join(lines[blank + 1 :]) == checkpoint(SIZE).encode().decode()


@pytest.mark.parametrize("old_size", range(1, SIZE + 1))
def test_a_log_is_proven_to_continue_an_earlier_checkpoint(old_size: int) -> None:
    bundle = Consistency.parse(consistency(old_size, SIZE).encode())
    assert bundle.verify(stated(old_size), TRUST).checkpoint.size == SIZE


def test_history_rewritten_and_signed_anew_is_found_by_an_old_checkpoint() -> None:
    """The attacker has the key and recomputes everything; who kept a checkpoint sees it."""
    rewritten = [leaf_hash(b"rewritten" if n == 3 else encode_leaf(record(n))) for n in range(1, SIZE + 1)]
    note = Checkpoint(ORIGIN, SIZE, Frontier().extended(rewritten).root()).signed(LOG_SIGNER)
    for proof in consistency(14, SIZE).proof, ():
        with pytest.raises(UnprovenError, match=r"not proven to continue that of size 14"):
            Consistency(14, proof, note.encode()).verify(stated(14), TRUST)
    with pytest.raises(UnprovenError):  # of the same size: no proof at all could join them
        Consistency(SIZE, (), note.encode()).verify(stated(SIZE), TRUST)


def test_a_proof_from_another_size_or_log_is_refused() -> None:
    with pytest.raises(UnprovenError, match="from size 14"):
        consistency(14, SIZE).verify(stated(13), TRUST)
    other = Checkpoint("ledger.example/other", 14, stated(14).root)
    with pytest.raises(UnprovenError, match=r"not 14 of ledger\.example/other"):
        consistency(14, SIZE).verify(other, TRUST)


def test_a_record_that_says_another_position_than_it_has_is_told() -> None:
    leaf = encode_leaf(record(5))
    note = Checkpoint(ORIGIN, 1, leaf_hash(leaf)).signed(LOG_SIGNER)
    with pytest.raises(UnprovenError, match="index 0 says position 5"):
        Inclusion(0, (), note.encode()).verify(leaf, TRUST)


def test_a_bundle_without_a_trusted_signature_proves_nothing() -> None:
    bundle = inclusion(3, SIZE)
    unsigned = Inclusion(bundle.index, bundle.proof, Note("other\n", Note.parse(bundle.checkpoint).signatures).encode())
    with pytest.raises(LedgerError):
        unsigned.verify(encode_leaf(record(3)), TRUST)
    with pytest.raises(UntrustedError):
        bundle.verify(encode_leaf(record(3)), Trust("ledger.example/other", (LOG_SIGNER.key,)))


@given(st.data())
def test_every_changed_byte_of_a_bundle_is_noticed(data: st.DataObject) -> None:
    def changed(raw: bytes) -> bytes:
        at = data.draw(st.integers(0, len(raw) - 1))
        return bytes([*raw[:at], raw[at] ^ data.draw(st.integers(1, 255)), *raw[at + 1 :]])

    with pytest.raises(LedgerError):
        Inclusion.parse(changed(inclusion(3, SIZE).encode())).verify(encode_leaf(record(3)), TRUST)
    with pytest.raises(LedgerError):
        Consistency.parse(changed(consistency(14, SIZE).encode())).verify(stated(14), TRUST)


HASH = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "head",
    [
        "", "index 0", "c2sp.org/tlog-proof@v2\nindex 0", "c2sp.org/tlog-proof@v1", f"c2sp.org/tlog-proof@v1\n{HASH}",
        "c2sp.org/tlog-proof@v1\nindex", "c2sp.org/tlog-proof@v1\nindex -1", "c2sp.org/tlog-proof@v1\nindex 00",
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA", "c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA", "c2sp.org/tlog-proof@v1\nextra \nindex 0",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{HASH} ", "c2sp.org/tlog-proof@v1\nindex 0\n" + "\n".join([HASH] * 64),
        "c2sp.org/tlog-proof@v1\r\nindex 0", "c2sp.org/tlog-proof@v1\nindex \u0660",
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_refused(head: str) -> None:
    with pytest.raises(MalformedError):
        Inclusion.parse(head.encode() + b"\n\n" + checkpoint(1).encode())
    with pytest.raises(MalformedError):
        Inclusion.parse(head.encode())
