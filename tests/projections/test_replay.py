"""Replays: what any view was at any moment in both times, in bounded memory, and what differs between two moments and why."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.proof.leaf import encode_leaf
from ledger.proof.merkle import EMPTY_ROOT, Frontier, leaf_hash
from projections import replay as replay_module
from projections.complaints import COMPLAINTS
from projections.differences import Change, differences
from projections.moments import Moments
from projections.registry import projections
from projections.relationships import relationships
from projections.replay import Replay, Side, known_size
from schemas.catalogue import Complaint, ComplaintResolved, Correction, TouchpointRef
from schemas.cloudevents import touchpoint
from schemas.touchpoint import Recorded, Touchpoint
from service.sample.generator import generate
from tests.projections.chains import SECOND, Log, chains
from tests.projections.events import DAY, NOW, POLICY, SEED, happened
from tests.projections.houses import House

ACME = "customer/acme"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def replayed(log: Log, moments: Moments) -> dict[str, tuple[Any, int]]:
    side = Side(chains(), moments)
    rows = Replay(log.ledger, [side], upto=len(log.events), hashed=False).rows()
    return {key: (one.state, one.position) for key, (one,) in rows if one is not None}


@given(
    words=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["add", "add", "remove", "correct"])), max_size=40),
    known=st.integers(0, 45),
    most=st.integers(1, 5),
)
def test_a_replay_of_what_was_known_is_the_view_at_that_time(words: list[tuple[str, str]], known: int, most: int) -> None:
    log = Log()
    for letter, what in words:
        name = f"customer/{letter}"
        if what == "correct":
            log.correct(name, f"add-{len(log.events) // 2}")
        else:
            log.add(name, f"{what}-{len(log.events)}")
    then = Log()
    then.events = log.events[:known]
    with pytest.MonkeyPatch.context() as patch:
        whole = replayed(then, Moments(NOW))
        patch.setattr(replay_module, "STATES_MAX", most)  # many passes
        assert replayed(log, Moments(NOW, known_us=known * SECOND)) == whole


def test_the_rows_are_those_of_the_views(house: House) -> None:
    touchpoints = list(generate(SEED, NOW))[-3000:]
    house.append(touchpoints)
    rng = random.Random(3)
    corrections = [_correction(one, number) for number, one in enumerate(rng.sample(touchpoints, 40))]
    house.append(corrections)
    for view in projections(POLICY):
        side = Side(view, Moments(NOW))
        replay = Replay(house.ledger, [side], upto=house.ledger.head().position, hashed=True)
        key = view.row.__struct_fields__[0]
        kept = {getattr(found.row, key): (found.row, found.position) for found in house.views.select(view)}
        assert {key: (side.publish(one), one.position) for key, (one,) in replay.rows() if one is not None} == kept
        assert replay.roots[replay.sizes[0]] == house.ledger.tree().root
        assert not replay.failed


def _correction(one: Touchpoint, number: int) -> Touchpoint:
    data = Correction(TouchpointRef(one.source, one.id), "a slip")
    return touchpoint("rledger", f"c{number}", "ledger.correction.v1", one.subject, NOW, data)


def test_the_tree_is_that_of_what_was_known() -> None:
    log = Log()
    log.add_many(50)
    sides = [Side(chains(), Moments(NOW, known_us=known * SECOND)) for known in (0, 17, 50)]
    replay = Replay(log.ledger, sides, upto=50, hashed=True, marks=(3, 20, 60))
    list(replay.rows())
    leaves = [leaf_hash(encode_leaf(one)) for one in log.events]
    assert replay.roots == {size: Frontier().extended(leaves[:size]).root() for size in (0, 3, 17, 20, 50)}
    assert replay.roots[0] == EMPTY_ROOT


@pytest.mark.parametrize("known", [0, 1, 2, 7, 8])
def test_how_many_events_were_known_is_found_without_reading_them_all(known: int) -> None:
    log = Log()
    log.add_many(7)
    assert known_size(log.ledger, Moments(NOW, known_us=known * SECOND), 7) == min(known, 7)
    assert known_size(log.ledger, Moments(NOW), 7) == 7


def test_a_relationship_that_cannot_be_folded_is_left_out_and_told() -> None:
    log = Log()
    log.add_many(30)
    side = Side(chains(lambda id_: id_ == "e8"), Moments(NOW))
    replay = Replay(log.ledger, [side], upto=30, hashed=False)
    assert {key.partition("#")[0] for key, _ in replay.rows()} == {f"customer/c{number}" for number in (0, 2, 3, 4)}
    assert replay.failed == {"customer/c1": 8}
    log.correct("customer/c1", "e8")
    replay = Replay(log.ledger, [side], upto=31, hashed=False)
    assert {key.partition("#")[0] for key, _ in replay.rows()} == {f"customer/c{number}" for number in range(5)}
    assert replay.failed == {}


def told(house: House, before: Moments, after: Moments, view: Any = COMPLAINTS) -> list[Change]:  # a projection
    replay = Replay(house.ledger, [Side(view, before), Side(view, after)], upto=house.ledger.head().position, hashed=False)
    return list(differences(house.ledger, replay))


def complain(house: House, *told_of: Recorded) -> None:
    for event in told_of:
        house.now_us += DAY
        house.append([touchpoint(event.source, event.id, event.type, event.relationship, event.occurred_us, event.data or {})])


def test_a_difference_names_the_events_behind_it(house: House) -> None:
    opened = happened(Complaint("C-1", "them", "major"), 10, relationship=ACME)
    closed = happened(ComplaintResolved("C-1", "resolved"), 5, relationship=ACME)
    other = happened(Complaint("C-2", "them", "minor"), 30, relationship=ACME)
    complain(house, opened, closed, other)

    (change,) = told(house, Moments(house.now_us, NOW - 7 * DAY), Moments(house.now_us, NOW))  # what happened in between
    assert (change.key, change.change) == (f"{ACME}#C-1", "changed")
    assert change.columns["status"] == ("open", "resolved")
    assert [(cause.position, cause.counts) for cause in change.events] == [(2, "now")]

    (late,) = told(house, Moments(house.now_us, None, NOW + 2 * DAY), Moments(house.now_us))  # what was learned in between
    assert (late.key, late.change, [cause.position for cause in late.events]) == (f"{ACME}#C-2", "added", [3])
    assert told(house, Moments(house.now_us), Moments(house.now_us)) == []


def test_a_correction_is_the_reason_of_what_differs_by_it(house: House) -> None:
    opened = happened(Complaint("C-1", "them", "major"), 10, relationship=ACME)
    complain(house, opened, happened(Complaint("C-2", "them", "minor"), 9, relationship=ACME))
    before = house.now_us
    house.now_us += DAY
    replacement = {"complaint_id": "C-9", "by": "them", "severity": "minor"}
    data = Correction(TouchpointRef(opened.source, opened.id), "another number", replacement)
    house.append([touchpoint("rledger", "c", "ledger.correction.v1", ACME, house.now_us, data)])
    gone, new = told(house, Moments(house.now_us, None, before), Moments(house.now_us))
    assert [(one.key, one.change) for one in (gone, new)] == [(f"{ACME}#C-1", "removed"), (f"{ACME}#C-9", "added")]
    for one in (gone, new):
        (cause,) = one.events
        assert (cause.position, cause.counts) == (1, "otherwise")
        assert cause.corrected is not None
        assert (cause.corrected.position, cause.corrected.now) == (3, "replaced")


def test_what_no_event_changed_is_times_doing(house: House) -> None:
    complain(house, happened(Complaint("C-1", "them", "major"), 40, relationship=ACME))
    (change,) = told(house, Moments(house.now_us, NOW - 20 * DAY), Moments(house.now_us, NOW), relationships(POLICY))
    assert change.columns["quality"][0] > change.columns["quality"][1]  # it grows heavier while it is open
    assert change.events == ()


def test_an_event_recorded_after_the_moment_that_is_asked_about_counts_as_it_happened(house: House) -> None:
    late = [happened(Complaint(f"C-{number}", "them", "major"), 200 + number, relationship=ACME) for number in range(8)]
    house.append([touchpoint(one.source, one.id, one.type, ACME, one.occurred_us, one.data or {}) for one in late])
    moments = Moments(NOW, NOW - 150 * DAY)
    side = Side(relationships(POLICY), moments)
    (row,) = [side.publish(one) for _, (one,) in Replay(house.ledger, [side], upto=8, hashed=False).rows() if one is not None]
    shown = house.reader.show(ACME, moments)
    assert (row.quality, row.trend) == (shown.quality, shown.trend)  # type: ignore[attr-defined]
    assert msgspec.to_builtins(row)["events"] == 8
