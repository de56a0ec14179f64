import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker  # type: ignore[import-untyped]  # it ships no types

from schemas.catalogue import CATALOGUE, CatalogueEntry
from schemas.cloudevents import decode_json
from schemas.documents import asyncapi, documents, example_event, json_schema, write
from schemas.errors import RefusedError

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
ENTRIES = pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.type)


def validator(entry: CatalogueEntry) -> Draft202012Validator:
    return Draft202012Validator(json_schema(entry), format_checker=FormatChecker())


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_what_is_checked_in_is_what_the_catalogue_gives(tmp_path: Path) -> None:
    write(tmp_path)
    made = {str(file.relative_to(tmp_path)): file.read_text("utf-8") for file in tmp_path.rglob("*.*")}
    assert made == documents()
    for name, text in made.items():
        assert (REFERENCE / name).read_text("utf-8") == text, f"{name} is behind the catalogue: run rledger schema docs/reference"
    kept = {file.name for file in (REFERENCE / "schemas").iterdir()}
    assert kept == {f"{type_}.json" for type_ in CATALOGUE}


@ENTRIES
def test_every_json_schema_is_one_and_its_example_fits(entry: CatalogueEntry) -> None:
    Draft202012Validator.check_schema(json_schema(entry))
    validator(entry).validate(example_event(entry))


@ENTRIES
def test_a_json_schema_refuses_what_lacks_a_field_or_has_a_wrong_one(entry: CatalogueEntry) -> None:
    check, event = validator(entry), example_event(entry)
    for name in ("specversion", "id", "source", "type", "time", "subject", "data"):
        assert not check.is_valid({key: value for key, value in event.items() if key != name}), name
        assert not check.is_valid({**event, name: 5}), name
    for name in entry.example:
        assert not check.is_valid({**event, "data": {**entry.example, name: [{"no": "such value"}]}}), name


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("relationship.purchase.v1", {"amount": {"amount": "1e3", "currency": "EUR"}}),
        ("relationship.purchase.v1", {"amount": {"amount": "1.5\n", "currency": "EUR"}}),
        ("relationship.purchase.v1", {"amount": {"amount": "-1.5", "currency": "EUR"}}),
        ("relationship.purchase.v1", {"amount": {"amount": "1.5", "currency": "eur"}}),
        ("relationship.purchase.v1", {"order_id": ""}),
        ("relationship.contact.v1", {"sentiment": -1.5}),
        ("relationship.complaint.v1", {"severity": "awful"}),
        ("relationship.referral.v1", {"referred": "somebody"}),
    ],
)
def test_a_json_schema_and_the_intake_refuse_the_same(type_: str, data: dict[str, Any]) -> None:
    entry = CATALOGUE[type_]
    event = {**example_event(entry), "data": {**entry.example, **data}}
    assert not validator(entry).is_valid(event)
    with pytest.raises(RefusedError, match="the data is not that of"):
        decode_json(json.dumps(event).encode(), now_us=1_780_000_000_000_000)


def test_the_asyncapi_document_is_one() -> None:
    metaschema = json.loads((ROOT / "tests" / "fixtures" / "asyncapi" / "3.0.0.json").read_bytes())
    errors = list(Draft7Validator(metaschema).iter_errors(asyncapi()))
    assert errors == []


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    for reference in set(references(document)):
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_the_asyncapi_document_names_the_four_topics_and_no_host() -> None:
    document = asyncapi()
    topics = {channel["address"] for channel in document["channels"].values()}
    assert topics == {"relationship.touchpoints", "relationship.ledger", "relationship.alerts", "relationship.deadletters"}
    assert "servers" not in document


def test_only_what_others_may_send_is_on_the_touchpoints_topic() -> None:
    channels = asyncapi()["channels"]
    assert set(channels["touchpoints"]["messages"]) == {type_ for type_ in CATALOGUE if type_.startswith("relationship.")}
    assert set(channels["ledger"]["messages"]) == set(CATALOGUE)


def test_the_page_shows_every_type_and_field() -> None:
    page = documents()["catalogue.md"]
    for entry in CATALOGUE.values():
        section = page.partition(f"### `{entry.type}`\n")[2].partition("\n### ")[0]
        assert entry.summary.replace("``", "`") in section
        for name in entry.struct.__struct_fields__:
            assert f"| `{name}`" in section, entry.type
