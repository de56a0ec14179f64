"""What managers and auditors ask, against a real ledger and its views: now, as of any moment, with any knowledge."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from projections.answers import Shown
from projections.listing import SORTS
from projections.moments import Moments
from schemas.cloudevents import touchpoint
from schemas.errors import NotFoundError, SettingsError
from schemas.touchpoint import Touchpoint, iso
from service.sample.generator import generate
from tests.projections.events import DAY, NOW, SEED
from tests.projections.houses import House

RELATIONSHIPS = 40  # of the sample
AHEAD = 200 * DAY  # when the second half is recorded, after the first


def some() -> list[Touchpoint]:
    """The sample's touchpoints of the first relationships to appear, customers and partners."""
    touchpoints = list(generate(SEED, NOW))
    chosen = list(dict.fromkeys(one.subject for one in touchpoints))[:RELATIONSHIPS]
    return [one for one in touchpoints if one.subject in chosen]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Half of the touchpoints are recorded at NOW, the other half 200 days later; on both stores."""
    with ExitStack() as stack:
        place: Path | str = tmp_path_factory.mktemp("house")
        if request.param == "postgres":
            place = stack.enter_context(request.getfixturevalue("postgres").database())
        house = stack.enter_context(closing(House(place)))
        touchpoints = some()
        house.append(touchpoints[::2])
        house.now_us = NOW + AHEAD
        house.append(touchpoints[1::2])
        yield house


def now(house: House) -> Moments:
    return Moments(house.now_us)


def test_list_shows_every_relationship_as_show_does(house: House) -> None:
    everyone = house.reader.list(now(house), limit=0)
    assert len(everyone) == RELATIONSHIPS
    for shown in everyone:
        assert house.reader.show(shown.relationship, now(house)) == shown


def test_the_views_and_a_fold_from_the_ledger_give_the_same_answers(house: House) -> None:
    replayed = Moments(house.now_us, as_of_us=house.now_us, known_us=house.now_us)
    assert house.reader.list(replayed, limit=0) == house.reader.list(now(house), limit=0)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("descending", [False, True])
def test_list_sorts_by_any_figure_and_puts_the_unknown_last(house: House, sort: str, descending: bool) -> None:
    shown = house.reader.list(now(house), sort=sort, descending=descending, limit=0)
    figures: list[Any] = [_figure(one, sort) for one in shown]
    known = [figure for figure in figures if figure is not None]
    assert known == sorted(known, reverse=descending)
    assert figures[: len(known)] == known
    assert house.reader.list(now(house), sort=sort, descending=descending, limit=5) == shown[:5]


def _figure(shown: Shown, sort: str) -> object:
    if sort == "value":
        return None if shown.value is None else float(shown.value.amount)
    if sort == "evidence":
        return sum(one.evidence for one in shown.dimensions.values())
    if sort.startswith("level_"):
        dimension = shown.dimensions.get(sort.removeprefix("level_"))
        return None if dimension is None else dimension.level
    return getattr(shown, sort)


def test_list_keeps_to_what_was_asked_for(house: House) -> None:
    everyone = house.reader.list(now(house), limit=0)
    for kind in ("customer", "partner"):
        found = house.reader.list(now(house), kind=kind, limit=0)
        assert {one.relationship for one in found} == {one.relationship for one in everyone if one.kind == kind}
    for standing in {one.standing for one in everyone}:
        assert all(one.standing == standing for one in house.reader.list(now(house), standing=standing, limit=0))
    segment = everyone[0].segment
    assert all(one.segment == segment for one in house.reader.list(now(house), segment=segment, limit=0))
    with pytest.raises(SettingsError, match="cannot sort by 'shoe size'"):
        house.reader.list(now(house), sort="shoe size")


def test_as_of_tells_what_had_happened_and_known_at_what_was_recorded(house: House, tmp_path: Path) -> None:
    then_us = NOW - 200 * DAY
    earlier = House(tmp_path)
    earlier.now_us = then_us
    touchpoints = some()
    earlier.append([one for one in touchpoints if msgspec.json.decode(one.event)["time"] <= iso(then_us)])
    for shown in earlier.reader.list(Moments(then_us), limit=0):
        again = house.reader.show(shown.relationship, Moments(house.now_us, as_of_us=then_us))
        assert again == msgspec.structs.replace(shown, position=again.position, known_at=again.known_at)
    earlier.close()


def test_known_at_leaves_out_what_was_recorded_later(house: House) -> None:
    for shown in house.reader.list(now(house), limit=0):
        lines = house.reader.history(shown.relationship, Moments(house.now_us, known_us=NOW))
        assert all(line.recorded_at <= iso(NOW) for line in lines)
        assert len(lines) < shown.events
        assert house.reader.show(shown.relationship, Moments(house.now_us, known_us=NOW)).events == len(lines)


def test_every_explanation_adds_up_to_the_quality_that_show_gives(house: House) -> None:
    for moments in (now(house), Moments(house.now_us, as_of_us=NOW - 100 * DAY), Moments(house.now_us, known_us=NOW)):
        for shown in house.reader.list(moments, limit=0):
            told = house.reader.explain(shown.relationship, moments)
            assert told.head.quality == shown.quality
            assert len(told.events) == shown.events
            if shown.quality is not None:
                assert told.head.base + sum(event.contribution for event in told.events) + told.others.others == pytest.approx(
                    shown.quality, abs=0.01
                )
                assert [abs(event.contribution) for event in told.events] == sorted(
                    (abs(event.contribution) for event in told.events), reverse=True
                )


def test_history_gives_every_event_as_it_was_stored_in_order(house: House) -> None:
    relationship = house.reader.list(now(house), limit=1)[0].relationship
    lines = house.reader.history(relationship, now(house))
    assert [line.version for line in lines] == list(range(1, len(lines) + 1))
    assert [bytes(line.event) for line in lines] == [one.event for one in house.ledger.history(relationship)]
    assert house.reader.history(relationship, now(house), limit=3) == lines[-3:]


def test_who_is_not_in_the_ledger_is_said_to_be_not_there(house: House) -> None:
    for ask in (house.reader.show, house.reader.explain, house.reader.history):
        with pytest.raises(NotFoundError, match="customer/nobody is not in the ledger"):
            ask("customer/nobody", now(house))
        with pytest.raises(NotFoundError, match="had no touchpoint by 1970-01-01T00:00:00Z"):
            ask(house.reader.list(now(house), limit=1)[0].relationship, Moments(house.now_us, as_of_us=0))


def test_an_event_stored_over_several_lines_stays_one_line_of_history(tmp_path: Path) -> None:
    house = House(tmp_path)
    plain = touchpoint("shop", "1", "relationship.feedback.v1", "customer/acme", NOW, {"scale": "nps", "value": 9})
    pretty = msgspec.structs.replace(plain, event=msgspec.json.format(plain.event, indent=2))
    house.append([pretty])
    (line,) = house.reader.history("customer/acme", now(house))
    assert b"\n" not in msgspec.json.encode(line)
    assert msgspec.json.decode(bytes(line.event)) == msgspec.json.decode(plain.event)
    house.close()
