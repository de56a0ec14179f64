"""What is written to the schema ``views``: rows, bookkeeping, and tables that take each other's place.

A transaction first proves its leases and locks the progress of what it writes, so writers of the same slices wait for each other, and
those of different slices do not. Locks are taken in one order everywhere, so that nobody waits for who waits for them: the slices by their
first bucket, then, in one statement, all rows of ``progress`` that the transaction will write, by name and slice, then the rest.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from operator import attrgetter
from typing import Any

import msgspec
import psycopg

from ledger.postgres_connections import Connection
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
from projections.stores.postgres_session import Session, Told
from projections.stores.postgres_statements import Statements, in_schema
from projections.stores.slices import BUCKETS, Share, Slice, bucket, buckets
from projections.tables import Table, quoted
from schemas.errors import LeaseLostError

INTEGERS = range(-(2**63), 2**63)  # what a bigint holds
UNBINDABLE = (psycopg.DataError, UnicodeEncodeError, OverflowError)

PROGRESS = """
    WITH mine AS (
        SELECT * FROM views.progress
        WHERE (%(names)s::text[] IS NULL OR name = ANY(%(names)s)) AND (%(slices)s::int[] IS NULL OR slice = ANY(%(slices)s))
        ORDER BY name, slice {}
    )
    SELECT name, max(version), max(build), max(status), max(updated_us), min(position), min(recorded_us), min(tick_us), min(swept_us),
        sum(commits)::bigint, max(policy)
    FROM mine GROUP BY name
"""
ADD_PROGRESS = """
    INSERT INTO views.progress (name, version, build, status, updated_us, position, recorded_us, tick_us, swept_us, commits, policy, slice)
    SELECT %(name)s, %(version)s, %(build)s, %(status)s, %(updated_us)s, %(position)s, %(recorded_us)s, %(tick_us)s, %(swept_us)s, 1,
        %(policy)s, first
    FROM views.slices WHERE %(slices)s::int[] IS NULL OR first = ANY(%(slices)s) ORDER BY first
"""
PUT_PROGRESS = """
    UPDATE views.progress SET commits = commits + 1, updated_us = %(updated_us)s, position = %(position)s, recorded_us = %(recorded_us)s,
        tick_us = %(tick_us)s, swept_us = %(swept_us)s
    WHERE name = ANY(%(names)s) AND (%(slices)s::int[] IS NULL OR slice = ANY(%(slices)s))
"""
PARTS = """
    SELECT position, array_agg(first ORDER BY first), array_agg(beyond ORDER BY first) FROM (
        SELECT first, beyond, max(position) AS position FROM views.slices JOIN views.progress ON slice = first
        WHERE name = ANY(%(names)s) AND (%(slices)s::int[] IS NULL OR first = ANY(%(slices)s)) GROUP BY first, beyond
    ) AS slice GROUP BY position ORDER BY position
"""
PROVE = """
    SELECT FROM views.slices JOIN unnest(%s::int[], %s::int[], %s::bigint[]) AS mine (first, beyond, epoch) USING (first, beyond, epoch)
    ORDER BY first FOR SHARE OF slices
"""
PUBLISHED = """
    SELECT bool_and(live.swept_us >= built.swept_us) FROM views.progress AS live JOIN views.progress AS built USING (slice)
    WHERE live.name = %s AND built.name = %s
"""
RESLICE = """
    WITH gone AS (DELETE FROM views.progress RETURNING *)
    INSERT INTO views.progress (name, slice, version, build, status, updated_us, position, recorded_us, tick_us, swept_us, commits, policy)
    SELECT name, new.first, max(version), max(build), max(status), max(updated_us), min(position), min(recorded_us), min(tick_us),
        min(swept_us), max(commits) + 1, max(policy)
    FROM gone JOIN views.slices AS old ON old.first = slice
    JOIN unnest(%(firsts)s::int[], %(beyonds)s::int[]) AS new (first, beyond) ON new.first < old.beyond AND old.first < new.beyond
    GROUP BY name, new.first
