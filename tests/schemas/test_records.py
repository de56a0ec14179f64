from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.catalogue import CATALOGUE, RESERVED_PREFIX, Opened, Purchase
from schemas.cloudevents import decode_json
from schemas.identity import content_digest
from schemas.records import recorded
from schemas.touchpoint import Stored, microseconds

FIXTURES = Path(__file__).parents[1] / "fixtures"
LINES = (FIXTURES / "log-v1.jsonl").read_bytes().splitlines()
NOW_US = 1_780_000_000_000_000


def stored(line: bytes) -> Stored:
    event = msgspec.json.decode(line)
    return Stored(7, event["subject"], 3, event["type"], NOW_US, line)


def known_part(data: Any, of: Any) -> Any:
    """The part of ``of`` whose keys ``data`` has too."""
    if isinstance(data, dict):
        return {name: known_part(data[name], value) for name, value in of.items() if name in data}
    return of


def test_a_recorded_event_has_its_place_its_attributes_and_typed_data() -> None:
    line = next(line for line in LINES if b"loyalty_card" in line)
    event = recorded(stored(line))
    assert (event.position, event.relationship, event.version, event.recorded_us) == (7, "customer/c-1003", 3, NOW_US)
    assert (event.source, event.id, event.type, event.actor) == ("/fixture/v1", "v1-117", "relationship.opened.v1", "crm")
    assert event.occurred_us == 1_770_643_260_000_000
    assert event.data == Opened("Bäckerei Özgür 🥐")


@pytest.mark.parametrize("line", LINES, ids=range(1, len(LINES) + 1))
def test_an_event_of_an_old_release_still_says_all_it_said(line: bytes) -> None:
    said, event = msgspec.json.decode(line), recorded(stored(line))
    assert event.occurred_us == microseconds(msgspec.convert(said["time"], type=datetime))
    if event.type in CATALOGUE:
        data = msgspec.json.decode(msgspec.json.encode(event.data))
        assert data == known_part(data, said["data"])
    else:
        assert event.data is None
    assert len(content_digest(line)) == 32
    if not event.type.startswith(RESERVED_PREFIX):
        assert decode_json(line, now_us=NOW_US).event == line


def test_the_newest_fixture_log_has_every_type() -> None:
    assert set(CATALOGUE) <= {msgspec.json.decode(line)["type"] for line in LINES}


def test_a_newer_version_of_a_known_type_is_not_guessed_at() -> None:
    line = next(line for line in LINES if b"relationship.purchase.v1" in line)
    assert isinstance(recorded(stored(line)).data, Purchase)
    assert recorded(stored(line.replace(b"purchase.v1", b"purchase.v2"))).data is None


@pytest.mark.parametrize("change", [(b'"amount"', b'"amuont"'), (b'"time"', b'"tome"'), (b"}", b""), (b"O-1001", b"\xff")])
def test_bytes_that_were_never_accepted_are_reported_with_their_position(change: tuple[bytes, bytes]) -> None:
    line = next(line for line in LINES if b"relationship.purchase.v1" in line)
    broken = msgspec.structs.replace(stored(line), event=line.replace(*change))
    with pytest.raises(ValueError, match=r"event at position 7 .* rledger verify"):
        recorded(broken)
