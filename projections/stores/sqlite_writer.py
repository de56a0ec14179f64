"""What is written to views.db: rows, bookkeeping, and tables that take each other's place.

All writers wait for each other's transactions, whatever their slices: a file has one writer at a time. Each transaction first proves its
leases.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
import sqlite_utils

from projections.stores.indexes import definition
from projections.stores.interface import (
    DIFFERENCES_MAX,
    MOVED,
    Cells,
    Comparison,
    Difference,
    Parked,
    Part,
    Progress,
    StoredState,
    UnbindableError,
)
from projections.stores.slices import BUCKETS, Share, Slice, bucket, buckets
from projections.stores.sqlite_standing import Standing
from projections.stores.sqlite_statements import Statements, marks, sized
from projections.tables import BOOKKEEPING, REQUIRED, Table, quoted
from schemas.errors import LeaseLostError

SUMMED = """
    name, max(version), max(build), max(status), max(updated_us), min(position), min(recorded_us), min(tick_us), min(swept_us),
    sum(commits), max(policy)
"""
"""How far a table is in several slices: as far as the last one. In the order of ``Progress``."""
PUT_PROGRESS = f"""
    UPDATE progress SET commits = commits + 1, {", ".join(f"{column} = ?" for column in MOVED)} WHERE name IN ({{}}) AND {{}}
"""  # noqa: S608
FIXED = ("name", "version", "build", "status", "policy", *MOVED)
ADD_PROGRESS = f"INSERT INTO progress ({', '.join(FIXED)}, commits, slice) SELECT {marks(len(FIXED))}, 1, first FROM slices WHERE {{}}"  # noqa: S608
PARTS = """
    SELECT max(position), first, beyond FROM slices JOIN progress ON slice = first
    WHERE name IN ({}) AND {} GROUP BY first ORDER BY 1, first
"""
PUBLISHED = """
    SELECT min(live.swept_us >= built.swept_us) FROM progress AS live JOIN progress AS built USING (slice)
    WHERE live.name = ? AND built.name = ?
"""
RESLICED = f"""
    SELECT {SUMMED}, new.column1 FROM progress JOIN slices AS old ON old.first = slice
    JOIN (VALUES {{}}) AS new ON new.column1 < old.beyond AND old.first < new.column2 GROUP BY name, new.column1
