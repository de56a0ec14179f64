"""Views made anew beside the live ones: compared, swapped, and nobody noticed."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from projections import rebuild as rebuild_module
from projections.projection import Projection
from projections.rebuild import Rebuilt, rebuild
from projections.runner import Runner
from projections.stores.interface import Comparison, Difference
from schemas.errors import NotFoundError, StoreUnavailableError
from schemas.touchpoint import Stored
from tests.projections.chains import Clock, House, Log, Place, Row, State, chains, execute, from_nothing, row, table

OTHERS = chains(name="others", clock=Clock(None))
BOTH = (chains(), OTHERS)


@pytest.fixture
def house(place: Place) -> Iterator[House]:
    house = House(place)
    house.log.add_many(100)
    house.log.close_day()
    yield house
    house.views.close()


def rebuilt(house: House, *projections: Projection, name: str = "chains") -> Rebuilt:
    (one,) = rebuild(house.log.ledger, house.views, projections or BOTH, names=[name], clock=lambda: 0)
    return one


def objects(place: Place) -> set[str]:
    """Tables of the views and their indexes, but for those of primary keys."""
    if isinstance(place, Path):
        found = execute(place, "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    else:
        listed = "SELECT relname FROM pg_class WHERE relnamespace = 'views'::regnamespace AND relkind IN ('r', 'i')"
        found = execute(place, rf"{listed} AND relname NOT LIKE '%\_pkey'")
    return {name for (name,) in found} - {"store", "slices", "workers", "progress", "projections", "parked"}


def test_a_rebuild_gives_the_same_rows_and_says_so(house: House) -> None:
    house.catch_up(*BOTH)
    before = table(house.place), table(house.place, "others")
    with capture_logs() as logs:
        one = rebuilt(house)
    assert one == Rebuilt("chains", version=1, position=101, parked=0, comparison=Comparison(10, 0, 0, 0, ()))
    assert (table(house.place), table(house.place, "others")) == before
    assert [log["event"] for log in logs if log["log_level"] != "debug"] == ["view.rebuilt"]
    assert objects(house.place) == {
        "chains", "chains_events_2", "chains_even_events_2", "others", "others_events_1", "others_even_events_1"
    }  # fmt: skip


def test_rows_that_are_not_what_the_log_says_are_told_and_mended(house: House) -> None:
    house.catch_up(*BOTH)
    before = table(house.place)
    blob = "x'00'" if isinstance(house.place, Path) else "'\\x00'"
    execute(
        house.place,
        "UPDATE chains SET digest = 'forged', half = NULL WHERE chain = 'customer/c1'",
        f"UPDATE chains SET state = {blob} WHERE chain = 'customer/c2'",
        "DELETE FROM chains WHERE chain = 'customer/c3'",
        "INSERT INTO chains SELECT 'customer/c9', events, digest, moment_us, even, half, last, evaluated_us, due_us, recorded_us, "
        "position, state FROM chains WHERE chain = 'customer/c4'",
    )
    with capture_logs() as logs:
        one = rebuilt(house)
    assert one.comparison == Comparison(
        same=7,
        changed=2,
        added=1,
        removed=1,
        differences=(
            Difference("customer/c1", "changed", ("digest", "half")),
            Difference("customer/c2", "changed", ("state",)),
            Difference("customer/c3", "added"),
            Difference("customer/c9", "removed"),
        ),
    )
    assert [(log["event"], log["changed"]) for log in logs if log["log_level"] == "error"] == [("view.differed", 2)]
    assert table(house.place) == before


def test_a_table_somebody_took_away_is_made_anew(house: House) -> None:
    house.catch_up(*BOTH)
    before = table(house.place)
    for statement in ("DROP TABLE chains", "ALTER TABLE chains DROP COLUMN half"):
        execute(house.place, statement)
        assert rebuilt(house).comparison is None
        assert table(house.place) == before


def test_a_new_version_is_built_beside_the_old_one_and_takes_its_place(house: House) -> None:
    house.catch_up(*BOTH)
    old = table(house.place)
    seen: list[object] = []

    def publish(state: State, moment_us: int) -> Row:
        if not seen:
            seen.append(table(house.place))  # what a reader sees meanwhile
        return msgspec.structs.replace(row(state, moment_us), digest="new")

    newer = chains(version=2, publish=publish)
    house.log.add_many(10)
    house.catch_up(newer, OTHERS)
    assert seen == [old]
    assert {one.row.digest for one in house.views.select(newer)} == {"new"}
    assert {(one.name, one.version, one.position) for one in house.views.status(head=0)} == {("chains", 2, 111), ("others", 1, 111)}


def test_a_view_that_was_never_built_is_built_up_to_where_the_others_are(house: House) -> None:
    house.catch_up(chains())
    house.log.add_many(10)
    runner = house.runner(*BOTH)
    runner.prepare()
    assert {one.position for one in house.views.status(head=0)} == {101}
    runner.catch_up()
    runner.close()
    assert {one.position for one in house.views.status(head=0)} == {111}
    assert table(house.place, "others") != []


class Busy(Log):
    """A log that grows, with a worker that follows, while it is read."""

    def __init__(self, log: Log, worker: Runner, days: int) -> None:
        super().__init__()
        self.events, self._versions = log.events, log._versions  # noqa: SLF001  # the same log
        self._worker, self._days, self._rounds = worker, days, 8

    def read(self, *, after: int, limit: int) -> list[Stored]:
        self._go_on()
        return super().read(after=after, limit=limit)

    def histories(self, *, after: tuple[str, int] = ("", 0), upto: int, limit: int) -> list[Stored]:
        self._go_on()
        return super().histories(after=after, upto=upto, limit=limit)

    def _go_on(self) -> None:
        if self._rounds:
            self._rounds -= 1
            self.add_many(7)
            if self._rounds < self._days:
                self.close_day()
            self._worker.run_once()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("near", [0, 50])
@pytest.mark.parametrize("days", [0, 1])
def test_a_worker_goes_on_while_a_view_is_rebuilt(house: House, monkeypatch: pytest.MonkeyPatch, near: int, days: int) -> None:
    monkeypatch.setattr(rebuild_module, "NEAR_EVENTS", near)
    worker = house.runner(*BOTH)
    worker.catch_up()
    (one,) = rebuild(Busy(house.log, worker, days).ledger, house.views, BOTH, names=["chains"], clock=lambda: 0)
    assert one.position == house.views.progress()["others"].position > 150
    assert one.comparison is not None
    assert one.comparison.equal
    house.log.add_many(20)
    worker.catch_up()
    worker.close()
    assert (table(house.place), []) == from_nothing(house.log)


def test_a_view_that_is_not_where_the_others_are_is_rebuilt(house: House) -> None:
    house.catch_up(*BOTH)
    house.log.add_many(10)
    house.catch_up(OTHERS)
    house.catch_up(*BOTH)
    assert {one.position for one in house.views.status(head=0)} == {111}
    assert (table(house.place), []) == from_nothing(house.log)


def test_a_worker_of_another_version_stops_when_its_view_is_replaced(house: House) -> None:
    old = house.runner(*BOTH)
    old.catch_up()
    rebuilt(house, chains(version=2), OTHERS)
    house.log.add_many(10)
    with pytest.raises(StoreUnavailableError, match="view chains is now at version 2, this program folds version 1"):
        old.run_once()
    old.close()
    assert house.views.progress()["chains"].position == 101


@pytest.mark.parametrize("next_", ["a worker", "a rebuild"])
def test_what_a_killed_rebuild_left_is_dropped(house: House, next_: str) -> None:
    house.catch_up(*BOTH)
    before, moments = objects(house.place), iter([0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuild_module, "_drop_builds", lambda *_: None)  # a killed process cleans nothing up
        with pytest.raises(StopIteration):
            rebuild(house.log.ledger, house.views, BOTH, names=["chains"], clock=lambda: next(moments))
    assert "chains__new" in objects(house.place)
    assert [(one.name, one.status) for one in house.views.status(head=101)] == [
        ("chains", "live"), ("chains__new", "rebuilding"), ("others", "live")
    ]  # fmt: skip
    if next_ == "a worker":
        house.catch_up(*BOTH)
        assert objects(house.place) == before
    else:
        assert rebuilt(house).comparison is not None
    assert "chains__new" not in objects(house.place)


def test_a_rebuild_that_fails_leaves_the_live_view_and_nothing_else(house: House) -> None:
    house.catch_up(*BOTH)
    before = table(house.place), objects(house.place)
    moments = iter([0])  # the next time it is asked there is none
    with pytest.raises(StopIteration):
        rebuild(house.log.ledger, house.views, BOTH, names=["chains"], clock=lambda: next(moments))
    assert (table(house.place), objects(house.place)) == before
    assert rebuilt(house).comparison is not None


def test_one_rebuild_runs_at_a_time(house: House) -> None:
    house.catch_up(*BOTH)
    lock = house.views.try_lock("rebuild")
    assert lock is not None
    with lock, pytest.raises(StoreUnavailableError, match="another rebuild is under way"):
        rebuilt(house)
    rebuilt(house)


def test_only_a_view_that_exists_can_be_rebuilt(house: House) -> None:
    with pytest.raises(NotFoundError, match="no view 'chain'; there are chains, others"):
        rebuilt(house, name="chain")


def test_parked_relationships_stay_parked_in_a_rebuilt_view(house: House) -> None:
    broken = chains({"e29"}.__contains__)
    house.catch_up(broken, OTHERS)
    one = rebuilt(house, broken, OTHERS)
    assert one.parked == 1
    assert one.comparison is not None
    assert one.comparison.equal
    assert [(parked.projection, parked.position) for parked in house.views.parked()] == [("chains", 29)]


@pytest.mark.parametrize("by", ["a worker", "a rebuild"])
@pytest.mark.parametrize("events", [20, 3000], ids=["shorter", "longer"])
def test_views_of_another_ledger_are_thrown_away(house: House, events: int, by: str) -> None:
    house.log.add_many(1500)
    house.catch_up(*BOTH)
    house.log = Log()
    house.log.add("customer/other", "first")
    house.log.events[0] = msgspec.structs.replace(house.log.events[0], recorded_us=7)
    house.log.add_many(events)
    house.log.events = [msgspec.structs.replace(one, recorded_us=one.recorded_us + 7) for one in house.log.events]
    with capture_logs() as logs:
        if by == "a worker":
            house.catch_up(*BOTH)
        else:
            assert rebuilt(house).comparison is None
    assert "views.discarded" in [log["event"] for log in logs]
    assert (table(house.place), []) == from_nothing(house.log)
