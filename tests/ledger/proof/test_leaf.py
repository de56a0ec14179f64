"""A leaf has one encoding, and so has a record's line in an export."""

import json
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.proof.errors import MalformedError
from ledger.proof.leaf import decode_leaf, decode_line, encode_leaf, encode_line, hash_row
from ledger.proof.merkle import leaf_hash
from schemas.touchpoint import Stored
from tests.ledger.proof.logs import record

NUMBERS = st.integers(0, 2**63 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=50)
STORED = st.builds(Stored, NUMBERS, TEXTS, NUMBERS, TEXTS, NUMBERS, TEXTS.map(str.encode))


def test_a_leaf_is_the_bytes_that_the_docs_spell_out() -> None:
    stored = Stored(17, "customer/ada", 3, "relationship.contact.v1", 1_763_985_600_000_000, b'{"id":"17"}')
    assert encode_leaf(stored) == (
        b"\x01"
        b"\x00\x00\x00\x00\x00\x00\x00\x11"
        b"\x00\x00\x00\x00\x00\x00\x00\x03"
        b"\x00\x06\x44\x55\xe7\x13\xb0\x00"
        b"\x00\x0c\x00\x17"
        b'customer/adarelationship.contact.v1{"id":"17"}'
    )


@given(STORED)
def test_a_leaf_says_the_whole_record(stored: Stored) -> None:
    assert decode_leaf(encode_leaf(stored)) == stored


@given(STORED)
def test_an_append_hashes_the_leaf_that_proofs_are_made_of(stored: Stored) -> None:
    assert hash_row(*msgspec.structs.astuple(stored)) == leaf_hash(encode_leaf(stored))


@given(STORED, STORED)
def test_different_records_have_different_leaves(one: Stored, other: Stored) -> None:
    assert (encode_leaf(one) == encode_leaf(other)) == (one == other)


@given(st.binary(max_size=80))
def test_what_decodes_as_a_leaf_encodes_as_the_same_leaf(raw: bytes) -> None:
    for leaf in raw, b"\x01" + raw:
        try:
            stored = decode_leaf(leaf)
        except MalformedError:
            continue
        assert encode_leaf(stored) == leaf


@pytest.mark.parametrize("end", range(29 + 10 + 23))
def test_a_leaf_cut_off_within_its_names_is_refused(end: int) -> None:
    with pytest.raises(MalformedError, match="no leaf"):
        decode_leaf(encode_leaf(record(1))[:end])


def test_a_leaf_of_another_format_is_refused() -> None:
    with pytest.raises(MalformedError, match="format 1"):
        decode_leaf(b"\x02" + encode_leaf(record(1))[1:])


def test_what_a_leaf_has_no_room_for_is_refused_not_cut_off() -> None:
    for wrong in {"position": -1}, {"version": 2**64}, {"type": "t" * 65_536}, {"relationship": "ä" * 32_768}:
        with pytest.raises(struct.error):
            encode_leaf(msgspec.structs.replace(record(1), **wrong))


@given(STORED)
def test_a_line_says_the_whole_record_in_words_that_the_standard_library_writes_too(stored: Stored) -> None:
    line = encode_line(stored)
    assert decode_line(line) == stored
    fields = msgspec.structs.asdict(stored) | {"event": stored.event.decode()}
    assert line == json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda line: line.replace(b",", b", ", 1),
        lambda line: line.replace("ö".encode(), b"\\u00f6"),
        lambda line: line.replace(b'"position":1,', b"").replace(b"}\n", b',"position":1}\n'),
        lambda line: line.replace(b'"position":1,', b'"position":1.0,'),
        lambda line: line.replace(b"{", b'{"more":1,', 1),
        lambda line: line.replace(b'"version":1,', b""),
        lambda line: line.rstrip(),
        lambda line: line + b"\n",
        lambda line: line.replace("ö".encode(), b"\xff"),
        lambda _: b"[]\n",
    ],
)
def test_a_line_written_in_another_way_is_refused(rewrite: object) -> None:
    line = encode_line(record(1))
    assert callable(rewrite)
    assert rewrite(line) != line
    with pytest.raises(MalformedError, match="record of an export"):
        decode_line(rewrite(line))
