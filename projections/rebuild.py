"""Build views anew from the whole log beside the live tables, compare where nothing should differ, and swap in one commit.

The live tables stay readable, and a worker may go on writing them: the build has tables of its own, and the swap happens under the write
lock with both at the same position. A worker finds at its next commit that its tables were replaced and starts again from the new ones;
one of another version stops and says so.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, suppress

import msgspec
import sqlite_utils
import structlog

from ledger.ledger import Ledger
from projections.keeper import REPLACE_PROGRESS, Keeper
from projections.projection import Projection
from projections.tables import Table, quoted
from projections.views import Lock, Progress, Views
from schemas.errors import NotFoundError, StoreUnavailableError

NEAR_EVENTS = 1_000  # events left to fold under the write lock
DIFFERENCES_MAX = 10  # of each kind, told one by one; all are counted

log = structlog.get_logger()


class Difference(msgspec.Struct, frozen=True):
    """A row that is not what the log says. ``columns``: those that differ; empty where the row stands on one side alone."""

    key: str
    what: str  # changed, added (missing before), removed (should not have been there)
    columns: tuple[str, ...] = ()


class Comparison(msgspec.Struct, frozen=True):
    """The new table against the old one, row for row, public columns and state."""

    same: int
    changed: int
    added: int
    removed: int
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        return not (self.changed or self.added or self.removed)


class Rebuilt(msgspec.Struct, frozen=True):
    """A view that was made anew. ``comparison`` is None where the old table was of another version, or there was none."""

    name: str
    version: int
    position: int
    parked: int
    comparison: Comparison | None


def rebuild(
    ledger: Ledger, views: Views, projections: Sequence[Projection], *, names: Collection[str], clock: Callable[[], int]
) -> list[Rebuilt]:
    """Make the views ``names`` again from position 0. The report says what differed from a table of the same version: nothing should.

    ``projections`` are all that are kept in ``views``; those that are live say up to which position to build.

    Raises:
        NotFoundError: a name is no view.
        StoreUnavailableError: another rebuild is under way.
    """
    if unknown := sorted(set(names) - {one.name for one in projections}):
        raise NotFoundError(f"there is no view {unknown[0]!r}; there are {', '.join(one.name for one in projections)}")
    tidy(ledger, views)
    wanted = [one for one in projections if one.name in names]
    with _lock(views), closing(Keeper(ledger, views, wanted, clock=clock, beside=True)) as keeper:
        connection = keeper.connection
        try:
            tables = [Table(one, beside=True) for one in wanted]
            _create(views, connection, tables, clock())
            while (target := _target(ledger, views, connection, projections)) - keeper.position > NEAR_EVENTS:
                keeper.catch_up(upto=target)
            for table in tables:  # after the rows: one sort instead of a search a row
                table.index(sqlite_utils.Database(connection), views.progress(connection)[table.name].build)
            with views.transaction(connection):
                keeper.catch_up(upto=_target(ledger, views, connection, projections))
                rebuilt = [_swap(views, connection, table) for table in tables]
        except BaseException:
            with suppress(StoreUnavailableError):
                _drop_builds(views, connection)
            raise
    for one in rebuilt:
        log.info("view.rebuilt", projection=one.name, version=one.version, position=one.position, parked=one.parked)
        if one.comparison is not None and not one.comparison.equal:
            counts = {what: getattr(one.comparison, what) for what in ("same", "changed", "added", "removed")}
            log.error("view.differed", projection=one.name, version=one.version, position=one.position, **counts)
    return rebuilt


def tidy(ledger: Ledger, views: Views) -> None:
    """Drop what a killed rebuild left, and every view when they are not views of this ledger (another one, or an older backup of it)."""
    with closing(views.connect()) as connection:
        with suppress(StoreUnavailableError), _lock(views):
            _drop_builds(views, connection)
        at = max(views.progress(connection).values(), key=lambda at: at.position, default=None)
        if at is None or at.position == 0:
            return
        last = ledger.read(after=at.position - 1, limit=1)
        if not last or last[0].recorded_us != at.recorded_us:
            log.warning("views.discarded", position=at.position, head=ledger.head().position)
            with views.transaction(connection):
                _drop(connection, views.progress(connection))


def stale(views: Views, projections: Sequence[Projection]) -> list[str]:
    """Names of the views that must be rebuilt before they can go on: missing, of another version, or not where the others are."""
    found = views.progress()
    top = max((found[one.name].position for one in projections if one.name in found), default=0)
    return [one.name for one in projections if (at := found.get(one.name)) is None or at.version != one.version or at.position != top]


def _lock(views: Views) -> Lock:
    lock = views.try_lock("rebuild")
    if lock is None:
        raise StoreUnavailableError(f"{views.path}: another rebuild is under way; wait until it is done")
    return lock


def _create(views: Views, connection: sqlite3.Connection, tables: Sequence[Table], now_us: int) -> None:
    _drop_builds(views, connection)
    build = max((at.build for at in views.progress(connection).values()), default=0) + 1
    with views.transaction(connection):
        for table in tables:
            table.create(sqlite_utils.Database(connection))
            at = Progress(table.name, table.projection.version, build, "rebuilding", updated_us=now_us)
            connection.execute(REPLACE_PROGRESS, msgspec.structs.astuple(at))


def _target(ledger: Ledger, views: Views, connection: sqlite3.Connection, projections: Sequence[Projection]) -> int:
    """Where the live views are, so that all go on from one position; the end of the log when there are none."""
    found = views.progress(connection)
    live = [found[one.name].position for one in projections if one.name in found]
    return max(live) if live else ledger.head().position


def _drop_builds(views: Views, connection: sqlite3.Connection) -> None:
    with views.transaction(connection):
        _drop(connection, [name for name, at in views.progress(connection).items() if at.status == "rebuilding"])


def _drop(connection: sqlite3.Connection, names: Iterable[str]) -> None:
    for name in names:
        connection.execute(f'DROP TABLE IF EXISTS "{name}"')
        connection.execute("DELETE FROM parked WHERE projection = ?", (name,))
        connection.execute("DELETE FROM projections WHERE name = ?", (name,))


def _swap(views: Views, connection: sqlite3.Connection, table: Table) -> Rebuilt:
    """Put the new table in the place of the old one, in the transaction under way."""
    name, progress = table.projection.name, views.progress(connection)
    at, old = progress[table.name], progress.get(name)
    comparison = None
    if old is not None and old.version == at.version:
        comparison = _compare(connection, table, published=old.swept_us >= at.swept_us)
    _drop(connection, [name])
    connection.execute(f'ALTER TABLE "{table.name}" RENAME TO "{name}"')
    connection.execute("UPDATE parked SET projection = ? WHERE projection = ?", (name, table.name))
    connection.execute("UPDATE projections SET name = ?, status = 'live' WHERE name = ?", (name, table.name))
    (parked,) = connection.execute("SELECT count(*) FROM parked WHERE projection = ?", (name,)).fetchone()
    return Rebuilt(name, at.version, at.position, parked, comparison)


def _compare(connection: sqlite3.Connection, table: Table, *, published: bool) -> Comparison | None:
    """Compare row for row; only states where the old table is not ``published`` as of the last close of a day yet.

    None where somebody has taken the old table or columns of it away.
    """
    old, new, key = quoted(table.projection.name), quoted(table.name), quoted(table.key)
    columns = [quoted(column) for column in (table.every if published else ("position", "recorded_us", "state"))]
    there = sqlite_utils.Database(connection).table(table.projection.name)
    if not there.exists() or not set(table.every) <= there.columns_dict.keys():
        return None
    (before,), (after,) = (connection.execute(f"SELECT count(*) FROM {one}").fetchone() for one in (old, new))  # noqa: S608
    joined = f"FROM {new} AS n JOIN {old} AS o ON n.{key} = o.{key}"
    equal = " AND ".join(f"n.{column} IS o.{column}" for column in columns)
    both, same = connection.execute(f"SELECT count(*), coalesce(sum({equal}), 0) {joined}").fetchone()
    differences = () if same == before == after else tuple(_differences(connection, table, columns))
    return Comparison(same, both - same, after - both, before - both, differences)


def _differences(connection: sqlite3.Connection, table: Table, columns: Sequence[str]) -> Iterator[Difference]:
    """The first ``DIFFERENCES_MAX`` changed rows, added rows and removed rows, by key."""
    old, new, key = quoted(table.projection.name), quoted(table.name), quoted(table.key)
    pairs = ", ".join(f"n.{column}, o.{column}" for column in columns)
    equal = " AND ".join(f"n.{column} IS o.{column}" for column in columns)
    changed = f"SELECT n.{key}, {pairs} FROM {new} AS n JOIN {old} AS o ON n.{key} = o.{key} WHERE NOT ({equal}) ORDER BY 1 LIMIT ?"  # noqa: S608
    for cells in connection.execute(changed, (DIFFERENCES_MAX,)):
        cells_of_both = zip(columns, cells[1::2], cells[2::2], strict=True)
        yield Difference(cells[0], "changed", tuple(column.strip('"') for column, now, then in cells_of_both if now != then))
    for what, one, other in (("added", new, old), ("removed", old, new)):
        alone = f"SELECT {key} FROM {one} WHERE {key} NOT IN (SELECT {key} FROM {other}) ORDER BY 1 LIMIT ?"  # noqa: S608
        for (name,) in connection.execute(alone, (DIFFERENCES_MAX,)):
            yield Difference(name, what)
