"""Which values of a touchpoint's data hold personal data or our secrets: what the catalogue marks, and all of a type it does not know.

``change`` gives each of them to a function and puts what that returns in its place; the rest of the event says what it said.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Union

import msgspec
from msgspec import Raw, inspect

from schemas.catalogue import CATALOGUE


class Mark(Enum):
    """Why a value must not stand in the store as it came. APART: personal, and equal values stay known as equal."""

    PERSONAL = "personal"
    APART = "apart"
    SECRET = "secret"  # noqa: S105  # no password


Fields = Mapping[str, Union["Fields", Mark]]
"""By member: the mark of its value, or the marked ones within it; an array stands for each of its items."""

Change = Callable[[Mark, str, bytes], bytes]
"""From the mark, the member's name and its value, as JSON, to the JSON to put there."""

_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def _marked(type_: inspect.Type) -> Fields | Mark | None:
    """The marks on or within a type; None: there are none."""
    match type_:
        case inspect.Metadata(type=inner, extra=extra):
            for mark in (Mark.APART, Mark.PERSONAL, Mark.SECRET):
                if (extra or {}).get(mark.value):
                    return mark
            return _marked(inner)
        case inspect.UnionType(types=types):
            return next((found for one in types if (found := _marked(one))), None)
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return _marked(item)
        case inspect.StructType(fields=fields):
            return {field.encode_name: found for field in fields if (found := _marked(field.type))} or None
    return None


_CORRECTION = "ledger.correction.v1"
FIELDS: Mapping[str, Fields | Mark] = {
    type_: found for type_, entry in CATALOGUE.items() if (found := _marked(inspect.type_info(entry.struct)))
}
"""By type, where marked values may be."""
UNMARKED = frozenset(CATALOGUE.keys() - FIELDS.keys())
"""The types whose data never holds any."""


def change(event: bytes, type_: str, to: Change) -> bytes:
    """The event with each marked value that is there changed, in the order in which they stand.

    What lies around them is written anew without spaces; everything else keeps its bytes.
    """
    members = _decode_members(event)
    if "data" in members:
        members["data"] = _changed("data", members["data"], _fields(type_, members["data"]), to)
    return _encode(members)


def _fields(type_: str, data: Raw) -> Fields | Mark:
    fields = FIELDS.get(type_, Mark.PERSONAL)
    if type_ == _CORRECTION and isinstance(fields, Mapping):
        of = _decode_members(data).get("type")
        if of is not None:  # the replacement is data of that type
            corrected = _decode_text(of)
            within = {} if corrected in UNMARKED else FIELDS.get(corrected, Mark.PERSONAL)
            return {**fields, "replacement": within}
    return fields


def _changed(name: str, value: Raw, fields: Fields | Mark, to: Change) -> Raw:
    text = bytes(value)
    if text == b"null":
        return value
    if isinstance(fields, Mark):
        return Raw(to(fields, name, text))
    if text[:1] == b"[":
        return Raw(_encode([_changed(name, item, fields, to) for item in _decode_items(value)]))
    if text[:1] == b"{":
        members: dict[str, Any] = _decode_members(value)
        for member, one in members.items():
            if member in fields:
                members[member] = _changed(member, one, fields[member], to)
        return Raw(_encode(members))
    return value
