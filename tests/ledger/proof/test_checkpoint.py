"""Checkpoints and cosignatures are those of c2sp.org/tlog-checkpoint and tlog-cosignature; trust is explicit."""

import base64

import pytest

from ledger.proof.checkpoint import Checkpoint, Trust
from ledger.proof.errors import MalformedError, UntrustedError
from ledger.proof.keys import LOG, WITNESS, Signer, cosigned
from ledger.proof.merkle import EMPTY_ROOT
from ledger.proof.note import Note
from schemas.errors import SettingsError
from tests.ledger.proof.logs import LOG_SIGNER, ORIGIN, WITNESS_SIGNERS, checkpoint

# The examples of the specifications. Their keys are not published, so they show the form alone.
SPEC_CHECKPOINT = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""
SEEN_S = 1_679_315_147

KEYS = (LOG_SIGNER.key,)
WITNESSES = tuple(signer.key for signer in WITNESS_SIGNERS)
TRUST = Trust(ORIGIN, KEYS, WITNESSES, 2)


def test_the_example_of_the_specification_reads_and_writes() -> None:
    note = Note.parse(SPEC_CHECKPOINT.encode())
    read = Checkpoint.parse(note.text)
    assert (read.origin, read.size, read.extensions) == ("example.com/behind-the-sofa", 20_852_163, ())
    assert str(read) == note.text
    assert note.encode().decode() == SPEC_CHECKPOINT


def test_a_cosignature_signs_what_the_specification_shows() -> None:
    note = Note.parse(SPEC_CHECKPOINT.encode())
    assert cosigned(note.text, SEEN_S).decode() == (
        "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    assert note.signatures[1].signature[:8] == SEEN_S.to_bytes(8, "big")


def test_a_checkpoint_signed_and_cosigned_is_believed() -> None:
    note = checkpoint(7)
    for late, signer in enumerate(WITNESS_SIGNERS[:2]):
        note = note.signed(signer, SEEN_S + late)
    opened = TRUST.open(note.encode())
    assert opened.checkpoint == Checkpoint.parse(note.text)
    assert opened.note == note
    assert opened.cosigned_s == {WITNESSES[0]: SEEN_S, WITNESSES[1]: SEEN_S + 1}


def test_too_few_witnesses_are_not_believed() -> None:
    note = checkpoint(7).signed(WITNESS_SIGNERS[0], SEEN_S)
    twice = Note(note.text, (*note.signatures, note.signatures[-1]))
    with pytest.raises(UntrustedError, match="1 of the 2 witnesses"):
        TRUST.open(twice.encode())


def test_a_cosignature_at_another_time_is_wrong() -> None:
    note = checkpoint(7).signed(WITNESS_SIGNERS[0], SEEN_S)
    raw = bytearray(note.signatures[1].signature)
    for at in (7, 0):  # a second off; and past 2^63
        changed = bytes([*raw[:at], raw[at] ^ 0x80, *raw[at + 1 :]])
        assert not WITNESSES[0].verify(note.text, changed)
    assert WITNESSES[0].verify(note.text, bytes(raw))
    assert not WITNESSES[0].verify(note.text, bytes(raw[:5]))


def test_a_time_beyond_the_format_is_refused_though_it_was_signed() -> None:
    signature = WITNESS_SIGNERS[0].sign("text\n", 2**63)
    assert not WITNESSES[0].verify("text\n", signature)


def test_only_a_witness_signs_the_time() -> None:
    for signer, time_s in (LOG_SIGNER, SEEN_S), (WITNESS_SIGNERS[0], None):
        with pytest.raises(ValueError, match="a witness signs the time"):
            signer.sign("text\n", time_s)


def test_another_logs_checkpoint_is_not_believed_though_the_key_is_right() -> None:
    other = Note(str(Checkpoint("ledger.example/other", 0, EMPTY_ROOT))).signed(LOG_SIGNER)
    with pytest.raises(UntrustedError, match=r"of 'ledger\.example/other', not of 'ledger\.example/sales'"):
        Trust(ORIGIN, KEYS).open(other.encode())


def test_a_checkpoint_that_only_witnesses_signed_is_not_believed() -> None:
    note = Note(checkpoint(7).text)
    for signer in WITNESS_SIGNERS:
        note = note.signed(signer, SEEN_S)
    with pytest.raises(UntrustedError, match="no key that you trust"):
        TRUST.open(note.encode())


def test_after_a_rotation_either_key_is_believed() -> None:
    rotated = Signer(ORIGIN, b"n" * 32)
    trust = Trust(ORIGIN, (LOG_SIGNER.key, rotated.key))
    text = checkpoint(7).text
    for signer in LOG_SIGNER, rotated:
        assert trust.open(Note(text).signed(signer).encode()).checkpoint.size == 7


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "log\n", "log\n1\n", "log\n1\n{root}", "log\n\n1\n{root}\n", "\n1\n{root}\n", "log\n01\n{root}\n", "log\n-1\n{root}\n",
        "log\n+1\n{root}\n", "log\n1 \n{root}\n", "log\n\u0661\n{root}\n", "log\n9223372036854775808\n{root}\n", "log\n1\n{root}A\n",
        "log\n1\nAAAA\n", "log\n1\n{root}\n\n", "log\n1\n{root}\n\nmore\n", "log\n1\n{root}\nmo\tre\n", "log\n0\n{root}\n",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        Checkpoint.parse(text.replace("{root}", base64.b64encode(bytes(32)).decode()))


def test_extension_lines_are_kept_and_signed() -> None:
    extended = Checkpoint("log", 1, bytes(32), ("a line", "another"))
    assert Checkpoint.parse(str(extended)) == extended
    with pytest.raises(MalformedError, match="not empty"):
        Checkpoint("log", 1, bytes(32), ("",))


def test_the_empty_log_has_the_empty_root() -> None:
    assert Trust(ORIGIN, KEYS).open(checkpoint(0).encode()).checkpoint.root == EMPTY_ROOT


def test_keys_of_the_wrong_kind_and_quorums_out_of_reach_are_refused() -> None:
    with pytest.raises(SettingsError, match=f"not a log's key, whose type is {LOG:#04x}"):
        Trust(ORIGIN, WITNESSES)
    with pytest.raises(SettingsError, match=f"not a witness's key, whose type is {WITNESS:#04x}"):
        Trust(ORIGIN, KEYS, KEYS)
    for witnesses, quorum in ((), 1), (WITNESSES[:1] * 2, 2), (WITNESSES, -1):
        with pytest.raises(SettingsError, match="witnesses are asked for"):
            Trust(ORIGIN, KEYS, witnesses, quorum)
