"""The worker: the same log gives the same rows, whatever the batches, crashes and failures on the way."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ledger import Ledger
from projections import keeper as keeper_module
from projections.folding import Folding
from projections.keeper import Keeper
from projections.projection import Projection, fading
from projections.runner import Runner
from projections.stores.sqlite_writer import SqliteWriter
from projections.tables import Table
from projections.views import Views
from schemas.errors import StoreUnavailableError
from schemas.records import recorded
from schemas.touchpoint import Recorded, Stored
from tests.projections.chains import (
    SECOND,
    Clock,
    House,
    Log,
    Place,
    State,
    chains,
    from_nothing,
    naive,
    own_time,
    parked,
    row,
    stepping,
    table,
    touchpoint,
)
from tests.services.postgres import Postgres

ROOT = Path(__file__).parents[2]


def test_rows_are_the_fold_of_their_events(house: House) -> None:
    house.log.add_many(200)
    house.catch_up()
    expected = naive(house.log.events, chains())
    rows = list(house.views.select(chains(), state=True))
    assert {one.state.chain: (one.state, one.position) for one in rows} == expected
    assert all(one.row == row(one.state, one.position * SECOND) and one.evaluated_us == one.position * SECOND for one in rows)
    assert [(one.name, one.position, one.lag, one.parked) for one in house.views.status(head=205)] == [("chains", 200, 5, 0)]


def test_what_comes_too_late_to_change_a_row_leaves_it_as_it_was_written(house: House, small: None) -> None:
    def timely(state: State | None, events: Sequence[Recorded]) -> Sequence[Recorded]:
        return events[: 2 - (state.events if state else 0)]

    few = msgspec.structs.replace(chains(lambda id_: id_ == "e50"), timely=timely)
    for _ in range(6):
        house.log.add_many(10)
        house.catch_up(few)
    rows = list(house.views.select(few, state=True))
    assert {one.state.events for one in rows} == {2}
    assert {one.state.chain: (one.state, one.position) for one in rows} == naive(house.log.events, few)
    assert parked(house.place) == []  # what is passed over cannot fail
    house.log.correct("customer/c1", "e3")
    house.log.add_many(10)
    house.catch_up(few)
    assert table(house.place) == from_nothing(house.log, few)[0]


events = st.tuples(st.sampled_from("abc"), st.sampled_from(["add", "add", "remove", "poison", "day"]))
moves = st.lists(
    st.one_of(
        st.lists(events, max_size=30),
        st.sampled_from(["once", "catch up", "new process", "rebuild"]),
        st.integers(0, 5),  # killed in a commit, after so many
    ),
    max_size=20,
)


Moves = list[str | int | list[tuple[str, str]]]
Sizes = tuple[int, int, int, int]
disturbed = given(
    moves=moves,
    clock=st.sampled_from([Clock(fading), Clock(stepping), Clock(stepping, own_time), Clock(None)]),
    cached_rows=st.integers(1, 4),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 15), st.integers(1, 20), st.integers(1, 3)),
)


@disturbed
def test_batches_crashes_and_rebuilds_do_not_change_the_rows(moves: Moves, clock: Clock, cached_rows: int, sizes: Sizes) -> None:
    with TemporaryDirectory() as folder:
        rows_are_those_of_one_pass(Path(folder, "views.db"), moves, clock, cached_rows, sizes)


@settings(max_examples=8)  # each makes a database
@disturbed
def test_nor_do_they_on_postgresql(postgres: Postgres, moves: Moves, clock: Clock, cached_rows: int, sizes: Sizes) -> None:
    with postgres.database() as url:
        rows_are_those_of_one_pass(url, moves, clock, cached_rows, sizes)


def rows_are_those_of_one_pass(place: Place, moves: Moves, clock: Clock, cached_rows: int, sizes: Sizes) -> None:
    broken, sound = chains(lambda id_: id_.startswith("poison"), clock=clock), chains(clock=clock)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(
            ("READ_EVENTS", "FOLD_EVENTS", "COMMIT_EVENTS", "SWEEP_ROWS", "CACHED_ROWS"), (*sizes, cached_rows), strict=True
        ):
            patch.setattr(keeper_module, name, value)
        house = House(place)
        runner = house.runner(broken)
        for move in moves:
            match move:
                case list():
                    append(house.log, move)
                case int():
                    runner.close()
                    with pytest.raises(Killed):
                        work_until_killed(house, broken, commits=move)
                    runner = house.runner(broken)
                case "once":
                    runner.run_once()
                case "catch up":
                    runner.catch_up()
                case "rebuild":
                    runner.prepare()
                    assert [one.comparison and one.comparison.equal for one in runner.rebuild(["chains"])] == [True]
                case "new process":
                    runner.close()
                    runner = house.runner(broken)
        runner.catch_up()
        runner.close()
        assert (table(house.place), parked(house.place)) == from_nothing(house.log, broken)
        house.catch_up(sound)
        assert (table(house.place), parked(house.place)) == from_nothing(house.log, sound)
        house.views.close()


class Killed(BaseException):
    """Stands for SIGKILL in the middle of a commit."""


def work_until_killed(house: House, projection: Projection, *, commits: int) -> None:
    """Die in a commit after so many others: the clock is read in each, after the rows are written."""
    left = iter(range(commits))

    def clock() -> int:
        if next(left, None) is None:
            raise Killed
        return 0

    runner = house.runner(projection, clock=clock)
    try:
        while True:
            runner.run_once()
            house.log.add_many(1)
    finally:
        runner.close()


def append(log: Log, what_happens: Sequence[tuple[str, str]]) -> None:
    for relationship, what in what_happens:
        log.add(f"customer/{relationship}", f"{what}-{len(log.events)}")
        if what == "day":
            log.close_day()


def test_catching_up_ends_although_the_log_grows(house: House) -> None:
    def growing(id_: str) -> bool:
        house.log.add_many(2)
        return id_ == "never"

    house.catch_up()
    house.log.add_many(10)
    house.catch_up(chains(growing))
    assert house.views.status(head=0)[0].position == 10


@pytest.mark.usefixtures("small")
def test_the_close_of_a_day_publishes_every_row_again(house: House) -> None:
    still = chains(name="still", clock=Clock(None))
    house.log.add_many(30, relationships=20)
    house.catch_up(chains(), still)
    house.log.close_day()
    newest = house.log.close_day()
    house.log.add("customer/c3", "later")
    house.catch_up(chains(), still)
    assert {one.row.moment_us for one in house.views.select(chains())} == {newest, newest + SECOND}
    assert all(one.row.moment_us == one.evaluated_us for one in house.views.select(chains()))
    assert all(one.evaluated_us == one.position * SECOND for one in house.views.select(still))
    assert {one.tick_us for one in house.views.status(head=33)} == {newest}


@pytest.mark.usefixtures("small")
def test_live_events_do_not_wait_for_the_close_of_a_day(house: House) -> None:
    house.log.add_many(60, relationships=30)
    house.catch_up()
    tick_us = house.log.close_day()
    runner = house.runner()
    runner.run_once()
    house.log.add("customer/c1", "live")
    runner.run_once()
    runner.close()
    stale = [one for one in house.views.select(chains()) if one.evaluated_us < tick_us]
    assert "live" in [one.state.last for one in house.views.select(chains(), state=True)]
    assert len(stale) > 20
    house.catch_up()  # another process goes on where this one was
    assert not [one for one in house.views.select(chains()) if one.evaluated_us < tick_us]


@pytest.mark.usefixtures("small")
def test_a_day_that_closes_while_rows_are_published_for_the_last_one_counts(house: House) -> None:
    house.log.add_many(60, relationships=30)
    house.catch_up()
    runner = house.runner()
    house.log.close_day()
    for _ in range(4):
        runner.run_once()
    newest = house.log.close_day()
    runner.catch_up()
    runner.close()
    assert {one.evaluated_us for one in house.views.select(chains())} == {newest}


def test_states_in_memory_are_bounded(house: House) -> None:
    house.catch_up()
    house.log.add_many(500, relationships=600)
    folding = Folding(Table(chains()), cached_rows=10)
    writer = house.views.writer()
    folding.fold(writer, [recorded(one) for one in house.log.events])
    folding.write(writer, folding.changes(0))
    folding.committed()
    writer.close()
    assert [state.last for state in folding.states.values()] == [f"e{number}" for number in range(491, 501)]


def test_of_large_states_fewer_are_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.folding.CACHED_BYTES", 20_000)
    monkeypatch.setattr("projections.folding.RECENT_ROWS", 10)
    house.catch_up()
    house.log.add_many(500, relationships=600)
    folding, kept = Folding(Table(chains()), cached_rows=400), []
    events = [recorded(one) for one in house.log.events]
    with closing(house.views.writer()) as writer:
        for some, name in ((events[:250], ""), (events[250:], "a name much longer than that" * 40)):
            folding.fold(writer, some)
            for key in folding.touched:
                folding.states[key].last += name
            folding.write(writer, folding.changes(0))
            folding.committed()
            assert list(folding.states)[-1] == some[-1].relationship  # the newest
            kept.append(len(folding.states))
    assert 6 <= kept[0] <= 13  # of some 100 bytes
    assert 1 <= kept[1] <= 3  # of some 1,200


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_full_disk_parks_nothing_and_loses_nothing(house: House) -> None:
    house.log.add_many(50)
    house.catch_up()
    house.log.add_many(3000, relationships=2000)
    keeper = Keeper(house.log.ledger, house.views, [chains()], clock=lambda: 0)
    assert isinstance(keeper.writer, SqliteWriter)
    pages = keeper.writer.connection.execute("PRAGMA page_count").fetchone()[0]
    keeper.writer.connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(StoreUnavailableError, match="full"):
        keeper.catch_up()
    keeper.writer.connection.execute("PRAGMA max_page_count = 1000000")
    keeper.catch_up()
    keeper.close()
    assert parked(house.place) == []
    assert (table(house.place), []) == from_nothing(house.log)


@pytest.mark.usefixtures("small")
def test_two_keepers_of_the_same_tables_do_no_harm(house: House) -> None:
    house.catch_up()
    keepers = [Keeper(house.log.ledger, house.views, [chains()], clock=lambda: 0) for _ in range(2)]
    for step in range(40):
        house.log.add_many(step % 9)
        if step % 11 == 0:
            house.log.close_day()
        (keepers[step % 2].sweep if step % 5 == 0 else keepers[step % 2].advance)()
    keepers[0].catch_up()
    for keeper in keepers:
        keeper.close()
    assert (table(house.place), []) == from_nothing(house.log)


def test_only_one_worker_has_the_lock(house: House) -> None:
    lock, others = house.views.try_lock(), Views.open(house.place)
    assert lock is not None
    with lock:
        assert others.try_lock() is None
    others.close()
    again = house.views.try_lock()
    assert again is not None
    again.release()


def test_a_worker_killed_again_and_again_leaves_the_rows_of_one_that_was_not(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger.open(store, clock=iter(range(SECOND, 10**9)).__next__)
    views = Views.open(tmp_path / "views.db")
    rng, sent = random.Random(5), 0
    for _ in range(6):
        before = position(views)
        worker = subprocess.Popen([sys.executable, "-m", "tests.projections.worker", store, tmp_path / "views.db"], cwd=ROOT)
        try:
            deadline = None
            while deadline is None or time.monotonic() < deadline:
                ledger.append([touchpoint(f"customer/c{at * 7 % 50}", f"e{at}") for at in range(sent, sent + 20)])
                sent += 20
                if deadline is None and position(views) > before:
                    deadline = time.monotonic() + rng.uniform(0.0, 0.1)
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    lock = views.try_lock()  # a killed worker has lost it
    assert lock is not None
    with lock:
        runner = Runner(ledger, views, [chains()], clock=lambda: 0)
        runner.catch_up()
        (rebuilt,) = runner.rebuild(["chains"])
        runner.close()
    assert rebuilt.comparison is not None
    assert rebuilt.comparison.equal
    states = {one.state.chain: (one.state, one.position) for one in views.select(chains(), state=True)}
    assert states == naive(everything(ledger), chains())
    views.close()
    ledger.close()


def position(views: Views) -> int:
    return max((at.position for at in views.progress().values() if at.status == "live"), default=-1)


def everything(ledger: Ledger) -> Sequence[Stored]:
    found: list[Stored] = []
    while batch := ledger.read(after=len(found), limit=1000):
        found += batch
    return found


def test_a_foreign_reader_sees_rows_and_position_of_one_commit(house: House) -> None:
    house.log.add_many(10)
    house.catch_up()
    with reading(house.place) as reader:
        before = reader.execute("SELECT position FROM projections").fetchone()
        house.log.add_many(10)
        house.catch_up()
        assert reader.execute("SELECT max(position) FROM chains").fetchone() == before


@contextmanager
def reading(place: Place) -> Iterator[Any]:
    """A connection of a reader's own, in one transaction that sees one moment."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as reader:
            reader.execute("BEGIN")
            yield reader
    else:
        with psycopg.connect(place, options="-c search_path=views") as server:
            server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield server
