"""Every PostgreSQL statement about the rows of one table. Names of tables and columns come from our own code, values are always bound.

Texts are compared byte by byte (``COLLATE "C"``), so that rows have the order they have on SQLite. What is no plain value is ``json``,
which keeps the text as it was written. Rows are written as one array a column, whatever their number.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from projections.stores.indexes import ways
from projections.stores.interface import Page
from projections.tables import BOOKKEEPING, REQUIRED, Table, quoted

TYPES: dict[type | None, str] = {
    str: 'text COLLATE "C"',
    int: "bigint",
    float: "double precision",
    bool: "boolean",
    bytes: "bytea",
    None: "json",
}
BUCKET = "get_byte(sha256(convert_to(split_part({}, '#', 1), 'UTF8')), 0)"
"""The bucket of a row by its key, as in ``slices.py``."""


class Statements:
    """The statements about ``table``, written once."""

    def __init__(self, table: Table) -> None:
        name, key = in_schema(table.name), quoted(table.key)
        kinds = table.kinds | BOOKKEEPING
        stored = f"{key}, state, position, recorded_us, due_us"
        self.kinds = [kinds[column] for column in table.every]
        self.upsert = _upsert(name, key, table.every, self.kinds)
        self.delete = f"DELETE FROM {name} WHERE {key} = ANY(%s)"  # noqa: S608
        # '#' parts a relationship from the rest of a key, '$' is the next character: a range of the primary key.
        self.delete_relationship = f"DELETE FROM {name} WHERE {key} = %(of)s OR ({key} >= %(of)s || '#' AND {key} < %(of)s || '$')"  # noqa: S608
        self.load_one = f"SELECT {stored} FROM {name} WHERE {key} = %s"  # noqa: S608
        self.load_many = f"SELECT {key}, state FROM {name} WHERE {key} = ANY(%s)"  # noqa: S608
        self.due = (
            f"SELECT {stored} FROM {name} WHERE {key} > %s AND due_us <= %s"  # noqa: S608
            f" AND (%s::int[] IS NULL OR {BUCKET.format(key)} = ANY(%s::int[])) ORDER BY {key} LIMIT %s"
        )
        self.create = f"CREATE TABLE {name} ({', '.join(_column(column, kinds[column], table) for column in table.every)})"


def in_schema(name: str) -> str:
    """A table of the views as SQL takes it."""
    return f"views.{quoted(name)}"


def cells(table: Table, columns: Sequence[str]) -> str:
    """Columns as they are read: JSON as the text it is."""
    kinds = table.kinds | BOOKKEEPING
    return ", ".join(quoted(column) + ("::text" if kinds[column] is None else "") for column in columns)


def select(table: Table, page: Page) -> tuple[str, dict[str, Any]]:
    """The SELECT of a page and its parameters.

    PostgreSQL reads an index for one order of NULLs only, so the rows with a value and those without are two parts, each from the index.

    Raises:
        SettingsError: a column the table does not have.
    """
    bound: dict[str, Any] = {"limit": page.limit}
    rows = " UNION ALL ".join(
        f"(SELECT {at} AS part, * FROM {in_schema(table.name)} WHERE {' AND '.join(where)} {by} LIMIT %(limit)s)"  # noqa: S608
        for way, narrow in enumerate(ways(table, page))
        for at, where, by in _parts(table, narrow, way, bound)
    )
    by = _order(table, page)
    sql = f"SELECT {cells(table, table.every)} FROM ({rows}) AS rows ORDER BY part, {by} LIMIT %(limit)s"  # noqa: S608
    return sql, bound


def _order(table: Table, page: Page) -> str:
    direction = "DESC" if page.descending else "ASC"
    return f"{_ordered(table, page)} {direction}, {quoted(table.key)} {direction}"


def _ordered(table: Table, page: Page) -> str:
    """The column of the order, as its values can be compared."""
    column = page.order_by or table.key
    return table.known(column) + ("::text" if table.kinds[column] is None else "")


def _parts(table: Table, page: Page, way: int, bound: dict[str, Any]) -> Iterator[tuple[int, list[str], str]]:
    """Of the rows with a value in the order and of those without: their number, the conditions, the order. What they need is ``bound``."""
    tests: list[str] = []
    for column, present, null in page.tests:
        name, kind, of = table.known(column), table.kinds[column], f"{way} of {column}"
        plain = TYPES[str if kind is None else kind].partition(" COLLATE")[0]
        text = "::text" if kind is None else ""
        if len(present) == 1 and not null:  # the order of the rest of an index is seen behind one value only
            bound[of] = present[0]
            tests.append(f"{name}{text} = %({of})s::{plain}")
        else:
            bound[of] = present
            tests.append(f"({name}{text} = ANY(%({of})s::{plain}[])" + (f" OR {name} IS NULL)" if null else ")"))
    order, key = table.known(page.order_by or table.key), quoted(table.key)
    beyond = "<" if page.descending else ">"
    valued, empty = [*tests, f"{order} IS NOT NULL"], [*tests, f"{order} IS NULL"]
    if page.after is not None:
        bound["value"], bound["last"] = page.after
        if bound["value"] is None:
            valued.append("false")
            empty.append(f"{key} {beyond} %(last)s")
        else:
            valued.append(f"({_ordered(table, page)}, {key}) {beyond} (%(value)s, %(last)s)")
    yield 0, valued, f"ORDER BY {_order(table, page)}"
    if page.order_by not in {None, table.key}:
        yield 1, empty, f"ORDER BY {_order(table, page)}"


def _column(column: str, kind: type | None, table: Table) -> str:
    rule = " PRIMARY KEY" if column == table.key else " NOT NULL" if column in REQUIRED else ""
    return f"{quoted(column)} {TYPES[kind]}{rule}"


def _upsert(name: str, key: str, columns: Sequence[str], kinds: Sequence[type | None]) -> str:
    names = [quoted(column) for column in columns]
    arrays = ", ".join(f"%b::{TYPES[kind].partition(' COLLATE')[0]}[]" for kind in kinds)
    changes = ", ".join(f"{column} = excluded.{column}" for column in names if column != key)
    return (
        f"INSERT INTO {name} ({', '.join(names)}) SELECT * FROM unnest({arrays}) "  # noqa: S608
        f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
    )
