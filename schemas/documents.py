"""The documents others build against, made from the catalogue: a JSON Schema a type, one AsyncAPI document, a page for people.

The same catalogue gives the same bytes, so a test can tell when the checked-in copies under ``docs/reference/`` are behind.

Sources: JSON Schema 2020-12; AsyncAPI 3.0; the header names of Kafka Connect's dead letter queue (KIP-298).
"""

from pathlib import Path
from typing import Any

import msgspec

from schemas.catalogue import CATALOGUE, RESERVED_PREFIX, CatalogueEntry
from schemas.catalogue.values import SUBJECT_PATTERN
from schemas.cloudevents import AHEAD_MAX_US, DEPTH_MAX, EVENT_BYTES_MAX, CloudEvent
from schemas.errors import REFUSAL_CODES
from schemas.reference import catalogue_page
from schemas.touchpoint import LEDGER_SUBJECT

Json = dict[str, Any]

INTERFACE_VERSION = "1.0.0"  # of the AsyncAPI document: raised with every change of a channel or type
DEAD_LETTER_HEADERS = {
    "__connect.errors.topic": "the topic the record came from",
    "__connect.errors.partition": "its partition, decimal",
    "__connect.errors.offset": "its offset, decimal",
    "__connect.errors.exception.class.name": f"why it was refused: {', '.join(REFUSAL_CODES)}",
    "__connect.errors.exception.message": "the reason in words",
}


def write(folder: Path) -> None:
    """Write every document under ``folder``: ``schemas/<type>.json``, ``asyncapi.json`` and ``catalogue.md``."""
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


def documents() -> dict[str, str]:
    """Return every document by its path, relative to the folder it belongs in."""
    schemas = {f"schemas/{entry.type}.json": _text(json_schema(entry)) for entry in CATALOGUE.values()}
    return {**schemas, "asyncapi.json": _text(asyncapi()), "catalogue.md": catalogue_page()}


def json_schema(entry: CatalogueEntry) -> Json:
    """Return the JSON Schema of a whole structured event of one type."""
    (envelope, data), definitions = msgspec.json.schema_components([CloudEvent, entry.struct], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:relationship-ledger:schema:{entry.type}",
        **_event_schema(entry, envelope, data),
        "examples": [example_event(entry)],
        "$defs": definitions,
    }


def example_event(entry: CatalogueEntry) -> Json:
    """Return a whole structured event of one type, as parsed JSON."""
    subject = f"{entry.kinds[0]}/c-1001" if entry.kinds else LEDGER_SUBJECT
    return {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/erp/orders",
        "type": entry.type,
        "subject": subject,
        "time": "2026-03-02T10:15:00Z",
        "data": entry.example,
    }


def asyncapi() -> Json:
    """Return the AsyncAPI document: our topics, what travels on each, and which way."""
    given = [entry for entry in CATALOGUE.values() if not entry.type.startswith(RESERVED_PREFIX)]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Relationship ledger",
            "version": INTERFACE_VERSION,
            "description": "Every touchpoint with a customer or a business partner, kept once and for ever. "
            "Touchpoints are CloudEvents 1.0 in JSON, structured or binary mode, one a record, keyed by subject: "
            f"at most {EVENT_BYTES_MAX // 1024} KiB, nested at most {DEPTH_MAX} levels, "
            f"at most {AHEAD_MAX_US // 60_000_000} minutes ahead of our clock.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "touchpoints": _channel("relationship.touchpoints", "What systems publish to us.", [entry.type for entry in given]),
            "ledger": _channel("relationship.ledger", "Every event in the ledger, in its order within each relationship.", list(CATALOGUE)),
            "alerts": _channel("relationship.alerts", "What a person should look at.", ["alert"]),
            "deadletters": _channel("relationship.deadletters", "What was refused, as it came.", ["deadletter"]),
        },
        "operations": {
            "takeTouchpoint": _operation("receive", "touchpoints", "Append a touchpoint, once."),
            "publishEvent": _operation("send", "ledger", "Pass on every event that was appended."),
            "publishAlert": _operation("send", "alerts", "Tell that a relationship needs attention."),
            "publishDeadLetter": _operation("send", "deadletters", "Show what was refused, and why."),
        },
        "components": {"messages": _messages(), "schemas": _components()},
    }


def _messages() -> Json:
    key = {"kafka": {"key": {"type": "string", "description": "the subject: all records of a relationship are in order"}}}
    messages: Json = {
        entry.type: {
            "name": entry.type,
            "summary": entry.summary,
            "payload": {"$ref": f"#/components/schemas/{entry.type}"},
            "bindings": key,
            "examples": [{"payload": example_event(entry)}],
        }
        for entry in CATALOGUE.values()
    }
    messages["alert"] = {
        "name": "alert",
        "summary": "An alert was opened: a CloudEvent whose subject is the relationship and whose data is the alert.",
        "payload": {"$ref": "#/components/schemas/CloudEvent"},
        "bindings": key,
    }
    messages["deadletter"] = {
        "name": "deadletter",
        "summary": "A record that was refused: its key and value as they came, its headers and ours beside them.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "properties": {name: {"type": "string", "description": text} for name, text in DEAD_LETTER_HEADERS.items()},
            "required": list(DEAD_LETTER_HEADERS),
        },
        "payload": {"description": "the value as it came; it need not be JSON"},
    }
    return messages


def _components() -> Json:
    entries = CATALOGUE.values()
    (envelope, *data), components = msgspec.json.schema_components(
        [CloudEvent, *(entry.struct for entry in entries)], ref_template="#/components/schemas/{name}"
    )
    events = {entry.type: _event_schema(entry, envelope, schema) for entry, schema in zip(entries, data, strict=True)}
    return {**components, **events}


def _event_schema(entry: CatalogueEntry, envelope: Json, data: Json) -> Json:
    """Return the schema of an event of one type: the envelope, and what the type says of it."""
    return {
        "title": entry.type,
        "description": entry.summary,
        "type": "object",
        "allOf": [envelope],
        "properties": {
            "type": {"const": entry.type},
            "subject": {"type": "string", "pattern": SUBJECT_PATTERN} if entry.kinds else {"const": LEDGER_SUBJECT},
            "data": data,
        },
        "required": ["subject", "data"],
    }


def _channel(topic: str, description: str, messages: list[str]) -> Json:
    return {
        "address": topic,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _operation(action: str, channel: str, summary: str) -> Json:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _text(document: Json) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