"""  # noqa: S608
PARK = """
    INSERT INTO parked (projection, relationship, key, position, error, message, first_us, attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (projection, relationship) DO UPDATE SET
        key = excluded.key, position = excluded.position, error = excluded.error, message = excluded.message, attempts = attempts + 1
"""
UNBINDABLE = (OverflowError, UnicodeEncodeError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
"""What SQLite raises for a value that no column can hold."""

_moved = attrgetter(*MOVED)


class SqliteWriter:
    """A connection that writes what is in ``share``.

    told: turns SQLite's errors into ours. committed: called after each commit.
    """

    def __init__(
        self, connection: sqlite3.Connection, told: AbstractContextManager[None], share: Share, *, committed: Callable[[], None]
    ) -> None:
        self.connection = connection
        self._told, self._share, self._committed = told, share, committed
        self._buckets = None if len(buckets(share)) == BUCKETS else buckets(share)  # None: all, which need not be asked for
        self._leased = share is not None and all(one.epoch is not None for one in share)  # and so proven in each transaction
        whole = share is None or (self._leased and self._buckets is None)  # then there are no other slices
        self._firsts = None if whole else ", ".join(str(one.first) for one in share or ())
        self._statements: dict[Table, Statements] = {}
        self._left: tuple[int, int] | None = None  # what changes with every commit, as the last one of ours left it
        self._others: int | None = None  # the half of it that others change, in a transaction of ours, where they cannot
        self._standing: dict[str, Standing] = {}  # by table

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """As in ``Writer``: one writer at a time."""
        connection = self.connection
        if connection.in_transaction:
            yield
            return
        with self._told:
            connection.execute("BEGIN IMMEDIATE")  # not at the first write: two writers would meet and neither could go on
            try:
                self._others = self._now()[0]
                self._prove()
                yield
                left = self._now()
                connection.execute("COMMIT")
                self._left = left
            finally:
                self._others = None
                if connection.in_transaction:
                    self.forget()
                    connection.execute("ROLLBACK")
        self._committed()

    def within(self, share: Share) -> "SqliteWriter":
        """As in ``Writer``."""
        writer = SqliteWriter(self.connection, self._told, share, committed=self._committed)
        writer._standing = self._standing  # what one of both writes stands for the other
        return writer

    def holds(self, relationship: str) -> bool:
        return self._buckets is None or bucket(relationship) in self._buckets

    def close(self) -> None:
        self.connection.close()

    # How far tables are, and who waits

    def progress(self, names: Collection[str] | None = None) -> dict[str, Progress]:
        with self._told:
            return {name: at for name, at in read_progress(self.connection, self._in("slice")).items() if names is None or name in names}

    def parts(self, names: Collection[str]) -> list[Part]:
        with self._told:
            rows = self.connection.execute(PARTS.format(marks(len(names)), self._in("first")), list(names)).fetchall()
        epochs = {one.first: one.epoch for one in self._share or ()}
        found = [
            Part(position, tuple(Slice(first, beyond, epochs.get(first)) for _, first, beyond in some))
            for position, some in groupby(rows, key=itemgetter(0))
        ]
        return [Part(found[0].position, self._share)] if len(found) == 1 else found

    def forget(self) -> None:
        self._standing.clear()

    def undisturbed(self) -> bool:
        return self._left == self._now()

    def add_progress(self, at: Progress) -> None:
        self.connection.execute(ADD_PROGRESS.format(self._in("first")), [getattr(at, column) for column in FIXED])

    def put_progress(self, reached: Sequence[Progress]) -> list[Progress]:
        put = []
        for moved, those in groupby(sorted(reached, key=_moved), key=_moved):  # nearly all move alike
            some = list(those)
            sql = PUT_PROGRESS.format(marks(len(some)), self._in("slice"))
            rows = self.connection.execute(sql, [*moved, *[at.name for at in some]]).rowcount
            put += [msgspec.structs.replace(at, commits=at.commits + rows // len(some)) for at in some]
        return put

    def revoke(self) -> None:
        self.connection.execute("UPDATE slices SET epoch = epoch + 1, worker = NULL")

    def reslice(self, slices: Sequence[Slice]) -> None:
        execute = self.connection.execute
        edges = [edge for one in slices for edge in (one.first, one.beyond)]
        rows = execute(RESLICED.format(", ".join(["(?, ?)"] * len(slices))), edges).fetchall()
        ((epoch,),) = execute("SELECT max(epoch) FROM slices")
        execute("DELETE FROM progress")
        execute("DELETE FROM slices")
        columns = [*Progress.__struct_fields__, "slice"]
        self.connection.executemany(f"INSERT INTO progress ({', '.join(columns)}) VALUES ({marks(len(columns))})", rows)  # noqa: S608
        self.connection.executemany("INSERT INTO slices VALUES (?, ?, ?, NULL)", [(one.first, one.beyond, epoch + 1) for one in slices])

    def waiting(self, projection: str) -> list[str]:
        with self._told:
            found = self.connection.execute("SELECT relationship FROM parked WHERE projection = ?", (projection,))
            return [relationship for (relationship,) in found if self.holds(relationship)]

    def waits(self, projection: str, relationship: str) -> tuple[str | None, int] | None:
        sql = "SELECT key, position FROM parked WHERE projection = ? AND relationship = ?"
        found: tuple[str | None, int] | None = self.connection.execute(sql, (projection, relationship)).fetchone()
        return found

    def park(self, parked: Parked) -> None:
        self.connection.execute(PARK, msgspec.structs.astuple(parked))

    def unpark(self, projection: str, relationship: str) -> None:
        self.connection.execute("DELETE FROM parked WHERE projection = ? AND relationship = ?", (projection, relationship))

    # Rows

    def load(self, table: Table, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """As in ``Writer``. What stands in indexes is read along, since a row that is loaded will be put."""
        statements = self._of(table)
        if not statements.indexed:
            yield from self._load(statements.load_many, keys)
            return
        standing = self._stands(table)
        for key, state, *stands in self._load(statements.load_many, keys):
            standing.note(key, tuple(stands))
            yield key, state

    def load_one(self, table: Table, key: str) -> StoredState | None:
        with self._told:
            found = self.connection.execute(self._of(table).load_one, (key,)).fetchone()
        return StoredState(*found) if found else None

    def put(self, table: Table, rows: Sequence[Cells]) -> None:
        """As in ``Writer``. Of a row that stands only those indexes are written of which a column changes: each is a page of its own."""
        statements = self._of(table)
        if not statements.indexed:
            self._put(statements.upsert, rows, rows)
            return
        standing = self._stands(table)
        for key, *stands in self._load(statements.load_indexed, standing.unknown(rows)):
            standing.note(key, tuple(stands))
        new, changed = standing.part(rows)
        try:
            self._put(statements.upsert, new, new)
            for same, those in changed.items():
                update = statements.update(same)
                self._put(update.sql, [row for _, row in those], [(*update.cells(row), number) for number, row in those])
        except BaseException:
            standing.forget()
            raise

    def delete(self, table: Table, keys: Sequence[str]) -> None:
        self._stands(table).forget(keys)
        with self._told:
            self.connection.executemany(self._of(table).delete, [(key,) for key in keys])

    def delete_relationship(self, table: Table, relationship: str) -> None:
        self._stands(table).forget()
        self.connection.execute(self._of(table).delete_relationship, (relationship,))

    def due(self, table: Table, cursor: Any, by_us: int, limit: int) -> tuple[list[StoredState], Any]:  # noqa: ANN401
        of = self._of(table)
        sql = of.due if self._buckets is None else of.due_of.format(", ".join(map(str, self._buckets)))
        with self._told:
            found = self.connection.execute(sql, (cursor or 0, by_us, limit)).fetchall()
        return [StoredState(*row[:-1]) for row in found], found[-1][-1] if found else cursor

    # Tables

    def create(self, table: Table) -> None:
        columns: dict[str, Any] = {column: kind or str for column, kind in table.kinds.items()} | BOOKKEEPING
        made = sqlite_utils.Database(self.connection).table(table.name)
        made.create(columns, pk=table.key, not_null={table.key, *REQUIRED})

    def index(self, table: Table, build: int) -> None:
        for columns in table.indexes:
            name = quoted(f"{table.projection.name}_{'_'.join(columns)}_{build}")
            self.connection.execute(f"CREATE INDEX {name} ON {quoted(table.name)} {definition(table, columns)}")

    def drop(self, name: str) -> None:
        self.forget()
        self.connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
        self.connection.execute("DELETE FROM parked WHERE projection = ?", (name,))
        self.connection.execute("DELETE FROM progress WHERE name = ?", (name,))

    def replace(self, table: Table) -> int:
        self.forget()
        name = table.projection.name
        self.connection.execute(f"ALTER TABLE {quoted(table.name)} RENAME TO {quoted(name)}")
        parked = self.connection.execute("UPDATE parked SET projection = ? WHERE projection = ?", (name, table.name)).rowcount
        self.connection.execute("UPDATE progress SET name = ?, status = 'live' WHERE name = ?", (name, table.name))
        return parked

    def compare(self, table: Table) -> Comparison | None:
        ((published,),) = self.connection.execute(PUBLISHED, (table.projection.name, table.name))
        old, new, key = quoted(table.projection.name), quoted(table.name), quoted(table.key)
        columns = [quoted(column) for column in (table.every if published else ("position", "recorded_us", "state"))]
        there = sqlite_utils.Database(self.connection).table(table.projection.name)
        if not there.exists() or not set(table.every) <= there.columns_dict.keys():
            return None
        (before,), (after,) = (self.connection.execute(f"SELECT count(*) FROM {one}").fetchone() for one in (old, new))  # noqa: S608
        joined = f"FROM {new} AS n JOIN {old} AS o ON n.{key} = o.{key}"
        equal = " AND ".join(f"n.{column} IS o.{column}" for column in columns)
        both, same = self.connection.execute(f"SELECT count(*), coalesce(sum({equal}), 0) {joined}").fetchone()
        differences = () if same == before == after else tuple(self._differences(table, columns))
        return Comparison(same, both - same, after - both, before - both, differences)

    def _differences(self, table: Table, columns: Sequence[str]) -> Iterator[Difference]:
        """The first ``DIFFERENCES_MAX`` changed rows, added rows and removed rows, by key."""
        old, new, key = quoted(table.projection.name), quoted(table.name), quoted(table.key)
        pairs = ", ".join(f"n.{column}, o.{column}" for column in columns)
        equal = " AND ".join(f"n.{column} IS o.{column}" for column in columns)
        joined = f"FROM {new} AS n JOIN {old} AS o ON n.{key} = o.{key}"
        changed = f"SELECT n.{key}, {pairs} {joined} WHERE NOT ({equal}) ORDER BY 1 LIMIT ?"
        for cells in self.connection.execute(changed, (DIFFERENCES_MAX,)):
            cells_of_both = zip(columns, cells[1::2], cells[2::2], strict=True)
            yield Difference(cells[0], "changed", tuple(column.strip('"') for column, now, then in cells_of_both if now != then))
        for what, one, other in (("added", new, old), ("removed", old, new)):
            alone = f"SELECT {key} FROM {one} WHERE {key} NOT IN (SELECT {key} FROM {other}) ORDER BY 1 LIMIT ?"  # noqa: S608
            for (name,) in self.connection.execute(alone, (DIFFERENCES_MAX,)):
                yield Difference(name, what)

    def _prove(self) -> None:
        """Raises LeaseLostError where another worker has one of the slices, or had."""
        if self._share is None or not self._leased or self.undisturbed():
            return
        if not set(self._share) <= set(self.connection.execute(f"SELECT first, beyond, epoch FROM slices WHERE {self._in('first')}")):  # noqa: S608
            raise LeaseLostError("another worker has taken slices over that were ours: nothing was written; take part anew")

    def _now(self) -> tuple[int, int]:
        """What every change of the file changes: the first number if another connection made it, the second if this one did."""
        others = self._others
        if others is None:
            ((others,),) = self.connection.execute("PRAGMA data_version")
        return others, self.connection.total_changes

    def _in(self, column: str) -> str:
        """The test for a column that holds the first bucket of a slice of ours."""
        return "1" if self._firsts is None else f"{column} IN ({self._firsts})"

    def _load(self, template: str, keys: Sequence[str]) -> Iterator[Cells]:
        with self._told:
            for sql, some in sized(template, keys):
                yield from self.connection.execute(sql, some)

    def _put(self, sql: str, rows: Sequence[Cells], bound: Sequence[Cells]) -> None:
        """Write ``rows`` by a statement, to which these cells of each are ``bound``."""
        with self._told:
            try:
                self.connection.executemany(sql, bound)
            except UNBINDABLE as error:
                keys = [row[0] for row in rows if not self._binds(row)]
                if not keys:
                    raise
                raise UnbindableError(keys, error) from error

    def _binds(self, row: Cells) -> bool:
        try:
            self.connection.execute(f"VALUES ({marks(len(row))})", row)
        except UNBINDABLE:
            return False
        return True

    def _stands(self, table: Table) -> Standing:
        return self._standing.setdefault(table.name, Standing(self._of(table).indexed_of))

    def _of(self, table: Table) -> Statements:
        found = self._statements.get(table)
        if found is None:
            found = self._statements[table] = Statements(table)
        return found


def read_progress(connection: sqlite3.Connection, where: str = "1") -> dict[str, Progress]:
    """How far each table is, by its name; in some slices."""
    rows = connection.execute(f"SELECT {SUMMED} FROM progress WHERE {where} GROUP BY name")  # noqa: S608
    return {row[0]: Progress(*row) for row in rows}
