"""The views of one ledger: typed reads of their rows, wherever they stand, and who may write them.

Writing is the business of ``keeper.py`` and ``rebuild.py``; the SQL is in ``stores/``.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from projections.projection import Projection
from projections.stores.interface import Holding, Lock, Page, Parked, Progress, Purpose, Store, ViewStatus, Writer
from projections.stores.slices import EVERYTHING, Share
from projections.tables import Table
from schemas.errors import NotFoundError, StoreUnavailableError


class Status(msgspec.Struct, frozen=True):
    """One view, for people: ``lag`` is events of the log not folded yet, ``parked`` relationships whose events wait."""

    name: str
    version: int
    status: ViewStatus
    position: int
    lag: int
    parked: int
    updated_us: int
    tick_us: int


class ViewRow(msgspec.Struct, frozen=True):
    """A row as it stands, true as of ``evaluated_us``. ``state`` is None where it was not asked for."""

    row: Any
    state: Any
    position: int
    evaluated_us: int


class PolicySupersededError(StoreUnavailableError):
    """A view follows another policy now. Read which policy is in force, and begin again with it."""

    code = "policy_superseded"

    def __init__(self, view: str) -> None:
        self.view = view
        super().__init__(f"view {view} follows another policy now: ask again, or start again with the policy in force")


class Views:
    """The views of one ledger. Reads may come from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tables: dict[Projection, Table] = {}

    @classmethod
    def open(cls, place: Path | str, *, who: str = "worker") -> Self:
        """Open the views at ``place``, making them when they are not there.

        Args:
            place: a SQLite file, or ``postgresql://...`` of the database whose schema ``views`` they are.
            who: under which name, for people, slices are taken.

        Raises:
            SettingsError: the URL is wrong.
            StoreNewerError: a newer program made them.
            StoreUnavailableError: they cannot be made or read.
        """
        if isinstance(place, Path):
            from projections.stores.sqlite import SqliteStore  # noqa: PLC0415  # takes 0.3 s, which who reads no view need not wait

            return cls(SqliteStore(place, who))
        from projections.stores.postgres import PostgresStore  # noqa: PLC0415  # as in Ledger.open

        return cls(PostgresStore(place, who))

    @staticmethod
    def exist(place: Path | str) -> bool:
        """Whether views were ever made at ``place``.

        Raises:
            StoreUnavailableError: nobody can say now.
        """
        if isinstance(place, Path):
            return place.exists()
        from projections.stores.postgres import PostgresStore  # noqa: PLC0415  # as in Ledger.open

        return PostgresStore.exists(place)

    @property
    def place(self) -> str:
        """Where the views stand, for people."""
        return self._store.place

    def writer(self, share: Share = EVERYTHING) -> Writer:
        """Open a connection to write with; the caller closes it."""
        return self._store.writer(share)

    def try_lock(self, purpose: Purpose = "worker") -> Lock | None:
        """Take all slices (or the one rebuild) until they are released; None while a worker that is alive has any (or another rebuilds)."""
        return self._store.try_lock(purpose)

    def join(self) -> Lock:
        """Take part in the work of keeping the views: what is ours to do, ``look`` of it says."""
        return self._store.join()

    def slices(self) -> list[Share]:
        """Each slice of the relationships there is, as a share of its own."""
        return self._store.slices()

    def holdings(self) -> list[Holding]:
        """Who writes which slice."""
        return self._store.holdings()

    def get(self, projection: Projection, key: str) -> ViewRow | None:
        """Read the row of ``key`` with its state; None when there is none.

        Raises:
            StoreUnavailableError: the view is not there in the version this program knows, or the store cannot be read.
        """
        table = self._readable(projection)
        return next(self._rows(table, Page({table.key: key}, limit=1), state=True), None)

    def select(
        self,
        projection: Projection,
        *,
        where: Mapping[str, Any] | None = None,
        order_by: str | None = None,
        descending: bool = False,
        after: str | None = None,
        limit: int | None = None,
        state: bool = False,
    ) -> Iterator[ViewRow]:
        """Read rows as they are asked for, from one snapshot, in the order of one column, then of the key; NULLs last.

        Args:
            where: public column -> the value it must have, or a list, tuple or set of values.
            projection: the view.
            order_by: a public column; the key by default.
            descending: largest first.
            after: key of the last row of the page before.
            limit: rows at most; None for all.
            state: read and decode the state too.

        Raises:
            SettingsError: a column the view does not have.
            NotFoundError: ``after`` is no row.
            StoreUnavailableError: as in ``get``.
        """
        table = self._readable(projection)
        last = None
        if after is not None:
            found = self.get(projection, after)
            if found is None:
                raise NotFoundError(f"{projection.name} has no row {after!r} to go on from: start from the first page")
            last = (table.cell(found.row, order_by or table.key), after)
        return self._rows(table, Page(where or {}, order_by, descending, last, limit), state=state)

    def columns(self, projection: Projection, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Read some public columns of every row, in no order, and after them the moment (microseconds UTC) they are true for.

        For sums over all rows: some five times as fast as ``select``.

        Raises:
            SettingsError: a column the view does not have.
            StoreUnavailableError: as in ``get``.
        """
        table = self._readable(projection)
        decoders = table.decoders(names)
        for cells in self._store.columns(table, names):
            if decoders:
                values = list(cells)
                for at, decode in decoders:
                    if values[at] is not None:
                        values[at] = decode(values[at])
                yield tuple(values)
            else:
                yield cells

    def progress(self) -> dict[str, Progress]:
        """How far each table is, by its name."""
        return self._store.progress()

    def parked(self, projection: str | None = None) -> list[Parked]:
        """Relationships whose events wait, oldest first; of one projection, or of all."""
        return self._store.parked(projection)

    def status(self, head: int) -> list[Status]:
        """Every view and every build under way, by name; ``head`` is the position of the log's last event."""
        waiting = Counter(one.projection for one in self.parked())
        return [
            Status(name, at.version, at.status, at.position, max(0, head - at.position), waiting[name], at.updated_us, at.tick_us)
            for name, at in sorted(self.progress().items())
        ]

    def scrub(self) -> bool:
        """Overwrite what is left of rows that were removed or written anew. Returns: whether nothing hindered it."""
        return self._store.scrub()

    def close(self) -> None:
        """Close the connections that read."""
        self._store.close()

    def _readable(self, projection: Projection) -> Table:
        """The table, when it stands in the version this program knows."""
        at = self.progress().get(projection.name)
        if at is None or at.version != projection.version:
            found = "was never built" if at is None else f"is at version {at.version}"
            raise StoreUnavailableError(
                f"{self.place}: view {projection.name} {found}, this program reads version {projection.version}: "
                "`rledger project --once` brings it there"
            )
        if not at.shows(projection):
            raise PolicySupersededError(projection.name)
        if projection not in self._tables:
            self._tables[projection] = Table(projection)
        return self._tables[projection]

    def _rows(self, table: Table, page: Page, *, state: bool) -> Iterator[ViewRow]:
        return self._decoded(table, self._store.rows(table, page), state=state)

    def _decoded(self, table: Table, rows: Iterator[tuple[Any, ...]], *, state: bool) -> Iterator[ViewRow]:
        width = len(table.public)
        for cells in rows:
            evaluated_us, _due_us, _recorded_us, position, blob = cells[width:]
            yield ViewRow(table.decode(cells[:width]), table.decode_state(cells[0], blob) if state else None, position, evaluated_us)
