"""Keys and signed notes are those of c2sp.org/signed-note; Ed25519 is that of RFC 8032."""

import base64
import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.proof.errors import MalformedError, UntrustedError
from ledger.proof.keys import KEY_BYTES, LOG, WITNESS, P, Signer, VerifierKey
from ledger.proof.note import SIGNATURES_MAX, Note
from schemas.errors import SettingsError

SPEC_KEY = VerifierKey.parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
SPEC_NOTE = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()

# The example of Go's golang.org/x/mod/sumdb/note, which signed notes come from.
GO_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"

# RFC 8032 section 7.1: secret key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]

ALICE, BOB = Signer("alice.example", b"a" * 32), Signer("bob.example", b"b" * 32)
TEXT = "first line\n\nafter an empty one\n"


def test_the_example_of_the_specification() -> None:
    note = Note.parse(SPEC_NOTE)
    assert note.text == "This is an example message.\n"
    assert list(note.signed_by([SPEC_KEY])) == [SPEC_KEY]
    assert note.encode() == SPEC_NOTE
    assert str(SPEC_KEY) == "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def test_what_go_signed_verifies_and_what_we_sign_is_what_go_signs() -> None:
    signer = Signer.parse(GO_PRIVATE)
    assert str(signer.key) == GO_PUBLIC
    assert signer.reveal() == GO_PRIVATE
    assert Note(GO_TEXT).signed(signer).encode() == f"{GO_TEXT}\n{GO_LINE}".encode()
    assert signer.key in Note.parse(f"{GO_TEXT}\n{GO_LINE}".encode()).signed_by([VerifierKey.parse(GO_PUBLIC)])


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    signer = Signer("rfc8032", bytes.fromhex(secret))
    assert signer.key.public.hex() == public
    text = bytes.fromhex(message).decode("latin-1")
    if text.isascii():  # a note is text: the third message is none
        assert signer.sign(text).hex() == signature
        assert signer.key.verify(text, bytes.fromhex(signature))


# Keys


# y of the eight points whose order divides 8, little-endian: from "Taming the many EdDSAs" (2020), table 1, and libsodium's blocklist.
LOW_ORDER_YS = [
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
]


def test_every_key_of_low_order_is_refused_in_every_encoding() -> None:
    encodings = {y + shift | sign << 255 for y in LOW_ORDER_YS for shift in (0, P) if y + shift < 1 << 255 for sign in (0, 1)}
    assert len(encodings) == 14
    for encoding in encodings:
        with pytest.raises(MalformedError, match="low order"):
            VerifierKey("low.example", LOG, encoding.to_bytes(32, "little"))


@pytest.mark.parametrize("y", range(P, 2**255))
def test_every_key_that_is_not_canonical_is_refused(y: int) -> None:
    for sign in 0, 1:
        with pytest.raises(MalformedError, match="not canonical"):
            VerifierKey("twice.example", LOG, (y | sign << 255).to_bytes(32, "little"))


def test_a_key_off_the_curve_or_of_another_length_is_refused() -> None:
    for public in (2).to_bytes(32, "little"), ALICE.key.public[:-1], ALICE.key.public + b"\0", b"":
        with pytest.raises(MalformedError, match="not on the curve"):
            VerifierKey("wrong.example", LOG, public)


@given(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES), st.sampled_from([LOG, WITNESS]))
def test_every_key_that_is_made_is_sound_and_reads_back(seed: bytes, kind: int) -> None:
    signer = Signer("log.example/1", seed, kind)
    assert VerifierKey.parse(str(signer.key)) == signer.key
    assert Signer.parse(signer.reveal()).key == signer.key


def test_the_same_key_has_another_id_as_a_witness() -> None:
    assert Signer("a", b"a" * 32, LOG).key.id != Signer("a", b"a" * 32, WITNESS).key.id


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb", "a\tb", "a\x00b", "a\u0085b", "\ud800"])
def test_names_with_spaces_pluses_or_controls_are_refused(name: str) -> None:
    with pytest.raises(MalformedError, match="cannot name a key"):
        Signer(name, b"a" * 32)


def test_every_mangled_verifier_key_is_refused() -> None:
    """After Go's own test: every part of it, and every character raised by one."""
    for start in range(len(GO_PUBLIC)):
        for end in range(start, len(GO_PUBLIC) + 1):
            if end - start < len(GO_PUBLIC):
                with pytest.raises(MalformedError):
                    VerifierKey.parse(GO_PUBLIC[start:end])
    for at, character in enumerate(GO_PUBLIC):
        with pytest.raises(MalformedError):
            VerifierKey.parse(GO_PUBLIC[:at] + chr(ord(character) + 1) + GO_PUBLIC[at + 1 :])


def test_a_key_of_another_kind_is_refused() -> None:
    typed = b"\x06" + ALICE.key.public
    id_ = hashlib.sha256(b"alice.example\n" + typed).hexdigest()[:8]
    with pytest.raises(MalformedError, match="type 0x06"):
        VerifierKey.parse(f"alice.example+{id_}+{base64.b64encode(typed).decode()}")


def test_a_mangled_private_key_is_refused_and_never_shown() -> None:
    for at, character in enumerate(GO_PRIVATE):
        with pytest.raises(MalformedError) as caught:
            Signer.parse(GO_PRIVATE[:at] + chr(ord(character) + 1) + GO_PRIVATE[at + 1 :])
        assert "YEKFALVF" not in str(caught.value)
        assert caught.value.__cause__ is None
    with pytest.raises(MalformedError):
        Signer.parse(GO_PRIVATE[:-8])
    assert "AYEKFALVF" not in repr(Signer.parse(GO_PRIVATE))


