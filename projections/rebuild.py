"""Build views anew from the whole log beside the live tables, compare where nothing should differ, and swap in one commit.

The live tables stay readable, and a worker may go on writing them: the build has tables of its own, and the swap happens under the write
lock with both at the same position. A worker finds at its next commit that its tables were replaced and starts again from the new ones;
one of another version, or under another policy, stops and says so.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing, suppress

import msgspec
import structlog

from ledger.ledger import Ledger
from projections.keeper import Keeper
from projections.projection import Projection
from projections.stores.interface import Comparison, Lock, Part, Progress, Writer
from projections.stores.slices import EVERYTHING
from projections.tables import Table
from projections.views import Views
from schemas.errors import NotFoundError, StoreUnavailableError

NEAR_EVENTS = 1_000  # events left to fold under the write lock

log = structlog.get_logger()


class RebuildUnderWayError(StoreUnavailableError):
    """Somebody else is making views anew. Wait until that is done; the views that stand go on."""

    code = "rebuild_under_way"


class Rebuilt(msgspec.Struct, frozen=True):
    """A view that was made anew. ``comparison`` is None where the old table was of another version or policy, or there was none."""

    name: str
    version: int
    position: int
    parked: int
    comparison: Comparison | None


def rebuild(
    ledger: Ledger,
    views: Views,
    projections: Sequence[Projection],
    *,
    names: Collection[str],
    clock: Callable[[], int],
    swap: bool = True,
    stopped: Callable[[], bool] = bool,
) -> list[Rebuilt]:
    """Make the views ``names`` again from position 0. The report says what differed from a table of the same version: nothing should.

    ``projections`` are all that are kept in ``views``; those that are live say up to which position to build. Without ``swap`` the new
    tables are only compared, and thrown away. Once ``stopped``, which is asked at each commit, nothing is swapped, and nothing returned.

    Raises:
        NotFoundError: a name is no view.
        RebuildUnderWayError: another rebuild is under way.
    """
    if unknown := sorted(set(names) - {one.name for one in projections}):
        raise NotFoundError(f"there is no view {unknown[0]!r}; there are {', '.join(one.name for one in projections)}")
    tidy(ledger, views)
    wanted = [one for one in projections if one.name in names]
    with _lock(views), closing(Keeper(ledger, views, wanted, clock=clock, beside=True)) as keeper:
        writer = keeper.writer
        try:
            tables = [Table(one, beside=True) for one in wanted]
            _create(writer, tables, clock())
            keeper.build(_targets(ledger, writer, projections)[0].position, stopped)
            while (lowest := _targets(ledger, writer, projections)[0].position) - keeper.position > NEAR_EVENTS and not stopped():
                keeper.catch_up(upto=lowest, stopped=stopped)
            if stopped():
                _drop_builds(writer)
                return []
            for table in tables:  # after the rows: one sort instead of a search a row
                writer.index(table, writer.progress()[table.name].build)
            with writer.transaction():
                targets = _targets(ledger, writer, projections)
                keeper.catch_up(upto=targets[0].position)
                for part in targets[1:]:  # slices that others have brought further
                    own = writer.within(part.share)
                    Keeper(ledger, views, wanted, clock=clock, beside=True, share=part.share, writer=own).catch_up(upto=part.position)
                rebuilt = [_swap(writer, table) if swap else _compared(writer, table) for table in tables]
        except BaseException:
            with suppress(StoreUnavailableError):
                _drop_builds(writer)
            raise
    if not swap:
        return rebuilt
    for one in rebuilt:
        log.info("view.rebuilt", projection=one.name, version=one.version, position=one.position, parked=one.parked)
        if one.comparison is not None and not one.comparison.equal:
            counts = {what: getattr(one.comparison, what) for what in ("same", "changed", "added", "removed")}
            log.error("view.differed", projection=one.name, version=one.version, position=one.position, **counts)
    return rebuilt


def tidy(ledger: Ledger, views: Views) -> None:
    """Drop what a killed rebuild left, and every view when they are not views of this ledger (another one, or an older backup of it)."""
    with closing(views.writer()) as writer:
        if _builds(writer):  # else nobody need wait for the lock, or for whoever writes
            with suppress(StoreUnavailableError), _lock(views):
                _drop_builds(writer)
        at = max(writer.progress().values(), key=lambda at: at.position, default=None)
        if at is None or at.position == 0:
            return
        last = ledger.read_sealed(after=at.position - 1, limit=1)
        if not last or last[0].recorded_us != at.recorded_us:
            log.warning("views.discarded", position=at.position, head=ledger.head().position)
            with writer.transaction():
                _drop(writer, writer.progress())


def stale(views: Views, projections: Sequence[Projection]) -> list[str]:
    """Names of the views that must be rebuilt before they can go on: missing, of another version or policy, or not where the others are."""
    found = views.progress()
    top = max((found[one.name].position for one in projections if one.name in found), default=0)
    return [one.name for one in projections if (at := found.get(one.name)) is None or not at.shows(one) or at.position != top]


def _lock(views: Views) -> Lock:
    lock = views.try_lock("rebuild")
    if lock is None:
        raise RebuildUnderWayError(f"{views.place}: another rebuild is under way; wait until it is done")
    return lock


def _create(writer: Writer, tables: Sequence[Table], now_us: int) -> None:
    _drop_builds(writer)
    build = max((at.build for at in writer.progress().values()), default=0) + 1
    with writer.transaction():
        for table in tables:
            writer.create(table)
            made = table.projection
            writer.add_progress(Progress(table.name, made.version, build, "rebuilding", updated_us=now_us, policy=made.policy))


def _targets(ledger: Ledger, writer: Writer, projections: Sequence[Projection]) -> list[Part]:
    """Where the live views are, so that all go on from one position; the end of the log when there are none."""
    return writer.parts([one.name for one in projections]) or [Part(ledger.head().position, EVERYTHING)]


def _builds(writer: Writer) -> list[str]:
    return [name for name, at in writer.progress().items() if at.status == "rebuilding"]


def _drop_builds(writer: Writer) -> None:
    with writer.transaction():
        _drop(writer, _builds(writer))


def _drop(writer: Writer, names: Iterable[str]) -> None:
    for name in names:
        writer.drop(name)


def _swap(writer: Writer, table: Table) -> Rebuilt:
    """Put the new table in the place of the old one, in the transaction under way."""
    name, at = table.projection.name, writer.progress()[table.name]
    comparison = _comparison(writer, table)
    writer.drop(name)
    return Rebuilt(name, at.version, at.position, writer.replace(table), comparison)


def _compared(writer: Writer, table: Table) -> Rebuilt:
    """Compare the new table with the old one, and throw it away."""
    at, parked = writer.progress()[table.name], len(writer.waiting(table.name))
    comparison = _comparison(writer, table)
    writer.drop(table.name)
    return Rebuilt(table.projection.name, at.version, at.position, parked, comparison)


def _comparison(writer: Writer, table: Table) -> Comparison | None:
    progress = writer.progress()
    old = progress.get(table.projection.name)
    if old is None or not old.shows(table.projection):
        return None
    return writer.compare(table)
