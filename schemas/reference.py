"""The catalogue as a page for people: every type with its fields, ranges, units and an example."""

from typing import Any

import msgspec

from schemas.catalogue import CATALOGUE, RESERVED_PREFIX, CatalogueEntry

_INTRODUCTION = """\
# Touchpoint catalogue

Made from `schemas/catalogue/`; do not edit. A field with `?` may be left out or null. Fields that are not listed are kept and ignored.
Moments are RFC 3339 with a zone (`2026-03-02T10:15:00Z`), dates are `2026-03-02`. "Personal" marks fields that may hold personal data,
"secret" those that would harm us in a counterparty's hands. A type used on a kind of relationship it is not for is accepted and counted,
and is no evidence.
"""
_OWN = "Written by the ledger alone; refused from outside."
_BOUND_SHOWN_MAX = 10_000  # larger bounds only keep sums finite and tell the reader nothing
_ANCHOR = "{name}"  # of the references between schemas, which on this page are links


def catalogue_page() -> str:
    """Return the page, Markdown."""
    entries = list(CATALOGUE.values())
    schemas, components = msgspec.json.schema_components([entry.struct for entry in entries], ref_template=_ANCHOR)
    types = {schema["$ref"] for schema in schemas}
    values = sorted(components.keys() - types)
    parts = [_INTRODUCTION, "## Touchpoints\n"]
    parts += [_entry(entry, components) for entry in entries if not entry.type.startswith(RESERVED_PREFIX)]
    parts += [f"## The ledger's own events\n\n{_OWN}\n"]
    parts += [_entry(entry, components) for entry in entries if entry.type.startswith(RESERVED_PREFIX)]
    parts += ["## Values\n"]
    parts += [_value(name, components[name]) for name in values]
    return "\n".join(parts)


def _entry(entry: CatalogueEntry, components: dict[str, Any]) -> str:
    kinds = f"For a {' or a '.join(entry.kinds)}." if entry.kinds else "About no one relationship; its subject is `ledger`."
    example = msgspec.json.format(msgspec.json.encode(entry.example), indent=2).decode()
    fields = _fields(components[entry.struct.__name__])
    return f"### `{entry.type}`\n\n{_markdown(entry.summary)} {kinds}\n\n{fields}\n```json\n{example}\n```\n"


def _value(name: str, schema: dict[str, Any]) -> str:
    return f"### {name}\n\n{_markdown(schema['description'])}\n\n{_fields(schema)}"


def _fields(schema: dict[str, Any]) -> str:
    rows = ["| field | is | about |", "| --- | --- | --- |"]
    for name, field in schema["properties"].items():
        optional = "" if name in schema["required"] else "?"
        marks = [mark for mark in ("personal", "secret") if f"x-{mark}" in field]
        about = "; ".join([*filter(None, [field.get("description")]), *marks])
        rows.append(f"| `{name}`{optional} | {_kind(field)} | {_markdown(about)} |")
    return "\n".join(rows) + "\n"


def _kind(schema: dict[str, Any]) -> str:
    """Say in a few words what values a schema allows."""
    match schema:
        case {"$ref": name}:
            words = f"[{name}](#{name.lower()})"
        case {"anyOf": choices}:
            words = " or ".join(_kind(choice) for choice in choices if choice != {"type": "null"})
        case {"enum": values}:
            words = ", ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            words = f"list of {_kind(items)}"
        case {"type": "object", "additionalProperties": inner}:
            words = f"object of {_kind(inner)} by name" if inner else "object"
        case {"format": "date-time"}:
            words = "moment"
        case {"format": "date"}:
            words = "date"
        case {"type": "boolean"}:
            words = "true or false"
        case {"type": "string"}:
            words = "text" + _range(schema.get("minLength"), schema.get("maxLength"), " characters")
        case _:
            words = schema["type"] + _range(schema.get("minimum"), schema.get("maximum"), "")
    return words


def _range(low: float | None, high: float | None, unit: str) -> str:
    low, high = (None if bound is None or abs(bound) > _BOUND_SHOWN_MAX else bound for bound in (low, high))
    if low is None and high is None:
        return ""
    if low is None:
        return f", at most {high:g}{unit}"
    if high is None:
        return f", at least {low:g}{unit}"
    return f", {low:g}{unit}" if low == high else f", {low:g} to {high:g}{unit}"


def _markdown(text: str) -> str:
    """Turn a docstring's text into one line of Markdown."""
    return " ".join(text.split()).replace("``", "`")
