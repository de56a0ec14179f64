from typing import Any

import msgspec
import pytest

from schemas.catalogue import CATALOGUE, Data
from schemas.upcasts import DATA_DECODERS, UPCASTS, data_decoders, next_version


class Visit(Data, frozen=True):
    """The third version of a made-up type: v1 had ``minutes`` as text, v2 as a number, v3 has seconds."""

    place: str
    seconds: float


def minutes_as_number(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "minutes": float(data["minutes"])}


def seconds_for_minutes(data: dict[str, Any]) -> dict[str, Any]:
    return {"place": data["place"], "seconds": data["minutes"] * 60}


VISITS = data_decoders(
    {"relationship.visit.v3": Visit},
    {"relationship.visit.v1": minutes_as_number, "relationship.visit.v2": seconds_for_minutes},
)


@pytest.mark.parametrize(
    ("version", "data"),
    [
        ("v1", b'{"place": "fair", "minutes": "1.5"}'),
        ("v2", b'{"place": "fair", "minutes": 1.5}'),
        ("v3", b'{"place": "fair", "seconds": 90}'),
    ],
)
def test_data_of_every_version_reads_as_the_newest(version: str, data: bytes) -> None:
    assert VISITS[f"relationship.visit.{version}"](data) == Visit("fair", 90.0)


def test_a_version_nobody_wrote_yet_has_no_decoder() -> None:
    assert "relationship.visit.v4" not in VISITS


@pytest.mark.parametrize(
    ("version", "data"),
    [
        ("v1", b'{"place": "fair"}'),
        ("v1", b'{"place": "fair", "minutes": "many"}'),
        ("v1", b'{"place": "fair", "minutes": []}'),
        ("v1", b"[]"),
        ("v2", b'{"minutes": 1}'),
        ("v2", b'{"place": 5, "minutes": 1}'),
        ("v2", b'{"place": "fair", "minutes": {}}'),
    ],
)
def test_old_data_that_does_not_fit_is_invalid_as_new_data_is(version: str, data: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        VISITS[f"relationship.visit.{version}"](data)


def test_versions_count_on() -> None:
    assert next_version("relationship.visit.v9") == "relationship.visit.v10"


def test_every_known_type_has_a_decoder_and_every_old_version_leads_to_one() -> None:
    assert set(DATA_DECODERS) == set(CATALOGUE) | set(UPCASTS)
