"""All views together."""

import msgspec
import pytest

from projections.projection import Projection
from projections.registry import projections
from schemas.catalogue import CATALOGUE
from tests.projections.events import POLICY, happened


@pytest.mark.parametrize("projection", projections(POLICY), ids=lambda one: one.name)
@pytest.mark.parametrize("relationship", ["customer/acme", "partner/acme"])
def test_no_view_has_a_row_for_an_event_it_does_not_take(projection: Projection, relationship: str) -> None:
    events = [happened(None, relationship=relationship)]
    for entry in CATALOGUE.values():
        for by in ("us", "them"):
            values = entry.example | ({"by": by} if "by" in entry.example else {})
            events.append(happened(msgspec.convert(values, entry.struct), relationship=relationship))
    wanted = {type(event.data) for event in events if projection.key(event) is not None}
    assert projection.takes is None or wanted <= projection.takes
