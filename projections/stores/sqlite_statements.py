"""Every SQLite statement about the rows of one table. Names of tables and columns come from our own code, values are always bound."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from projections.stores.indexes import served, ways
from projections.stores.interface import Cells, Page
from projections.tables import Table, quoted

LOAD_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 500)  # keys bound to one statement; few sizes, so that each is prepared once


class Update(NamedTuple):
    """A statement that changes some columns of a row by its number, and what takes their cells from a whole row."""

    sql: str
    cells: Callable[[Cells], Cells]


class Statements:
    """The statements about ``table``, written once."""

    def __init__(self, table: Table) -> None:
        self._table = table
        name, key = quoted(table.name), quoted(table.key)
        stored = f"{key}, state, position, recorded_us, due_us"
        self.upsert = _upsert(name, key, table.every)
        self.delete = f"DELETE FROM {name} WHERE {key} = ?"  # noqa: S608
        # '#' parts a relationship from the rest of a key, '$' is the next character: a range of the primary key.
        self.delete_relationship = f"DELETE FROM {name} WHERE {key} = ?1 OR ({key} >= ?1 || '#' AND {key} < ?1 || '$')"  # noqa: S608
        self.load_one = f"SELECT {stored} FROM {name} WHERE {key} = ?"  # noqa: S608
        due = f"SELECT {stored}, rowid FROM {name} WHERE rowid > ? AND due_us <= ?"  # noqa: S608
        self.due = f"{due} ORDER BY rowid LIMIT ?"
        self.due_of = f"{due} AND bucket({key}) IN ({{}}) ORDER BY rowid LIMIT ?"  # some buckets
        made = [] if table.beside else table.indexes  # a table being built has none yet
        indexed = {column for columns in made for column in columns} - {table.key}
        self.indexed = sorted(map(table.public.index, indexed))  # their places in a row
        self.indexed_of = _cells_at(self.indexed)
        stands = ", ".join(["rowid", *(quoted(table.public[at]) for at in self.indexed)])
        some = f"FROM {name} WHERE {key} IN ({{}})"  # as many marks as there are keys
        self.load_many = f"SELECT {key}, state{', ' + stands if self.indexed else ''} {some}"
        self.load_indexed = f"SELECT {key}, {stands} {some}"
        self._updates: dict[tuple[bool, ...], Update] = {}

    def update(self, same: tuple[bool, ...]) -> Update:
        """How a row is changed of which these ``indexed`` columns stay: SQLite writes every index anew of which a column is named."""
        if same not in self._updates:
            self._updates[same] = self._update({at for at, stays in zip(self.indexed, same, strict=True) if stays})
        return self._updates[same]

    def _update(self, left: set[int]) -> Update:
        places = [at for at, column in enumerate(self._table.every) if at not in left and column != self._table.key]
        changes = ", ".join(f"{quoted(self._table.every[at])} = ?" for at in places)
        return Update(f"UPDATE {quoted(self._table.name)} SET {changes} WHERE rowid = ?", _cells_at(places))  # noqa: S608


def select(table: Table, page: Page) -> tuple[str, list[Any]]:
    """The SELECT of a page and its parameters.

    Raises:
        SettingsError: a column the table does not have.
    """
    narrow, name = ways(table, page), quoted(table.name)
    in_order = page.limit is None or served(table, page)
    if in_order and len(narrow) == 1:
        condition, order, bound = _asked(table, page)
    else:
        # The numbers of the first rows, each way from the index; in an order of no index from the whole table, read from end to end, which
        # is ten times as quick as looking up what an index of the filter finds. Then those rows themselves.
        parts, by = [_asked(table, one) for one in narrow], "" if in_order else " NOT INDEXED"
        rows = " UNION ALL ".join(f"SELECT * FROM (SELECT rowid FROM {name}{by} WHERE {where} {order})" for where, order, _ in parts)  # noqa: S608
        condition, order, bound = f"rowid IN ({rows})", parts[0][1], [*chain.from_iterable(one for _, _, one in parts), page.limit]
    return f"SELECT {', '.join(map(quoted, table.every))} FROM {name} WHERE {condition} {order}", bound  # noqa: S608


def _asked(table: Table, page: Page) -> tuple[str, str, list[Any]]:
    """The condition and the order of a page, and what both are bound to."""
    tests, parameters = [], []
    for column, present, null in page.tests:
        name = table.known(column)
        tests.append(f"{name} IN ({marks(len(present))})" + (f" OR {name} IS NULL" if null else ""))
        parameters += present
    order, key = table.known(page.order_by or table.key), quoted(table.key)
    direction, beyond = ("DESC", "<") if page.descending else ("ASC", ">")
    if page.after is not None:
        value, last = page.after
        if value is None:
            tests.append(f"{order} IS NULL AND {key} {beyond} ?")
            parameters.append(last)
        else:
            tests.append(f"{order} {beyond} ? OR ({order} = ? AND {key} {beyond} ?) OR {order} IS NULL")
            parameters += [value, value, last]
    condition = " AND ".join(f"({test})" for test in tests) or "1"
    by = f"ORDER BY {order} {direction} NULLS LAST, {key} {direction} LIMIT ?"
    return condition, by, [*parameters, -1 if page.limit is None else page.limit]


def sized(template: str, keys: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Statements of ``template`` for ``keys``, and what each is bound to: the last key is repeated up to one of ``LOAD_SIZES``."""
    largest = LOAD_SIZES[-1]
    for start in range(0, len(keys), largest):
        some = keys[start : start + largest]
        size = LOAD_SIZES[bisect_left(LOAD_SIZES, len(some))]
        yield _of_size(template, size), [*some, *[some[-1]] * (size - len(some))]


@cache
def _of_size(template: str, size: int) -> str:
    return template.format(marks(size))


def marks(count: int) -> str:
    """So many parameters of a statement."""
    return ", ".join("?" * count)


def _upsert(name: str, key: str, columns: Sequence[str]) -> str:
    names = [quoted(column) for column in columns]
    changes = ", ".join(f"{column} = excluded.{column}" for column in names if column != key)
    return (
        f"INSERT INTO {name} ({', '.join(names)}) VALUES ({marks(len(names))}) "  # noqa: S608
        f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
    )


def _cells_at(places: Sequence[int]) -> Callable[[Cells], Cells]:
    """What takes the cells at these places from a row."""
    return itemgetter(*places) if len(places) > 1 else lambda row: tuple(row[at] for at in places)
