"""Corrections: one rule says which events count, and views that follow them as they come equal views made anew."""

import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections import keeper as keeper_module
from projections.corrections import CORRECTION, Corrected, Corrections, counting
from projections.projection import Projection
from projections.registry import projections
from projections.runner import Runner
from projections.views import Views
from schemas.catalogue import CATALOGUE, Correction
from schemas.records import recorded
from schemas.touchpoint import Recorded, Stored
from tests.projections.chains import House, Log, State, chains, from_nothing, parked, row, table
from tests.projections.events import POLICY, sample

CLOSED = "relationship.closed.v1"


def closed(id_: str, reason: str | None = None) -> bytes:
    return msgspec.json.encode({"id": id_, "source": "test", "time": "2026-01-01T00:00:00Z", "data": {"by": "them", "reason": reason}})


def log_of(*words: str) -> Log:
    """``a`` touches, ``-a`` withdraws it, ``a=b`` replaces it by b."""
    log = Log()
    for word in words:
        if word.startswith("-"):
            log.correct("customer/x", word[1:])
        elif "=" in word:
            id_, _, reason = word.partition("=")
            log.correct("customer/x", id_, {"by": "us", "reason": reason})
        else:
            log.add("customer/x", word, type_=CLOSED, event=closed(word, word))
    return log


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a b", "a b"),
        ("a b -a", "b"),
        ("a b a=c", "c b"),
        ("a b -a a=c", "c b"),
        ("a b a=c a=d", "d b"),
        ("a b a=c -a", "b"),
        ("-a a b", "a b"),  # it names what was recorded before it
        ("a -z", "a"),
        ("a -a b -b", ""),
    ],
)
def test_of_several_corrections_the_last_one_recorded_holds(words: str, expected: str) -> None:
    events = [recorded(one) for one in log_of(*words.split()).events]
    assert [one.data.reason for one in counting(events)] == expected.split()  # type: ignore[union-attr]


def test_it_is_told_what_became_of_a_touchpoint_and_what_a_correction_is_about() -> None:
    events = [recorded(one) for one in log_of("a", "b", "-a", "a=c", "-z").events]
    corrections = Corrections(events)
    assert [corrections.of(one) for one in events[:2]] == [Corrected(4, "replaced", "a mistake"), None]
    assert [corrections.corrects(one) for one in events] == [None, None, 1, 1, None]


def test_a_correction_reaches_no_other_relationship(house: House) -> None:
    for name in ("a", "b"):
        house.log.add(f"customer/{name}", f"e-{name}")
    house.log.correct("customer/a", "e-b")
    house.catch_up()
    assert {one.state.chain: one.state.last for one in house.views.select(chains(), state=True)} == {
        "customer/a": "e-a",
        "customer/b": "e-b",
    }


def believed(history: Sequence[Recorded]) -> Iterator[Recorded]:
    """The events of one relationship as they count, found without the rule."""
    words: dict[str, Any] = {event.data.of.id: event.data.replacement for event in history if isinstance(event.data, Correction)}
    for event in history:
        if event.id not in words and event.type != CORRECTION:
            yield event
        elif words.get(event.id) is not None:
            yield msgspec.structs.replace(event, data=msgspec.convert(words[event.id], CATALOGUE[event.type].struct))


def naive(events: Iterable[Stored], projection: Projection) -> dict[str, tuple[Any, int]]:
    """State and position of every row, by looking at each relationship's whole history again."""
    histories: dict[str, list[Recorded]] = {}
    for stored in events:
        histories.setdefault(stored.relationship, []).append(recorded(stored))
    rows: dict[str, tuple[Any, int]] = {}
    for history in histories.values():
        last = max((event.position for event in history if event.type == CORRECTION), default=0)
        for event in believed(history):
            name = projection.row_key(event)
            before = rows[name][0] if name in rows else None
            if name is not None and (timely := projection.in_time(before, event)):
                state = projection.fold(before, timely)
                rows.pop(name, None)
                if state is not None:
                    rows[name] = state, max(event.position, last)
    return rows


moves = st.lists(
    st.one_of(
        st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["add", "add", "remove", "day", "withdraw", "replace"])), max_size=20),
        st.sampled_from(["once", "catch up", "new process", "rebuild"]),
    ),
    max_size=8,
)


@given(moves=moves, cached_rows=st.integers(1, 4), sizes=st.tuples(*[st.integers(1, 9)] * 4), seed=st.integers(0, 99))
def test_views_that_follow_corrections_as_they_come_equal_views_made_anew(
    moves: list[str | list[tuple[str, str]]], cached_rows: int, sizes: tuple[int, int, int, int], seed: int
) -> None:
    rng = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        for name, value in zip(
            ("READ_EVENTS", "FOLD_EVENTS", "COMMIT_EVENTS", "SWEEP_ROWS", "CACHED_ROWS"), (*sizes, cached_rows), strict=True
        ):
            patch.setattr(keeper_module, name, value)
        house = House(Path(folder, "views.db"))
        runner = house.runner()
        for move in moves:
            match move:
                case list():
                    append(house.log, move, rng)
                case "once":
                    runner.run_once()
                case "catch up":
                    runner.catch_up()
                case "rebuild":
                    runner.prepare()
                    assert [one.comparison and one.comparison.equal for one in runner.rebuild(["chains"])] == [True]
                case "new process":
                    runner.close()
                    runner = house.runner()
        runner.catch_up()
        runner.close()
        assert (table(house.place), []) == from_nothing(house.log)
        assert parked(house.place) == []
        states = {one.state.chain: (one.state, one.position) for one in house.views.select(chains(), state=True)}
        assert states == naive(house.log.events, chains())
        house.views.close()


