import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import content_digest, identity

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


def test_an_identity_is_half_a_sha256_of_source_nul_id() -> None:
    assert identity("/crm", "e-1") == hashlib.sha256(b"/crm\0e-1").digest()[:16]
    assert identity("/crm", "e-1") != identity("/cr", "me-1")


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
