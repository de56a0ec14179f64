import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, from_structured, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import CATALOGUE, CatalogueEntry, Complaint
from schemas.cloudevents import AHEAD_MAX_US, DEPTH_MAX, EARLIEST_US, EVENT_BYTES_MAX, decode_batch, decode_json, decode_message, touchpoint
from schemas.documents import example_event
from schemas.errors import RefusedError
from schemas.identity import content_digest, identity
from schemas.records import recorded
from schemas.touchpoint import Stored, Touchpoint, moment

NOW_US = 1_780_000_000_000_000
STRUCTURED: list[tuple[str, bytes | None]] = [("content-type", b"application/cloudevents+json")]
GIVEN = [entry for entry in CATALOGUE.values() if entry.type.startswith("relationship.")]
COMPLAINT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/crm",
    "type": "relationship.complaint.v1",
    "subject": "customer/c-1",
    "time": "2026-03-02T10:15:00Z",
    "data": {"complaint_id": "C-1", "by": "them", "severity": "minor"},
}
WITHOUT: Any = object()


def event(**changes: Any) -> dict[str, Any]:  # of any type, right or wrong
    return {name: value for name, value in {**COMPLAINT, **changes}.items() if value is not WITHOUT}


def structured(**changes: Any) -> bytes:
    return json.dumps(event(**changes)).encode()


def binary(**changes: Any) -> tuple[list[tuple[str, bytes | None]], bytes]:
    attributes = event(**changes)
    data = json.dumps(attributes.pop("data")).encode()
    headers: list[tuple[str, bytes | None]] = [(f"ce_{name}", str(value).encode()) for name, value in attributes.items()]
    return [("content-type", b"application/json"), *headers], data


def decoded(body: bytes) -> Touchpoint:
    return decode_json(body, now_us=NOW_US)


def refusal(call: Callable[[], object]) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value