# Notes


def test_a_note_keeps_the_signatures_of_all() -> None:
    note = Note(TEXT).signed(ALICE).signed(BOB)
    parsed = Note.parse(note.encode())
    assert parsed == note
    assert list(parsed.signed_by([BOB.key, ALICE.key])) == [ALICE.key, BOB.key]
    assert list(parsed.signed_by([BOB.key])) == [BOB.key]
    assert parsed.signed_by([]) == {}


def test_signing_again_replaces_the_signature() -> None:
    assert Note(TEXT).signed(ALICE).signed(BOB).signed(ALICE).signatures == Note(TEXT).signed(BOB).signed(ALICE).signatures


def test_signatures_of_unknown_keys_count_for_nothing_though_they_share_a_name_or_an_id() -> None:
    namesake = Signer(ALICE.key.name, b"c" * 32)
    raw = Note(TEXT).signed(namesake).encode()
    assert Note.parse(raw).signed_by([ALICE.key]) == {}
    blob = base64.b64encode(ALICE.key.id + bytes(64))
    with_her_id = raw + b"\xe2\x80\x94 mallory.example " + blob + b"\n"
    assert Note.parse(with_her_id).signed_by([ALICE.key]) == {}


def test_one_wrong_signature_of_a_known_key_spoils_the_note() -> None:
    note = Note(TEXT).signed(ALICE).signed(BOB)
    forged = Note("other text\n", note.signatures).signed(ALICE)
    with pytest.raises(UntrustedError, match=r"the signature of bob\.example\+"):
        forged.signed_by([ALICE.key, BOB.key])
    assert list(forged.signed_by([ALICE.key])) == [ALICE.key]


def test_a_signature_given_twice_counts_once() -> None:
    note = Note(TEXT).signed(ALICE)
    twice = Note.parse(Note(TEXT, note.signatures * 2).encode())
    assert twice.signed_by([ALICE.key, ALICE.key]) == note.signed_by([ALICE.key])
    spoiled = f"{twice.encode().decode()}— {ALICE.key.name} {base64.b64encode(ALICE.key.id + bytes(64)).decode()}\n"
    with pytest.raises(UntrustedError):
        Note.parse(spoiled.encode()).signed_by([ALICE.key])


def test_two_keys_with_one_name_and_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VerifierKey, "id", b"same")
    with pytest.raises(SettingsError, match="same name and id"):
        Note(TEXT).signed(ALICE).signed_by([ALICE.key, Signer(ALICE.key.name, b"c" * 32).key])


@given(st.data())
def test_every_changed_byte_of_a_note_is_noticed(data: st.DataObject) -> None:
    raw = bytearray(SPEC_NOTE)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(MalformedError, UntrustedError):
        assert Note.parse(bytes(raw)).signed_by([SPEC_KEY]) == {}


@pytest.mark.parametrize(
    "raw",
    [
        GO_TEXT,
        f"{GO_TEXT}\n",
        f"{GO_TEXT}{GO_LINE}",
        f"{GO_TEXT}\n{GO_LINE[:-1]}",
        f"\x01{GO_TEXT}\n{GO_LINE}",
        f"{GO_TEXT}\r\n\r\n{GO_LINE}",
        f"{GO_TEXT}\n{GO_LINE}Unexpected line.\n",
        f"{GO_TEXT}\n{GO_LINE.replace('— ', '- ')}",
        f"{GO_TEXT}\n{GO_LINE.replace('— ', '—  ')}",
        f"{GO_TEXT}\n{GO_LINE.replace('PeterNeumann', 'Peter Neumann')}",
        f"{GO_TEXT}\n{GO_LINE.replace('PeterNeumann', 'Peter+Neumann')}",
        f"{GO_TEXT}\n{GO_LINE.replace('AM=', 'AN=')}",  # stray bits
        f"{GO_TEXT}\n{GO_LINE.replace('AM=', 'AM')}",
        f"{GO_TEXT}\n{GO_LINE.replace('/', '_')}",
        f"{GO_TEXT}\n— PeterNeumann x08gow==\n",  # a key id and nothing more
        f"{GO_TEXT}\n{GO_LINE * (SIGNATURES_MAX + 1)}",
        "",
        "\n\n",
    ],
)
def test_what_is_no_note_is_refused(raw: str) -> None:
    with pytest.raises(MalformedError):
        Note.parse(raw.encode())


def test_bytes_that_are_not_text_or_too_many_are_refused() -> None:
    for raw in b"\xff" + SPEC_NOTE, b"a" * 1_000_000 + SPEC_NOTE:
        with pytest.raises(MalformedError, match="signed note"):
            Note.parse(raw)


def test_as_many_signatures_as_the_format_asks_for_are_read() -> None:
    assert len(Note.parse(f"{GO_TEXT}\n{GO_LINE * SIGNATURES_MAX}".encode()).signatures) == SIGNATURES_MAX >= 16


@pytest.mark.parametrize("text", ["no newline", "tab\there\n", ""])
def test_text_that_is_no_note_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError, match="ends in a newline"):
        Note(text).signed(ALICE)
