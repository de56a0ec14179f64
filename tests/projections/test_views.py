"""views.db: what stands in it, and typed reads."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from random import Random
from typing import Any, Literal

import msgspec
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.keeper import Keeper
from projections.projection import Projection
from projections.rebuild import rebuild
from projections.stores import postgres_statements, sqlite_statements
from projections.stores.interface import Page, Writer
from projections.stores.slices import EVERYTHING
from projections.stores.sqlite_writer import SqliteWriter
from projections.tables import Table
from projections.views import ViewRow, Views
from schemas.errors import NotFoundError, SettingsError, StoreNewerError, StoreUnavailableError
from tests.projections.chains import Log, Place, chains, execute

COLORS: tuple[str | None, ...] = ("red", "green", 'bl"ue', None)


class Nested(msgspec.Struct, frozen=True):
    name: str
    at: int


class Row(msgspec.Struct, frozen=True):
    """One column of every kind."""

    thing: str
    number: int
    color: str | None
    share: float | None
    on: bool
    perhaps: bool | None
    side: Literal["us", "them"]
    nested: Nested | None
    many: tuple[Nested, ...]
    words: dict[str, float]


class State(msgspec.Struct):
    thing: str
    number: int


def publish(state: State, _moment_us: int) -> Row:
    number = state.number
    color = COLORS[number % 4]
    nested = Nested("Bäckerei 🥐\x00", number)
    share = None if number % 5 == 0 else number % 7 / 4
    return Row(
        state.thing,
        number,
        color,
        share,
        on=number % 2 == 0,
        perhaps=(True, False, None)[number % 3],
        side="us" if number % 2 else "them",
        nested=None if number % 3 == 0 else nested,
        many=(nested,) * (number % 3),
        words={"a": number / 3},
    )


THINGS = Projection(
    "things",
    version=3,
    row=Row,
    state=State,
    key=lambda event: event.relationship,
    fold=lambda state, events: State(events[0].relationship, (state.number if state else 0) + sum(event.position for event in events)),
    publish=publish,
    index=("color,share", "number", "perhaps,thing"),
)


def filled(place: Place, rows: int) -> Views:
    """Views with as many things, numbered from 1."""
    log, views = Log(), Views.open(place)
    for number in range(1, rows + 1):
        log.add(f"customer/c{number * 7919 % 10_007}", f"e{number}")
    rebuild(log.ledger, views, [THINGS], names=["things"], clock=lambda: 5)
    return views


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def things(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Views, Place]]:
    """Sixty things, and where they stand."""
    with ExitStack() as stack:
        place: Place = tmp_path_factory.mktemp("views") / "views.db"
        if request.param == "postgres":
            place = stack.enter_context(request.getfixturevalue("postgres").database())
        yield stack.enter_context(closing(filled(place, 60))), place


@pytest.fixture(scope="module")
def views(things: tuple[Views, Place]) -> Views:
    return things[0]


def every(views: Views) -> list[ViewRow]:
    return list(views.select(THINGS, state=True))


def test_a_row_is_read_as_it_was_published(views: Views) -> None:
    rows = every(views)
    assert len(rows) == 60
    for one in rows:
        assert one.row == publish(one.state, 0)
        assert views.get(THINGS, one.row.thing) == one
        assert one.evaluated_us == one.position * 1_000_000
    assert views.get(THINGS, "customer/nobody") is None


def test_people_find_plain_columns_of_the_right_kind(things: tuple[Views, Place]) -> None:
    _, place = things
    ((words,),) = execute(place, "SELECT words ->> 'a' FROM things WHERE number = 3")
    assert float(words) == 1.0
    if isinstance(place, str):
        told = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'views' AND table_name = 'things'"
        assert execute(place, f"{told} ORDER BY ordinal_position") == [
            ("thing", "text"),
            ("number", "bigint"),
            ("color", "text"),
            ("share", "double precision"),
            ("on", "boolean"),
            ("perhaps", "boolean"),
            ("side", "text"),
            ("nested", "json"),
            ("many", "json"),
            ("words", "json"),
            ("evaluated_us", "bigint"),
            ("due_us", "bigint"),
            ("recorded_us", "bigint"),
            ("position", "bigint"),
            ("state", "bytea"),
        ]
        return
    columns = [(name, kind, key) for _, name, kind, _, _, key in execute(place, "PRAGMA table_info(things)")]
    assert columns == [
        ("thing", "TEXT", 1),
        ("number", "INTEGER", 0),
        ("color", "TEXT", 0),
        ("share", "REAL", 0),
        ("on", "INTEGER", 0),
        ("perhaps", "INTEGER", 0),
        ("side", "TEXT", 0),
        ("nested", "TEXT", 0),
        ("many", "TEXT", 0),
        ("words", "TEXT", 0),
        ("evaluated_us", "INTEGER", 0),
        ("due_us", "INTEGER", 0),
        ("recorded_us", "INTEGER", 0),
        ("position", "INTEGER", 0),
        ("state", "BLOB", 0),
    ]


@given(
    where=st.fixed_dictionaries(
        {},
        optional={
            "color": st.one_of(st.sampled_from(COLORS), st.lists(st.sampled_from(COLORS), max_size=3)),
            "on": st.booleans(),
            "perhaps": st.sampled_from([True, False, None]),
            "number": st.sets(st.integers(0, 60)),
        },
    ),
    order_by=st.sampled_from([None, "number", "color", "share", "side"]),
    descending=st.booleans(),
    limit=st.integers(1, 7),
)
def test_pages_give_each_matching_row_once_and_in_order(
    views: Views, where: dict[str, Any], order_by: str | None, descending: bool, limit: int
) -> None:
    def matches(row: Row) -> bool:
        return all(getattr(row, column) in (wanted if isinstance(wanted, list | set) else [wanted]) for column, wanted in where.items())

    column = order_by or "thing"
    rows = sorted((one.row for one in every(views) if matches(one.row)), key=lambda row: row.thing, reverse=descending)
    present = [row for row in rows if getattr(row, column) is not None]
    present.sort(key=lambda row: getattr(row, column), reverse=descending)  # which keeps the order of equal ones
    expected = present + [row for row in rows if getattr(row, column) is None]

    found: list[Row] = []
    while page := page_after(views, found, where=where, order_by=order_by, descending=descending, limit=limit):
        found += page
    assert found == expected
    assert [one.row for one in views.select(THINGS, where=where, order_by=order_by, descending=descending)] == expected


def page_after(views: Views, found: Sequence[Row], **query: Any) -> list[Row]:
    return [one.row for one in views.select(THINGS, after=found[-1].thing if found else None, **query)]


def test_only_known_columns_can_be_asked_for(views: Views) -> None:
    for query in ({"where": {"state": b""}}, {"where": {"1=1; --": 1}}, {"order_by": 'number" DESC; DROP TABLE things; --'}):
        with pytest.raises(SettingsError, match=r"things has no column .*; it has thing, number, "):
            views.select(THINGS, **query)
    with pytest.raises(NotFoundError, match="customer/nobody"):
        views.select(THINGS, after="customer/nobody")


@pytest.mark.parametrize("colors", [["red"], ["red", "blue", "red"]])
def test_a_page_is_found_with_the_index(things: tuple[Views, Place], colors: list[str]) -> None:
    _, place = things
    page = Page({"color": colors}, order_by="share", descending=True, limit=5)
    if isinstance(place, Path):
        sql, parameters = sqlite_statements.select(Table(THINGS), page)
        with closing(sqlite3.connect(place)) as connection:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        assert len([step for step in plan if "INDEX things_color_share_1 (color=?)" in step]) == len(set(colors))
        assert not [step for step in plan if "SCAN things" in step]
    else:
        asked, bound = postgres_statements.select(Table(THINGS), page)
        with psycopg.connect(place, options="-c enable_seqscan=off -c enable_bitmapscan=off") as server:
            found = "\n".join(line for (line,) in server.execute(f"EXPLAIN {asked}".encode(), bound))
        assert found.count("Index Scan Backward using things_color_share_1 on things") == 2 * len(
            set(colors)
        )  # those with a share, and those without
        assert "Sort" not in found.split("Append")[1]


def test_rows_without_a_value_are_in_no_index_that_is_asked_for_one(things: tuple[Views, Place]) -> None:
    _, place = things
    made = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"
        if isinstance(place, Path)
        else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'views' AND tablename = 'things'"
    )
    partial = {name for name, sql in execute(place, made) if "IS NOT NULL" in sql}
    assert partial == {"things_color_share_1", "things_perhaps_thing_1"}
    if isinstance(place, Path):
        sql, parameters = sqlite_statements.select(Table(THINGS), Page({"perhaps": True}))
        with closing(sqlite3.connect(place)) as connection:
            step, *_ = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        assert "INDEX things_perhaps_thing_1 (perhaps=?)" in step


def test_indexes_say_what_the_rows_say_however_often_these_changed(place: Place) -> None:
    log, views = Log(), Views.open(place)
    log.add_many(40, relationships=23)
    rebuild(log.ledger, views, [THINGS], names=["things"], clock=lambda: 0)
    with closing(Keeper(log.ledger, views, [THINGS], clock=lambda: 0)) as keeper:
        for count in (1, 2, 3, 29, 5, 61):
            log.add_many(count, relationships=31)
            keeper.catch_up()
    for where, column in (({}, "number"), ({"color": "red"}, "share")):
        rows = [one.row for one in views.select(THINGS, where=where)]
        present = sorted((row for row in rows if getattr(row, column) is not None), key=lambda row: (getattr(row, column), row.thing))
        found = [one.row for one in views.select(THINGS, where=where, order_by=column, limit=100)]
        assert found == present + sorted((row for row in rows if getattr(row, column) is None), key=lambda row: row.thing)
    views.close()
    if isinstance(place, Path):
        assert execute(place, "PRAGMA integrity_check") == [("ok",)]


def test_a_row_is_written_into_no_index_whose_columns_stay(tmp_path: Path) -> None:
    """For each is a page of its own among very many rows. PostgreSQL sees to that itself."""
    with closing(filled(tmp_path / "views.db", 20)) as views, closing(views.writer()) as writer:
        assert isinstance(writer, SqliteWriter)
        table, statements = Table(THINGS), list[str]()
        before = {one.row.number: one for one in views.select(THINGS, state=True)}
        writer.connection.set_trace_callback(statements.append)
        for number, changes in ((5, {"side": "them"}), (6, {"share": 0.125}), (8, {"color": None, "number": 80})):
            told = before[number]
            row = msgspec.structs.replace(told.row, **changes)
            writer.put(table, [(*table.encode(row), told.evaluated_us, None, 0, told.position, table.encode_state(told.state))])
            assert views.get(THINGS, row.thing) == msgspec.structs.replace(told, row=row)
        written = [
            {column for column in ("number", "color", "share") if f'"{column}" = ' in sql} for sql in statements if sql.startswith("UPDATE")
        ]
        assert written == [set(), {"share"}, {"number", "color"}]
    assert execute(tmp_path / "views.db", "PRAGMA integrity_check") == [("ok",)]


def test_a_row_is_changed_as_it_stands_whoever_wrote_it_last(place: Place) -> None:
    """Also by another connection, in a transaction that was undone, or anew after it was removed."""
    rng, table = Random(4), Table(THINGS)

    def change(begun: Writer, told: dict[str, Row]) -> None:
        for key in rng.choices(keys, k=8):
            writer = rng.choice([begun, begun, begun.within(EVERYTHING)])
            match rng.choice(["put", "put", "put", "load", "delete", "delete_relationship"]):
                case "put":
                    state = State(key, rng.randrange(12))
                    told[key] = publish(state, 0)
                    writer.put(table, [(*table.encode(told[key]), 0, None, 0, 1, table.encode_state(state))])
                case "load":
                    assert {key for key, _ in writer.load(table, [key])} == {key} & told.keys()
                case "delete":
                    writer.delete(table, [key])
                    told.pop(key, None)
                case _:
                    writer.delete_relationship(table, key)
                    told.pop(key, None)

    with closing(filled(place, 3)) as views, closing(views.writer()) as one, closing(views.writer()) as other:
        told = {each.row.thing: each.row for each in every(views)}
        keys, last = sorted(told), other
        for _ in range(150):
            writer, changed = rng.choice([one, one, other]), told.copy()
            with suppress(UndoneError), writer.transaction():
                if writer is not last:
                    writer.forget()
                last = writer
                change(writer, changed)
                if rng.random() < 0.2:
                    raise UndoneError
                told = changed
            assert {each.row.thing: each.row for each in every(views)} == told
    if isinstance(place, Path):
        assert execute(place, "PRAGMA integrity_check") == [("ok",)]


class UndoneError(Exception):
    """Undo what was done."""


def test_a_reader_goes_on_with_what_it_began(place: Place) -> None:
    log, views = Log(), Views.open(place)
    log.add_many(40, relationships=40)
    rebuild(log.ledger, views, [THINGS], names=["things"], clock=lambda: 0)
    rows = views.select(THINGS)
    first = next(rows)
    log.add_many(40, relationships=40)
    keeper = Keeper(log.ledger, views, [THINGS], clock=lambda: 0)
    keeper.catch_up()
    keeper.close()
    assert max(one.position for one in [first, *rows]) == 40
    assert max(one.position for one in views.select(THINGS)) == 80
    views.close()


def test_any_thread_may_read(views: Views) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(every(views)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [60] * 8


def test_a_view_of_another_version_is_not_misread(views: Views) -> None:
    newer = msgspec.structs.replace(THINGS, version=4)
    with pytest.raises(StoreUnavailableError, match="view things is at version 3, this program reads version 4"):
        views.get(newer, "customer/c1")
    with pytest.raises(StoreUnavailableError, match="view chains was never built"):
        views.select(chains())


def test_a_state_of_another_shape_is_not_misread(place: Place) -> None:
    class Other(msgspec.Struct):
        thing: int

    views = filled(place, 3)
    with pytest.raises(StoreUnavailableError, match="run `rledger rebuild things`"):
        list(views.select(msgspec.structs.replace(THINGS, state=Other), state=True))
    views.close()


def test_a_column_of_the_runners_own_is_refused() -> None:
    class Taken(msgspec.Struct):
        thing: str
        position: int

    with pytest.raises(ValueError, match="column position belongs to the runner"):
        Table(msgspec.structs.replace(THINGS, row=Taken))


def test_an_index_of_no_column_is_refused() -> None:
    with pytest.raises(ValueError, match="things has no column colour to index"):
        Table(msgspec.structs.replace(THINGS, index=("number,colour",)))


@pytest.mark.parametrize("version", [1, 2])
def test_views_made_before_workers_shared_them_go_on_where_they_are(tmp_path: Path, version: int) -> None:
    place = tmp_path / "views.db"
    filled(place, 60).close()
    rows, progress = execute(place, "SELECT * FROM things"), "SELECT name, version, position, swept_us, policy FROM projections"
    before = execute(place, progress)
    execute(
        place,
        "CREATE TABLE old AS SELECT * FROM projections",
        "DROP VIEW projections",
        "ALTER TABLE old RENAME TO projections",
        *(["ALTER TABLE projections DROP COLUMN policy"] if version == 1 else []),
        "DROP TABLE progress",
        "DROP TABLE slices",
        f"PRAGMA user_version = {version}",
    )
    with closing(Views.open(place)) as views:
        assert [(at.position, at.policy) for at in views.progress().values()] == [(60, "")]
        assert [one.position for one in views.holdings()] == [60] * 8
    assert (execute(place, progress), execute(place, "SELECT * FROM things")) == (before, rows)


def test_views_of_a_newer_program_are_left_alone(place: Place) -> None:
    filled(place, 1).close()
    execute(place, "PRAGMA user_version = 99" if isinstance(place, Path) else "UPDATE store SET schema_version = 99")
    with pytest.raises(StoreNewerError, match="99"):
        Views.open(place)


def test_a_file_that_is_no_database_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "views.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(StoreUnavailableError, match=r"not a database.*delete it and it is rebuilt"):
        Views.open(tmp_path / "views.db")
    with pytest.raises(StoreUnavailableError):
        Views.open(tmp_path / "nowhere" / "views.db")


def test_status_tells_how_far_each_view_is(views: Views) -> None:
    (status,) = views.status(head=100)
    assert (status.name, status.version, status.status, status.position, status.lag) == ("things", 3, "live", 60, 40)
    assert (status.parked, status.updated_us, status.tick_us) == (0, 5, 0)
