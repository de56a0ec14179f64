"""From what came over the wire to a touchpoint: CloudEvents 1.0 in JSON, structured, binary or batched.

Whatever bytes come in, the outcome is a valid ``Touchpoint`` or a ``RefusedError``. A structured event is stored byte for byte as it
came; a binary one becomes structured JSON once, the same for the same headers and value. Where JSON names a key twice the last one
counts, here and in ``records.py`` alike.

Sources: CloudEvents 1.0.2, its JSON event format, and its Kafka protocol binding.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from schemas.catalogue import RESERVED_PREFIX, Data
from schemas.catalogue.values import SUBJECT_PATTERN, Moment, doc
from schemas.errors import RefusedError
from schemas.touchpoint import Touchpoint, microseconds, moment
from schemas.upcasts import DATA_DECODERS

EVENT_BYTES_MAX = 256 * 1024
DEPTH_MAX = 32  # objects and arrays within each other, the event itself being the first
AHEAD_MAX_US = 5 * 60 * 1_000_000  # clocks differ; what is further ahead is a mistake
EARLIEST_US = -2_208_988_800_000_000  # 1900-01-01; earlier ones are a program's null date, and their age overflows a float's decay
REASON_CHARACTERS_MAX = 300  # of what a value's error says; reasons travel in headers and logs

Headers = Sequence[tuple[str, bytes | None]]

_STRUCTURED = "application/cloudevents"
_NULL = msgspec.Raw(b"null")
_EARLIEST = moment(EARLIEST_US)

_is_subject = re.compile(SUBJECT_PATTERN).match
_is_json_type = re.compile(r"[^;]+[/+]json\s*(;.*)?", re.IGNORECASE | re.DOTALL).fullmatch
_find_control = re.compile("[\x00-\x1f\x7f-\x9f]").search
_find_nul = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000").search
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"')
_AS_BRACES = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class CloudEvent(msgspec.Struct, gc=False):
    """The attributes that are checked. Others, called extensions, may have any name and stay in the stored bytes."""

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(min_length=1, max_length=1000), doc("with source, identifies the touchpoint for ever")]
    source: Annotated[str, Meta(min_length=1, max_length=1000), doc("what sends it, such as /erp/orders")]
    type: Annotated[str, Meta(min_length=1, max_length=200)]
    time: Annotated[Moment, doc("when it happened")]
    subject: Annotated[str | None, doc("the relationship")] = None
    datacontenttype: Annotated[str | None, doc("application/json or another JSON type")] = None
    actor: Annotated[Annotated[str, Meta(max_length=1000)] | None, doc("who did it")] = None
    correlationid: Annotated[str | None, doc("what it belongs to, such as one order's whole course")] = None
    causationid: Annotated[str | None, doc("what it follows from")] = None
    traceparent: Annotated[str | None, doc("W3C trace context")] = None


class _Event(CloudEvent, gc=False):
    data: msgspec.Raw = _NULL
    data_base64: msgspec.Raw = _NULL


_decode_event = msgspec.json.Decoder(_Event).decode


def decode_message(headers: Headers, value: bytes | None, *, now_us: int) -> Touchpoint:
    """Decode a Kafka record, structured when its ``content-type`` says so, else binary: attributes in ``ce_`` headers, data as value.

    Raises:
        RefusedError: it is no valid touchpoint. Keep the record as a dead letter.
    """
    content_type = b""
    for name, header in headers:
        if header is not None and name.lower() == "content-type":
            content_type = header
    media_type = _media_type(content_type)
    if not media_type.startswith(_STRUCTURED):
        return decode_json(_structured(_attributes(headers), content_type.decode(errors="replace"), value), now_us=now_us)
    if media_type not in {_STRUCTURED, f"{_STRUCTURED}+json"}:
        raise RefusedError(
            "bad_envelope", f"content-type {media_type[:80]!r} is not read from Kafka: send {_STRUCTURED}+json, one event a record"
        )
    if value is None:
        raise RefusedError("not_json", "the value is null: send the CloudEvent as JSON")
    return decode_json(value, now_us=now_us)


def decode_json(body: bytes, *, now_us: int) -> Touchpoint:
    """Decode one structured event, at most five minutes ahead of ``now_us``.

    Raises:
        RefusedError: it is no valid touchpoint.
    """
    if len(body) > EVENT_BYTES_MAX:
        raise _too_large(len(body))
    # ASCII without escapes and DEL is UTF-8 in which no string holds a control character; most events are, and need no closer look.
    plain = body.isascii() and b"\\" not in body and b"\x7f" not in body
    event = _event(body, plain=plain)
    type_, subject = event.type, event.subject
    if type_.startswith(RESERVED_PREFIX):
        raise RefusedError(
            "reserved_type", f"type {type_!r} is written by the ledger alone: use a type that does not begin with {RESERVED_PREFIX}"
        )
    if subject is None or _is_subject(subject) is None:
        raise RefusedError("bad_subject", "subject must be customer/<key> or partner/<key>, key 1 to 200 of A-Z a-z 0-9 . _ ~ : @ + -")
    if not _EARLIEST <= event.time <= _latest(now_us):
        raise _untimely(microseconds(event.time) - now_us)
    _check_data(event, body, plain=plain)
    return Touchpoint(event.source, event.id, type_, subject, body)


def decode_batch(body: bytes, *, now_us: int) -> list[Touchpoint | RefusedError]:
    """Decode a JSON array of structured events: an entry for each, in order.

    Raises:
        RefusedError: the whole is no JSON array.
    """
    try:
        events = msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.ValidationError as error:
        raise RefusedError("bad_envelope", f"a batch is a JSON array of CloudEvents: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError("not_json", f"the batch is not JSON: {error}") from error
    except RecursionError as error:
        raise RefusedError("too_deep", f"the batch holds an event nested over {DEPTH_MAX} levels") from error
    decoded: list[Touchpoint | RefusedError] = []
    for event in events:
        try:
            decoded.append(decode_json(bytes(event), now_us=now_us))
        except RefusedError as refused:  # one bad event must not cost the others
            decoded.append(refused)
    return decoded


def touchpoint(  # noqa: PLR0917  # a CloudEvent has that many attributes
    source: str,
    id: str,  # noqa: A002  # its name in CloudEvents, as the next one
    type: str,  # noqa: A002
    subject: str,
    time_us: int,
    data: Data | dict[str, Any],
    **extensions: str,
) -> Touchpoint:
    """Make a touchpoint of our own, the same bytes for the same arguments. What it is made of is trusted, not checked.

    ``extensions`` are further attributes, such as ``actor``.
    """
    event = {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": type,
        "subject": subject,
        "time": moment(time_us),
        **extensions,
        "data": data,
    }
    return Touchpoint(source, id, type, subject, msgspec.json.encode(event))


@lru_cache(maxsize=256)
def _media_type(content_type: bytes) -> str:
    return content_type.decode(errors="replace").partition(";")[0].strip().lower()


def _event(body: bytes, *, plain: bool) -> _Event:
    try:
        if not plain:
            str(body, "utf-8")  # msgspec does not look into what it skips
        event = _decode_event(body)
    except msgspec.ValidationError as error:
        raise RefusedError("bad_envelope", f"the CloudEvent's envelope is wrong: {_brief(error)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError("not_json", f"the event is not UTF-8 JSON: {error}") from error
    except RecursionError as error:
        raise _too_deep() from error
    if body.count(b"{") + body.count(b"[") > DEPTH_MAX and _is_deep(body):
        raise _too_deep()
    if not plain and _find_control(f"{event.id}{event.source}{event.type}{event.actor}") is not None:
        raise RefusedError("bad_envelope", "id, source, type or actor holds a control character, which CloudEvents forbids")
    return event


@lru_cache(maxsize=4)
def _latest(now_us: int) -> datetime:
    """Until when an event may have happened. The same for a batch: two datetimes compare faster than one becomes a number."""
    return moment(now_us + AHEAD_MAX_US)


def _untimely(ahead_us: int) -> RefusedError:
    if ahead_us <= AHEAD_MAX_US:
        return RefusedError("bad_envelope", "time is before 1900: send when it happened")
    return RefusedError(
        "time_ahead",
        f"time is {ahead_us / 1e6:.0f} s ahead, over the limit of {AHEAD_MAX_US / 1e6:.0f} s: check the clock of the sender",
    )


def _check_data(event: _Event, body: bytes, *, plain: bool) -> None:
    if event.data_base64 != _NULL:
        raise RefusedError("bad_data", "data_base64 is not read: send the data as JSON under data")
    content_type = event.datacontenttype
    if content_type is not None and content_type != "application/json" and _is_json_type(content_type) is None:
        raise RefusedError("bad_data", f"the data is {content_type[:80]!r}, not JSON: send JSON")
    if not plain and _find_nul(body) is not None:  # U+0000 is always escaped
        raise RefusedError("bad_data", "a string holds the character U+0000, which PostgreSQL text cannot: leave it out")
    decode = DATA_DECODERS.get(event.type)
    if decode is None:
        return
    try:
        decode(event.data)
    except msgspec.ValidationError as error:
        reason = _brief(error).replace(" - at `$", " - at `$.data")
        raise RefusedError("bad_data", f"the data is not that of {event.type}: {reason}") from error


def _attributes(headers: Headers) -> dict[str, str]:
    """Read the attributes out of the ``ce_`` headers of a record.

    A header may come again with the same value. Two values are refused: readers would disagree about which one counts.
    """
    attributes: dict[str, str] = {}
    for name, header in headers:
        if header is None or not name.startswith("ce_"):
            continue
        try:
            text = header.decode()
        except UnicodeDecodeError as error:
            raise RefusedError("bad_envelope", f"header {name[:80]!r} is not UTF-8: {error.reason} at byte {error.start}") from error
        if attributes.setdefault(name[3:], text) != text:
            raise RefusedError("bad_envelope", f"header {name[:80]!r} comes twice, with two values: send it once")
    return attributes


def _structured(attributes: dict[str, str], content_type: str, value: bytes | None) -> bytes:
    """Make a binary event structured: attributes by name, then the data exactly as it came."""
    if not attributes:
        raise RefusedError("bad_envelope", f"neither content-type {_STRUCTURED}+json nor ce_ headers: send one of the two")
    if not attributes.keys().isdisjoint({"data", "data_base64"}):
        raise RefusedError("bad_envelope", "no attribute may be called data or data_base64: leave that header out")
    event: dict[str, Any] = dict(sorted(attributes.items()))
    if content_type:
        event["datacontenttype"] = content_type
    if value:
        event["data"] = _json(value)
    return msgspec.json.encode(event)


def _json(value: bytes) -> msgspec.Raw:
    """Make sure that ``value`` is one whole JSON value: only then may it be put into another."""
    if len(value) > EVENT_BYTES_MAX:
        raise _too_large(len(value))
    try:
        str(value, "utf-8")
        return msgspec.json.decode(value, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError("not_json", f"the value is not UTF-8 JSON: {error}") from error
    except RecursionError as error:
        raise _too_deep() from error


def _is_deep(body: bytes) -> bool:
    """Whether valid JSON is nested deeper than the limit: take the innermost brackets away, a level at a time, and see what is left."""
    brackets = _STRINGS.sub(b"", body).translate(_AS_BRACES, _NO_BRACKETS)
    for _ in range(DEPTH_MAX):
        brackets = brackets.replace(b"{}", b"")
    return bool(brackets)


def _brief(error: Exception) -> str:
    """Return what an error says, its middle cut out where it quotes a long value: the path stands at its end."""
    text = str(error)
    return text if len(text) <= REASON_CHARACTERS_MAX else f"{text[: REASON_CHARACTERS_MAX // 2]} ... {text[-REASON_CHARACTERS_MAX // 2 :]}"


def _too_deep() -> RefusedError:
    return RefusedError("too_deep", f"the event is nested over {DEPTH_MAX} levels: send flatter data")


def _too_large(size: int) -> RefusedError:
    return RefusedError("too_large", f"the event is {size} bytes, over the limit of {EVENT_BYTES_MAX}: send a reference, not the content")
