import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import NEAR_BYTES, content_digest, identity, renewed

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/crm",
    "type": "com.example.visit",
    "subject": "customer/c-1",
    "time": "2026-03-02T10:15:00Z",
    "data": {"a": [1, {"b": "ü", "c": None}], "d": 1.5},
}


def digest(**changes: object) -> bytes:
    return content_digest(json.dumps({**EVENT, **changes}).encode())


def test_an_identity_is_the_id_from_its_first_digit_on_and_a_sha256_of_source_nul_id() -> None:
    assert identity("/crm", "e-1") == b"1" + hashlib.sha256(b"/crm\0e-1").digest()[:12]
    assert identity("/crm", "e-1") != identity("/cr", "me-1")
    assert identity("/crm", "no digit") == hashlib.sha256(b"/crm\0no digit").digest()[:12]


def test_the_identity_of_a_random_uuid_is_half_the_sha256() -> None:
    id_ = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6"
    assert identity("/crm", id_) == hashlib.sha256(f"/crm\0{id_}".encode()).digest()[:16]


@pytest.mark.parametrize(
    "id_",
    [
        "{:012d}",
        "order-2026-{:06d}-created",
        "/orders/{:07d}/lines",
        "018f3b5c-{:04x}-7cc1-9c07-2b6d8e01a4f5",  # a UUID of version 7, two seconds of milliseconds
        "01HQZX{:04d}5T3K9V7B2M4N6P8R",  # a ULID
    ],
)
def test_identities_of_ids_that_were_given_one_after_the_other_stand_side_by_side(id_: str) -> None:
    begins = [identity("/crm", id_.format(number))[:NEAR_BYTES] for number in range(2_000)]
    assert begins == sorted(begins)
    assert len(set(begins)) >= 125


@given(st.tuples(st.text(), st.text()).filter(lambda pair: "\0" not in pair[0] + pair[1]), st.booleans())
def test_an_identity_is_short_and_renewing_that_of_an_event_gives_it(pair: tuple[str, str], was_altered: bool) -> None:
    event = msgspec.json.encode({"source": pair[0], "id": pair[1]})
    former = bytes(16) if was_altered else hashlib.sha256("\0".join(pair).encode()).digest()[:16]
    assert 12 <= len(identity(*pair)) <= 24
    assert renewed(former, event) == (former if was_altered else identity(*pair))
    assert renewed(former, b"{") == former


@pytest.mark.parametrize(
    "same",
    [
        json.dumps(EVENT, indent=3).encode(),
        json.dumps(EVENT, ensure_ascii=False).encode(),
        json.dumps(dict(reversed(EVENT.items()))).encode(),
        json.dumps({**EVENT, "data": {"d": 1.5, "a": [1, {"c": None, "b": "ü"}]}}).encode(),
        json.dumps({**EVENT, "time": "2026-03-02T11:15:00.000+01:00"}).encode(),
        json.dumps({**EVENT, "datacontenttype": "application/json"}).encode(),
        json.dumps({**EVENT, "actor": None}).encode(),
        json.dumps(EVENT).replace("1.5", "15e-1").encode(),
    ],
    ids=["spaces", "escapes", "order", "order in data", "zone", "content type", "null attribute", "exponent"],
)
def test_the_same_said_otherwise_has_the_same_digest(same: bytes) -> None:
    assert content_digest(same) == digest()


def test_an_attribute_says_the_same_as_json_and_as_text_of_a_header() -> None:
    assert digest(sequence=7, sampled=True, whole=False) == digest(sequence="7", sampled="true", whole="false")


@pytest.mark.parametrize(
    "other",
    [
        {"time": "2026-03-02T10:15:00.000001Z"},
        {"data": None},
        {"data": {}},
        {"data": {"a": [{"b": "ü", "c": None}, 1], "d": 1.5}},
        {"data": {"a": [1, {"b": "ü"}], "d": 1.5}},
        {"data": {"a": ["1", {"b": "ü", "c": None}], "d": 1.5}},
        {"actor": "anna"},
        {"subject": "customer/c-2"},
        {"type": "com.example.visited"},
    ],
)
def test_anything_else_said_has_another_digest(other: dict[str, Any]) -> None:
    assert digest(**other) != digest()


def test_numbers_beyond_any_float_are_told_apart_too() -> None:
    digests = [content_digest(json.dumps(EVENT).replace("1.5", number).encode()) for number in ("1e999", "1e998", "9" * 5000, "8" * 5000)]
    assert len(set(digests)) == 4


@given(st.dictionaries(st.text("abc", max_size=3), st.integers() | st.text() | st.lists(st.none() | st.booleans())), st.randoms())
def test_the_order_of_keys_never_matters(data: dict[str, Any], random: Any) -> None:
    items = list(data.items())
    random.shuffle(items)
    assert digest(data=dict(items)) == digest(data=data)
