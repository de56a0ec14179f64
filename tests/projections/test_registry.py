"""All views together."""

import random
from typing import cast

import msgspec
import pytest

from projections.folding import Folding
from projections.projection import Projection
from projections.registry import projections
from projections.stores.interface import Writer
from projections.tables import Table
from schemas.catalogue import CATALOGUE
from schemas.touchpoint import Recorded
from tests.projections.events import POLICY, happened, sample

EVERY = pytest.mark.parametrize("projection", projections(POLICY), ids=lambda one: one.name)


@EVERY
@pytest.mark.parametrize("relationship", ["customer/acme", "partner/acme"])
def test_no_view_has_a_row_for_an_event_it_does_not_take(projection: Projection, relationship: str) -> None:
    events = [happened(None, relationship=relationship)]
    for entry in CATALOGUE.values():
        for by in ("us", "them"):
            values = entry.example | ({"by": by} if "by" in entry.example else {})
            events.append(happened(msgspec.convert(values, entry.struct), relationship=relationship))
    wanted = {type(event.data) for event in events if projection.row_key(event) is not None}
    assert projection.takes is None or wanted <= projection.takes


def folded(projection: Projection, events: list[Recorded], calls: random.Random | None) -> dict[str, tuple[bytes, tuple[int, int]]]:
    """Encoded states and what was folded last, by key. ``calls``: how many events at once; None: one."""
    folding, told = Folding(Table(projection), cached_rows=0), [event for event in events if projection.row_key(event) is not None]
    while told:
        count = 1 if calls is None else calls.randint(1, 40)
        folding.fold(NOBODY, told[:count])
        del told[:count]
    assert not folding.failed
    return {key: (folding.table.encode_state(state), folding.touched[key]) for key, state in folding.states.items()}


NOBODY: Writer = cast("Writer", None)  # nothing is stored


@EVERY
def test_a_state_is_the_same_however_events_are_parted_into_calls(projection: Projection) -> None:
    calls, some = random.Random(8), list(sample().values())[::4]
    events = sorted((event for those in some for event in those), key=lambda event: event.position)
    late = list(events)
    calls.shuffle(late)
    for log in (events, sorted(late, key=lambda event: event.relationship)):
        assert folded(projection, log, calls) == folded(projection, log, None)