"""
PARK = """
    INSERT INTO views.parked (projection, relationship, key, position, error, message, first_us, attempts)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (projection, relationship) DO UPDATE SET
        key = excluded.key, position = excluded.position, error = excluded.error, message = excluded.message,
        attempts = parked.attempts + 1
"""

_moved = attrgetter(*MOVED)


class PostgresWriter:
    """Writes what is in ``share`` by a session, which it closes; ``told`` turns PostgreSQL's errors into ours."""

    def __init__(self, session: Session, told: Told, share: Share) -> None:
        self._session, self._told, self._share = session, told, share
        self._slices = None if share is None else [one.first for one in share]
        self._buckets = None if len(buckets(share)) == BUCKETS else buckets(share)  # None: all, which need not be asked for
        self._statements: dict[Table, Statements] = {}

    @property
    def _connection(self) -> Connection:
        return self._session.connection

    def within(self, share: Share) -> "PostgresWriter":
        """As in ``Writer``."""
        return PostgresWriter(self._session, self._told, share)

    def holds(self, relationship: str) -> bool:
        return self._buckets is None or bucket(relationship) in self._buckets

    def transaction(self) -> AbstractContextManager[None]:
        return self._session.transaction(self._prove)

    def close(self) -> None:
        self._session.close()

    # How far tables are, and who waits

    def progress(self, names: Collection[str] | None = None) -> dict[str, Progress]:
        with self._told():
            asked = {"names": None if names is None else list(names), "slices": self._slices}
            rows = self._connection.execute(PROGRESS.format("FOR UPDATE" if self._session.inside else "").encode(), asked)
            return {row[0]: Progress(*row) for row in rows}

    def parts(self, names: Collection[str]) -> list[Part]:
        self.progress()  # within a transaction it locks them: all, since who asks will write more than these
        with self._told():
            found = self._connection.execute(PARTS, {"names": list(names), "slices": self._slices}).fetchall()
        if len(found) == 1:
            return [Part(found[0][0], self._share)]
        epochs = {one.first: one.epoch for one in self._share or ()}
        return [
            Part(position, tuple(Slice(first, beyond, epochs.get(first)) for first, beyond in zip(firsts, beyonds, strict=True)))
            for position, firsts, beyonds in found
        ]

    def revoke(self) -> None:
        with self._told():
            self._connection.execute("LOCK TABLE views.slices IN EXCLUSIVE MODE")
            self._connection.execute("UPDATE views.slices SET epoch = epoch + 1, worker = NULL")

    def reslice(self, slices: Sequence[Slice]) -> None:
        firsts, beyonds = [one.first for one in slices], [one.beyond for one in slices]
        self.progress()  # locks every row that goes
        with self._told():
            ((epoch,),) = self._connection.execute("SELECT max(epoch) FROM views.slices")
            self._connection.execute(RESLICE, {"firsts": firsts, "beyonds": beyonds})
            self._connection.execute("DELETE FROM views.slices")
            rows = "INSERT INTO views.slices SELECT first, beyond, %s FROM unnest(%s::int[], %s::int[]) AS new (first, beyond)"
            self._connection.execute(rows, (epoch + 1, firsts, beyonds))

    def forget(self) -> None:
        """Nothing is remembered: the server compares by itself."""

    def undisturbed(self) -> bool:
        """Not known: ``progress`` must lock what it reads."""
        return False

    def add_progress(self, at: Progress) -> None:
        with self._told():
            self._connection.execute(ADD_PROGRESS, msgspec.structs.asdict(at) | {"slices": self._slices})

    def put_progress(self, reached: Sequence[Progress]) -> list[Progress]:
        put = []
        with self._told():
            for _, those in groupby(sorted(reached, key=_moved), key=_moved):  # nearly all move alike
                some = list(those)
                asked = msgspec.structs.asdict(some[0]) | {"names": [at.name for at in some], "slices": self._slices}
                self._connection.execute(PUT_PROGRESS, asked)
                put += some
            if self._slices is None:
                ((slices,),) = self._connection.execute("SELECT count(*) FROM views.slices")
            else:
                slices = len(self._slices)
        return [msgspec.structs.replace(at, commits=at.commits + slices) for at in put]

    def waiting(self, projection: str) -> list[str]:
        with self._told():
            found = self._connection.execute("SELECT relationship FROM views.parked WHERE projection = %s", (projection,))
            return [relationship for (relationship,) in found if self.holds(relationship)]

    def waits(self, projection: str, relationship: str) -> tuple[str | None, int] | None:
        sql = "SELECT key, position FROM views.parked WHERE projection = %s AND relationship = %s"
        with self._told():
            return self._connection.execute(sql, (projection, relationship)).fetchone()

    def park(self, parked: Parked) -> None:
        with self._told():
            self._connection.execute(PARK, [_told_in_text(cell) for cell in msgspec.structs.astuple(parked)])

    def unpark(self, projection: str, relationship: str) -> None:
        with self._told():
            self._connection.execute("DELETE FROM views.parked WHERE projection = %s AND relationship = %s", (projection, relationship))

    # Rows

    def load(self, table: Table, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        with self._told():
            yield from self._connection.cursor(binary=True).execute(self._of(table).load_many.encode(), (list(keys),))

    def load_one(self, table: Table, key: str) -> StoredState | None:
        with self._told():
            found = self._connection.cursor(binary=True).execute(self._of(table).load_one.encode(), (key,)).fetchone()
        return StoredState(*found) if found else None

    def put(self, table: Table, rows: Sequence[Cells]) -> None:
        statements = self._of(table)
        self._put(statements.upsert, statements.kinds, rows)

    def delete(self, table: Table, keys: Sequence[str]) -> None:
        with self._told():
            self._connection.execute(self._of(table).delete.encode(), (list(keys),))

    def delete_relationship(self, table: Table, relationship: str) -> None:
        with self._told():
            self._connection.execute(self._of(table).delete_relationship.encode(), {"of": relationship})

    def due(self, table: Table, cursor: Any, by_us: int, limit: int) -> tuple[list[StoredState], Any]:  # noqa: ANN401
        mine = None if self._buckets is None else list(self._buckets)
        asked = (cursor or "", by_us, mine, mine, limit)
        with self._told():
            found = self._connection.cursor(binary=True).execute(self._of(table).due.encode(), asked).fetchall()
        return [StoredState(*row) for row in found], found[-1][0] if found else cursor

    # Tables

    def create(self, table: Table) -> None:
        with self._told():
            self._connection.execute(self._of(table).create.encode())

    def index(self, table: Table, build: int) -> None:
        with self._told():
            for columns in table.indexes:
                name = quoted(f"{table.projection.name}_{'_'.join(columns)}_{build}")
                self._connection.execute(f"CREATE INDEX {name} ON {in_schema(table.name)} {definition(table, columns)}".encode())
            self._connection.execute(f"ANALYZE {in_schema(table.name)}".encode())

    def drop(self, name: str) -> None:
        with self._told():
            self._connection.execute(f"DROP TABLE IF EXISTS {in_schema(name)}".encode())
            self._connection.execute("DELETE FROM views.parked WHERE projection = %s", (name,))
            self._connection.execute("DELETE FROM views.progress WHERE name = %s", (name,))

    def replace(self, table: Table) -> int:
        name = table.projection.name
        with self._told():
            self._connection.execute(f"ALTER TABLE {in_schema(table.name)} RENAME TO {quoted(name)}".encode())
            self._connection.execute(f"ALTER INDEX {in_schema(table.name + '_pkey')} RENAME TO {quoted(name + '_pkey')}".encode())
            self._connection.execute("UPDATE views.progress SET name = %s, status = 'live' WHERE name = %s", (name, table.name))
            moved = "WITH moved AS (UPDATE views.parked SET projection = %s WHERE projection = %s RETURNING 1) SELECT count(*) FROM moved"
            ((parked,),) = self._connection.execute(moved, (name, table.name))
        return int(parked)

    def compare(self, table: Table) -> Comparison | None:
        old, new, key = in_schema(table.projection.name), in_schema(table.name), quoted(table.key)
        with self._told():
            ((published,),) = self._connection.execute(PUBLISHED, (table.projection.name, table.name))
            columns = table.every if published else ["position", "recorded_us", "state"]
            there = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'views' AND table_name = %s"
            if not set(table.every) <= {column for (column,) in self._connection.execute(there, (table.projection.name,))}:
                return None
            ask = self._connection.cursor(binary=True).execute
            ((before, after),) = ask(f"SELECT (SELECT count(*) FROM {old}), (SELECT count(*) FROM {new})".encode())  # noqa: S608
            equal = " AND ".join(f"n.{_compared(table, column)} IS NOT DISTINCT FROM o.{_compared(table, column)}" for column in columns)
            joined = f"FROM {new} AS n JOIN {old} AS o USING ({key})"
            ((both, same),) = ask(f"SELECT count(*), count(*) FILTER (WHERE {equal}) {joined}".encode())
            differences: list[Difference] = []
            if not same == before == after:
                pairs = ", ".join(f"n.{_compared(table, column)}, o.{_compared(table, column)}" for column in columns)
                limit = f"ORDER BY 1 LIMIT {DIFFERENCES_MAX}"
                for cells in ask(f"SELECT {key}, {pairs} {joined} WHERE NOT ({equal}) {limit}".encode()):
                    of_both = zip(columns, cells[1::2], cells[2::2], strict=True)
                    differences.append(Difference(cells[0], "changed", tuple(column for column, now, then in of_both if now != then)))
                for what, one, other in (("added", new, old), ("removed", old, new)):
                    missing = f"NOT EXISTS (SELECT FROM {other} AS other WHERE other.{key} = one.{key})"
                    alone = ask(f"SELECT {key} FROM {one} AS one WHERE {missing} {limit}".encode())  # noqa: S608
                    differences += [Difference(name, what) for (name,) in alone]
        return Comparison(same, both - same, after - both, before - both, tuple(differences))

    def _put(self, sql: str, kinds: Sequence[type | None], rows: Sequence[Cells]) -> None:
        if not rows:
            return
        try:
            arrays = [_array(kind, cells) for kind, cells in zip(kinds, zip(*rows, strict=True), strict=True)]
        except UNBINDABLE as error:
            raise UnbindableError([row[0] for row in rows if not _binds(row)], error) from error
        with self._told():
            self._connection.execute(sql.encode(), arrays)

    def _prove(self) -> None:
        """Hold the leases for this transaction.

        Raises:
            LeaseLostError: another worker has one of them, or had.
        """
        if self._share is None or any(one.epoch is None for one in self._share):
            return
        firsts, beyonds, epochs = zip(*self._share, strict=True)
        found = self._connection.execute(PROVE, (list(firsts), list(beyonds), list(epochs)))
        if len(found.fetchall()) != len(self._share):
            raise LeaseLostError("another worker has taken slices over that were ours: nothing was written; take part anew")

    def _of(self, table: Table) -> Statements:
        found = self._statements.get(table)
        if found is None:
            found = self._statements[table] = Statements(table)
        return found


def _array(kind: type | None, cells: Sequence[Any]) -> list[Any]:
    """The cells of one column as psycopg takes them.

    Raises one of ``UNBINDABLE`` for what the column cannot hold.
    """
    if kind is float:
        return [None if cell is None else float(cell) for cell in cells]
    if kind is int:
        for cell in cells:
            if cell is not None and cell not in INTEGERS:
                raise OverflowError(f"{cell} is no integer of 64 bits")
    elif kind is str:
        return [_told_in_text(cell) for cell in cells]
    return list(cells)


def _binds(row: Cells) -> bool:
    try:
        for cell in row:
            _array(type(cell), [cell])
    except UNBINDABLE:
        return False
    return True


def _told_in_text(cell: Any) -> Any:  # noqa: ANN401  # a text, or what is none
    """PostgreSQL's text holds no NUL, though a name may: the event and the state have it as it came."""
    if isinstance(cell, str):
        cell.encode()
        return cell.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return cell


def _compared(table: Table, column: str) -> str:
    """A column as it can be compared: JSON, which has no equality, as its text."""
    return quoted(column) + ("::text" if column in table.kinds and table.kinds[column] is None else "")