def nested(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


def test_a_structured_event_is_kept_byte_for_byte() -> None:
    body = b' {"weird" : "\\u00fcnknown",\n' + structured()[1:]
    assert decode_message(STRUCTURED, body, now_us=NOW_US) == Touchpoint("/crm", "e-1", "relationship.complaint.v1", "customer/c-1", body)


@pytest.mark.parametrize("entry", GIVEN, ids=lambda entry: entry.type)
def test_an_example_of_every_type_is_accepted(entry: CatalogueEntry) -> None:
    assert decoded(json.dumps(example_event(entry)).encode()).type == entry.type


def test_a_type_nobody_knows_is_accepted_with_any_json_or_none() -> None:
    datas: list[Any] = [WITHOUT, None, 5, "text", [1], {"a": {}}]
    for data in datas:
        assert decoded(structured(type="com.example.visit", data=data)).type == "com.example.visit"


REFUSED_EVENTS = [
    ("not_json", b"", "not UTF-8 JSON"),
    ("not_json", b"{", "not UTF-8 JSON"),
    ("not_json", b"\xff", "not UTF-8 JSON"),
    ("not_json", b"\xef\xbb\xbf" + structured(), "not UTF-8 JSON"),
    ("not_json", structured() + b"{}", "trailing characters"),
    ("not_json", structured(data=float("nan")), "not UTF-8 JSON"),
    ("not_json", structured(data={"x": float("-inf")}), "not UTF-8 JSON"),
    ("not_json", structured(extra="?").replace(b"?", b"\xff"), "not UTF-8 JSON"),
    ("not_json", structured(type="com.example.visit", data="?").replace(b"?", b"\xed\xa0\x80"), "not UTF-8 JSON"),
    ("not_json", structured(extra="?").replace(b"?", b"\\ud800"), "not UTF-8 JSON"),
    ("not_json", structured().decode().encode("utf-16"), "not UTF-8 JSON"),
    ("too_large", structured(pad="x" * EVENT_BYTES_MAX), "over the limit of 262144"),
    ("too_deep", structured(pad=nested(DEPTH_MAX)), "over 32 levels"),
    ("too_deep", structured(type="com.example.visit", data=nested(DEPTH_MAX)), "over 32 levels"),
    ("too_deep", structured(pad="?").replace(b'"?"', b"[" * 50_000 + b"]" * 50_000), "over 32 levels"),
    ("bad_envelope", b"[]", "Expected `object`"),
    ("bad_envelope", b"null", "Expected `object`"),
    ("bad_envelope", structured(id=WITHOUT), "`id`"),
    ("bad_envelope", structured(source=WITHOUT), "`source`"),
    ("bad_envelope", structured(type=WITHOUT), "`type`"),
    ("bad_envelope", structured(specversion=WITHOUT), "`specversion`"),
    ("bad_envelope", structured(time=WITHOUT), "`time`"),
    ("bad_envelope", structured(id=None), "`$.id`"),
    ("bad_envelope", structured(id=""), "`$.id`"),
    ("bad_envelope", structured(id=7), "`$.id`"),
    ("bad_envelope", structured(id="x" * 1001), "`$.id`"),
    ("bad_envelope", structured(source=""), "`$.source`"),
    ("bad_envelope", structured(type=""), "`$.type`"),
    ("bad_envelope", structured(specversion="0.3"), "`$.specversion`"),
    ("bad_envelope", structured(specversion=1.0), "`$.specversion`"),
    ("bad_envelope", structured(actor=["a"]), "`$.actor`"),
    ("bad_envelope", structured(subject=5), "`$.subject`"),
    ("bad_envelope", structured(id="a\0b"), "control character"),
    ("bad_envelope", structured(source="a\nb"), "control character"),
    ("bad_envelope", structured(actor="\x85"), "control character"),
    ("bad_envelope", structured(time="2026-03-02T10:15:00"), "timezone"),
    ("bad_envelope", structured(time="2026-03-02"), "`$.time`"),
    ("bad_envelope", structured(time=1_770_000_000), "`$.time`"),
    ("bad_envelope", structured(time="2016-12-31T23:59:60Z"), "`$.time`"),  # a leap second: no Python datetime holds it
    ("bad_envelope", structured(time="0001-01-01T00:00:00Z"), "before 1900"),
    ("bad_envelope", structured(time="0001-01-01T00:00:00+01:00"), "before 1900"),
    ("bad_subject", structured(subject=WITHOUT), "customer/<key>"),
    ("bad_subject", structured(subject=""), "customer/<key>"),
    ("bad_subject", structured(subject="customer/"), "customer/<key>"),
    ("bad_subject", structured(subject="Customer/c-1"), "customer/<key>"),
    ("bad_subject", structured(subject="supplier/c-1"), "customer/<key>"),
    ("bad_subject", structured(subject="customer/a/b"), "customer/<key>"),
    ("bad_subject", structured(subject="customer/c 1"), "customer/<key>"),
    ("bad_subject", structured(subject="customer/c-1\n"), "customer/<key>"),
    ("bad_subject", structured(subject="customer/é"), "customer/<key>"),
    ("bad_subject", structured(subject="customer/" + "x" * 201), "customer/<key>"),
    ("bad_subject", structured(subject="ledger"), "customer/<key>"),
    ("bad_data", structured(data=WITHOUT), "Expected `object`, got `null`"),
    ("bad_data", structured(data="text"), "Expected `object`"),
    ("bad_data", structured(data={"complaint_id": "C-1", "by": "them"}), "`severity`"),
    ("bad_data", structured(data={**COMPLAINT["data"], "by": "me"}), "`$.data.by`"),
    ("bad_data", structured(data={**COMPLAINT["data"], "topic": "a\0b"}), "U+0000"),
    ("bad_data", structured(data=WITHOUT, data_base64="e30="), "data_base64"),
    ("bad_data", structured(datacontenttype="text/xml"), "'text/xml'"),
    ("time_ahead", structured(time="9999-12-31T23:59:59-01:00"), "check the clock"),
    ("reserved_type", structured(type="ledger.day-closed.v1", subject="ledger"), "written by the ledger alone"),
    ("reserved_type", structured(type="ledger.anything"), "written by the ledger alone"),
]


@pytest.mark.parametrize(("code", "body", "reason"), REFUSED_EVENTS, ids=[f"{code}, {reason}" for code, _, reason in REFUSED_EVENTS])
def test_what_is_wrong_is_refused_by_its_code_with_the_reason(code: str, body: bytes, reason: str) -> None:
    refused = refusal(lambda: decoded(body))
    assert refused.code == code
    assert reason in refused.reason


def test_a_reason_stays_short_and_ends_with_the_path() -> None:
    refused = refusal(lambda: decoded(structured(data={**COMPLAINT["data"], "by": "x" * 100_000})))
    assert len(refused.reason) < 400
    assert refused.reason.endswith("- at `$.data.by`")


def test_limits_are_what_they_say() -> None:
    padding = "x" * (EVENT_BYTES_MAX - len(structured(pad="")))
    assert len(decoded(structured(pad=padding)).event) == EVENT_BYTES_MAX
    assert refusal(lambda: decoded(structured(pad=padding + "x"))).code == "too_large"
    decoded(structured(pad=nested(DEPTH_MAX - 1)))
    assert refusal(lambda: decoded(structured(pad=nested(DEPTH_MAX)))).code == "too_deep"
    decoded(structured(id="x" * 1000, source="y" * 1000, type="z" * 200, subject="partner/" + "k" * 200))


def test_brackets_beside_each_other_or_in_strings_are_not_depth() -> None:
    decoded(structured(pad=[[{}]] * 1000, text='[{"\\' * 1000))
    assert refusal(lambda: decoded(structured(text='"]}' * 1000, pad=nested(DEPTH_MAX)))).code == "too_deep"


def test_an_event_may_be_five_minutes_ahead_and_not_a_microsecond_more() -> None:
    latest = moment(NOW_US + AHEAD_MAX_US)
    decoded(structured(time=latest.isoformat()))
    assert refusal(lambda: decoded(structured(time=(latest + timedelta(microseconds=1)).isoformat()))).code == "time_ahead"


def test_the_earliest_event_is_of_1900() -> None:
    assert moment(EARLIEST_US) == datetime(1900, 1, 1, tzinfo=UTC)
    decoded(structured(time="1900-01-01T00:00:00Z"))
    assert refusal(lambda: decoded(structured(time="1899-12-31T23:59:59.999999Z"))).code == "bad_envelope"


def test_of_a_repeated_attribute_the_last_one_counts_for_everyone() -> None:
    body = structured()[:-1] + b', "i\\u0064": "e-2", "subject": "customer/c-2"}'
    accepted = decoded(body)
    assert (accepted.id, accepted.subject) == ("e-2", "customer/c-2")
    assert recorded(stored(accepted)).id == "e-2"
    assert content_digest(body) == content_digest(structured(id="e-2", subject="customer/c-2"))


def test_a_backslash_before_u0000_is_only_text() -> None:
    decoded(structured(data={**COMPLAINT["data"], "topic": "\\u0000"}))
    assert refusal(lambda: decoded(structured(data={**COMPLAINT["data"], "topic": "\\\0"}))).code == "bad_data"


def test_null_attributes_are_absent() -> None:
    decoded(structured(actor=None, datacontenttype=None, data_base64=None))


@pytest.mark.parametrize(
    "content_type",
    [b"application/json", b"Application/JSON; charset=utf-8", b"application/vnd.crm+json", b"text/json"],
)
def test_any_json_is_json(content_type: bytes) -> None:
    headers, value = binary()
    accepted = decode_message([("content-type", content_type), *headers[1:]], value, now_us=NOW_US)
    assert msgspec.json.decode(accepted.event)["datacontenttype"] == content_type.decode()


@pytest.mark.parametrize(
    "content_type",
    [b"application/cloudevents+json", b"APPLICATION/CloudEvents+JSON ; charset=UTF-8", b"application/cloudevents"],
)
def test_the_content_type_alone_makes_a_message_structured(content_type: bytes) -> None:
    headers: list[tuple[str, bytes | None]] = [("ce_id", b"other"), ("ce_bad", b"\xff"), ("Content-Type", content_type), ("trace", None)]
    assert decode_message(headers, structured(), now_us=NOW_US).id == "e-1"


def test_a_binary_event_says_the_same_as_a_structured_one() -> None:
    headers, value = binary(actor="anna", sequence=7, sampled="true")
    accepted = decode_message(headers, value, now_us=NOW_US)
    other = decoded(structured(actor="anna", sequence=7, sampled=True))
    assert content_digest(accepted.event) == content_digest(other.event)
    assert recorded(stored(accepted)) == recorded(stored(other))
    assert accepted == decode_message(headers[::-1], value, now_us=NOW_US)


def test_binary_data_is_kept_as_it_was_written() -> None:
    headers, _ = binary()
    value = b' {"complaint_id":"C-1",  "by":"them","severity":"minor","odd":1.50e1} \n'
    assert value.strip() in decode_message(headers, value, now_us=NOW_US).event


@pytest.mark.parametrize("value", [None, b""])
def test_a_binary_event_without_a_value_has_no_data(value: bytes | None) -> None:
    headers, _ = binary(type="com.example.visit")
    assert b'"data"' not in decode_message(headers, value, now_us=NOW_US).event
    headers, _ = binary()
    assert refusal(lambda: decode_message(headers, value, now_us=NOW_US)).code == "bad_data"


REFUSED_RECORDS: list[tuple[str, list[tuple[str, bytes | None]], bytes | None, str]] = [
    ("not_json", STRUCTURED, None, "null"),
    ("not_json", STRUCTURED, b"", "not UTF-8 JSON"),
    ("bad_envelope", [("content-type", b"application/cloudevents-batch+json")], b"[]", "one event a record"),
    ("bad_envelope", [("content-type", b"application/cloudevents+avro")], b"\0", "'application/cloudevents+avro'"),
    ("bad_envelope", [], structured(), "neither content-type"),
    ("bad_envelope", [("content-type", b"application/json")], structured(), "neither content-type"),
    ("bad_envelope", [*binary()[0], ("ce_actor", b"\xff")], b"{}", "'ce_actor' is not UTF-8"),
    ("bad_envelope", [*binary()[0], ("ce_id", b"e-2")], b"{}", "'ce_id' comes twice"),
    ("bad_envelope", [*binary()[0], ("ce_data", b"{}")], b"{}", "data_base64"),
    ("bad_envelope", [*binary()[0], ("ce_data_base64", b"e30=")], b"{}", "data_base64"),
    ("bad_envelope", [header for header in binary()[0] if header[0] != "ce_id"], b"{}", "`id`"),
    ("bad_envelope", [("ce_id", None), *binary(id="")[0]], b"{}", "`$.id`"),
    ("not_json", binary()[0], b"\xff", "not UTF-8 JSON"),
    ("not_json", binary()[0], b'{}, "id": "e-2"', "trailing characters"),
    ("not_json", binary()[0], b'{}} {"a": 1', "trailing characters"),
    ("too_large", binary()[0], b'"' + b"x" * EVENT_BYTES_MAX + b'"', "over the limit"),
    ("too_large", binary()[0], b'"' + b"x" * (EVENT_BYTES_MAX - 2) + b'"', "over the limit"),  # only together with its headers
    ("too_deep", binary()[0], b"[" * 50_000 + b"]" * 50_000, "32 levels"),
    ("too_deep", binary(type="com.example.visit")[0], json.dumps(nested(DEPTH_MAX)).encode(), "32 levels"),
    ("bad_data", [("content-type", b"text/xml"), *binary()[0][1:]], b"{}", "'text/xml'"),
    ("bad_data", binary()[0], b"[]", "Expected `object`"),
    ("bad_subject", binary(subject="nobody")[0], b"{}", "customer/<key>"),
    ("reserved_type", binary(type="ledger.exported.v1")[0], b"{}", "ledger alone"),
    ("time_ahead", binary(time="2100-01-01T00:00:00Z")[0], b"{}", "check the clock"),
]


@pytest.mark.parametrize(
    ("code", "headers", "value", "reason"), REFUSED_RECORDS, ids=[f"{code}, {reason}" for code, _, _, reason in REFUSED_RECORDS]
)
def test_a_wrong_record_is_refused_by_its_code_with_the_reason(
    code: str, headers: list[tuple[str, bytes | None]], value: bytes | None, reason: str
) -> None:
    refused = refusal(lambda: decode_message(headers, value, now_us=NOW_US))
    assert refused.code == code
    assert reason in refused.reason


def test_a_header_that_comes_again_with_the_same_value_or_none_is_harmless() -> None:
    headers, value = binary()
    again = [*headers, ("ce_id", b"e-1"), ("ce_id", None), ("content-type", None)]
    assert decode_message(again, value, now_us=NOW_US) == decode_message(headers, value, now_us=NOW_US)


def test_one_bad_event_does_not_cost_the_batch() -> None:
    batch = b"[" + b" , ".join([structured(), structured(id=""), b"5", structured(id="e-3")]) + b"]"
    good, bad, worse, last = decode_batch(batch, now_us=NOW_US)
    assert good == decoded(structured())
    assert isinstance(bad, RefusedError)
    assert isinstance(worse, RefusedError)
    assert (bad.code, worse.code) == ("bad_envelope", "bad_envelope")
    assert isinstance(last, Touchpoint)
    assert decode_batch(b"[]", now_us=NOW_US) == []


@pytest.mark.parametrize(
    ("code", "body"),
    [("bad_envelope", b"{}"), ("not_json", b"[1,"), ("not_json", b"\xff"), ("too_deep", b"[" * 50_000 + b"]" * 50_000)],
    ids=["no array", "cut off", "no text", "deep"],
)
def test_what_is_no_batch_is_refused_whole(code: str, body: bytes) -> None:
    assert refusal(lambda: decode_batch(body, now_us=NOW_US)).code == code


def test_our_own_touchpoints_are_made_the_same_each_time_and_are_valid() -> None:
    complaint = Complaint("C-1", "them", "minor")
    made = touchpoint("/crm", "e-1", "relationship.complaint.v1", "customer/c-1", 1_772_446_500_000_000, complaint)
    assert msgspec.json.decode(made.event) == COMPLAINT
    assert decoded(made.event) == made
    other = touchpoint("/crm", "e-1", made.type, made.subject, 1_772_446_500_000_001, {"complaint_id": "C-1"}, actor="anna")
    assert recorded(stored(made)).data == complaint
    assert msgspec.json.decode(other.event)["actor"] == "anna"
    assert msgspec.json.decode(other.event)["time"] == "2026-03-02T10:15:00.000001Z"


@pytest.mark.parametrize("entry", GIVEN, ids=lambda entry: entry.type)
def test_the_cloudevents_sdk_and_we_understand_each_other(entry: CatalogueEntry) -> None:
    example = example_event(entry)
    attributes = {**example, "time": datetime.fromisoformat(example["time"]), "datacontenttype": "application/json", "actor": "anna"}
    theirs = CloudEvent(attributes, attributes.pop("data"))

    both = []
    for message in (to_structured(theirs, JSONFormat()), to_binary(theirs, JSONFormat())):
        accepted = decode_message(list(message.headers.items()), message.value, now_us=NOW_US)
        read = from_structured(KafkaMessage({}, None, accepted.event), JSONFormat())
        assert (read.get_attributes(), read.get_data()) == (theirs.get_attributes(), theirs.get_data())
        both.append(accepted)
    assert content_digest(both[0].event) == content_digest(both[1].event)

    headers: dict[str, bytes] = {f"ce_{name}": str(value).encode() for name, value in example.items() if name != "data"}
    data = json.dumps(example["data"]).encode()
    ours = from_structured(KafkaMessage({}, None, decode_message(list(headers.items()), data, now_us=NOW_US).event), JSONFormat())
    read = from_binary(KafkaMessage(headers, None, data), JSONFormat())
    assert (ours.get_attributes(), ours.get_data()) == (read.get_attributes(), read.get_data())


def stored(touchpoint_: Touchpoint) -> Stored:
    return Stored(1, touchpoint_.subject, 1, touchpoint_.type, NOW_US, touchpoint_.event)


HEADER_NAMES = st.one_of(st.sampled_from(["content-type", *(f"ce_{name}" for name in COMPLAINT), "ce_", "other"]), st.text(max_size=5))
HEADER_VALUES = st.one_of(
    st.none(),
    st.binary(max_size=20),
    st.sampled_from([b"application/json", b"application/cloudevents+json", *(str(value).encode() for value in COMPLAINT.values())]),
)
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(["1", "us", "2026-01-01"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)


def check(decode: Callable[[], Touchpoint]) -> None:
    """Whatever came: a refusal, or a touchpoint that everything later can work with."""
    try:
        accepted = decode()
    except RefusedError:
        return
    event_ = recorded(stored(accepted))
    assert (event_.source, event_.id) == (accepted.source, accepted.id)
    assert EARLIEST_US <= event_.occurred_us <= NOW_US + AHEAD_MAX_US
    assert (event_.data is not None) == (accepted.type in CATALOGUE)
    assert len(content_digest(accepted.event)) == 32
    assert 12 <= len(identity(accepted.source, accepted.id)) <= 24
    assert decode_json(accepted.event, now_us=NOW_US) == accepted


@given(headers=st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=12), value=st.one_of(st.none(), st.binary()))
def test_any_record_is_a_touchpoint_or_refused(headers: list[tuple[str, bytes | None]], value: bytes | None) -> None:
    check(lambda: decode_message(headers, value, now_us=NOW_US))


@given(st.dictionaries(st.sampled_from(list(COMPLAINT)), JSON_VALUES, max_size=2), st.sampled_from([*CATALOGUE.values()]))
def test_any_json_is_a_touchpoint_or_refused(changes: dict[str, Any], entry: CatalogueEntry) -> None:
    body = json.dumps({**example_event(entry), **changes}).encode(errors="replace")
    check(lambda: decoded(body))


@given(st.sampled_from(GIVEN), st.data())
def test_any_data_is_a_touchpoint_or_refused(entry: CatalogueEntry, data: st.DataObject) -> None:
    changes = data.draw(st.dictionaries(st.sampled_from(list(entry.example)), JSON_VALUES, max_size=2))
    body = json.dumps({**example_event(entry), "data": {**entry.example, **changes}}).encode(errors="replace")
    check(lambda: decoded(body))


@given(st.binary(max_size=8), st.integers(0, 230), st.integers(0, 8))
def test_any_damage_to_a_touchpoint_is_borne(patch: bytes, at: int, cut: int) -> None:
    body = structured()
    check(lambda: decoded(body[:at] + patch + body[at + cut :]))