def append(log: Log, what_happens: Sequence[tuple[str, str]], rng: random.Random) -> None:
    for letter, what in what_happens:
        relationship = f"customer/{letter}"
        number = len(log.events)
        ids = [msgspec.json.decode(one.event)["id"] for one in log.history(relationship) if one.type == CLOSED]
        if what == "day":
            log.close_day()
        elif what in {"add", "remove"} or not ids:
            log.add(relationship, "", type_=CLOSED, event=closed(f"{what}-{number}"))
        else:
            log.correct(relationship, rng.choice(ids), {"by": "us", "reason": f"r{number}"} if what == "replace" else None)


@pytest.mark.usefixtures("small")
def test_a_parked_relationship_flows_again_when_its_bad_event_is_withdrawn(house: House) -> None:
    broken = chains(lambda id_: id_ == "e29")
    house.log.add_many(60)
    house.catch_up(broken)
    assert parked(house.place) == [("customer/c3", "RuntimeError", 29)]
    house.log.correct("customer/c3", "e4")  # another one: it stays parked, what stands follows
    house.catch_up(broken)
    assert parked(house.place) == [("customer/c3", "RuntimeError", 29)]
    assert (table(house.place), parked(house.place)) == from_nothing(house.log, broken)
    house.log.correct("customer/c3", "e29")
    house.log.add_many(30)
    house.catch_up(broken)
    assert parked(house.place) == []
    assert (table(house.place), []) == from_nothing(house.log, broken)
    assert {one.state.chain: (one.state, one.position) for one in house.views.select(chains(), state=True)} == naive(
        house.log.events, broken
    )


def test_a_relationship_all_of_whose_touchpoints_are_withdrawn_has_no_row(house: House) -> None:
    house.log.add_many(10, relationships=2)
    for number in range(1, 11, 2):
        house.log.correct("customer/c1", f"e{number}")
    house.catch_up()
    assert {one.row.chain for one in house.views.select(chains())} == {"customer/c0", "customer/c0#second"}
    house.log.correct("customer/c1", "e3", {"by": "us"})  # and is back with one of them
    house.catch_up()
    assert "customer/c1" in {one.row.chain for one in house.views.select(chains())}


def test_only_the_corrected_relationship_is_folded_again(house: House) -> None:
    folded: list[str] = []

    def told(id_: str) -> bool:
        folded.append(id_)
        return False

    house.log.add_many(50)
    runner = house.runner(chains(told))
    runner.catch_up()
    folded.clear()
    house.log.correct("customer/c3", "e4")
    runner.catch_up()
    runner.close()
    assert folded == [f"e{number}" for number in range(9, 51, 5)]


def test_a_row_that_cannot_be_published_after_a_correction_parks_its_relationship_where_that_begins(house: House) -> None:
    def publish(state: State, moment_us: int) -> Any:
        if state.last == "e9":
            raise ZeroDivisionError
        return row(state, moment_us)

    projection = chains(publish=publish)
    house.log.add_many(20)  # e9 was never the last of its row
    house.catch_up(projection)
    assert parked(house.place) == []
    for number in (14, 19):
        house.log.correct("customer/c3", f"e{number}")
    house.catch_up(projection)
    assert [(name, error) for name, error, _ in parked(house.place)] == [("customer/c3", "ZeroDivisionError")]
    house.log.correct("customer/c3", "e9")
    house.catch_up(projection)
    assert (table(house.place), parked(house.place)) == from_nothing(house.log, projection)


def test_a_replacement_that_is_no_data_of_the_type_parks_its_relationship(house: House) -> None:
    house.log.add("customer/a", "", type_=CLOSED, event=closed("x"))
    house.log.correct("customer/a", "x", {"by": "nobody"})
    house.catch_up()
    (waiting,) = house.views.parked()
    assert "the correction at position 2 replaces by what is no relationship.closed.v1" in waiting.message


def test_every_view_of_ours_follows_corrections_at_random_places(tmp_path: Path) -> None:
    rng, log, corrected = random.Random(11), Log(), 0
    ours = projections(POLICY)
    stepped = Views.open(tmp_path / "stepped.db")
    histories = [list(events) for name, events in sample().items() if name.startswith("partner/")][:3]
    histories += [list(events) for name, events in sample().items() if name.startswith("customer/")][:5]
    seen: list[Recorded] = []
    for event in sorted((event for history in histories for event in history), key=lambda event: event.position):
        body = {"id": event.id, "source": "test", "time": "2026-05-01T00:00:00Z", "data": event.data}
        log.add(event.relationship, "", type_=event.type, event=msgspec.json.encode(body))
        seen.append(event)
        if rng.random() < 0.05:
            wrong = rng.choice(seen)
            other = rng.choice([one for one in seen if one.type == wrong.type])
            log.correct(wrong.relationship, wrong.id, msgspec.to_builtins(other.data) if rng.random() < 0.6 else None)
            corrected += 1
        if rng.random() < 0.01:
            log.close_day()
        if len(seen) % 97 == 0:
            catch_up(log, stepped, ours)
    catch_up(log, stepped, ours)
    anew = Views.open(tmp_path / "anew.db")
    catch_up(log, anew, ours)
    assert corrected > 20
    for one in ours:
        assert table(tmp_path / "stepped.db", one.name) == table(tmp_path / "anew.db", one.name)
        key = one.row.__struct_fields__[0]
        states = {getattr(found.row, key): (found.state, found.position) for found in stepped.select(one, state=True)}
        assert states == naive(log.events, one)
        assert states
    stepped.close()
    anew.close()


def catch_up(log: Log, views: Views, ours: Sequence[Projection]) -> None:
    runner = Runner(log.ledger, views, ours, clock=lambda: 0)
    runner.catch_up()
    runner.close()
