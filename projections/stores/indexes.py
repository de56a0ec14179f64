"""Indexes, and pages from them.

An index is asked by its leading columns and has the order of its last one, then of the key, as every order does: so a page is read from it
however many rows have the same value, or none. Where a filter leaves several values to the leading columns, each has its own order there,
and they are merged. Nobody asks for no value: rows without one in a leading column are in no such index, which costs them nothing.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import msgspec

from projections.stores.interface import Page
from projections.tables import Table, quoted

WAYS_MAX = 32  # parts of one question; of more, the whole table is sorted as quickly


def definition(table: Table, columns: Sequence[str]) -> str:
    """What an index of ``columns`` is of, as SQL has it behind the name of the table."""
    of = ", ".join(map(quoted, dict.fromkeys([*columns, table.key])))
    present = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in columns[:-1] if column in table.nullable)
    return f"({of})" + (f" WHERE {present}" if present else "")


def ways(table: Table, page: Page) -> list[Page]:
    """Pages that together hold the rows of ``page``, each of one value a leading column, in the order of one index; ``page`` where none is.

    The first ``limit`` rows of each of them hold the first ``limit`` of all.
    """
    if page.limit is None:
        return [page]
    values = {column: list(dict.fromkeys(present)) for column, present, null in page.tests if not null}
    for *leading, last in table.indexes:
        if last == page.order_by and leading and values.keys() >= set(leading):
            found = [_narrowed(page, dict(zip(leading, one, strict=True))) for one in product(*(values[column] for column in leading))]
            if 1 < len(found) <= WAYS_MAX:
                return found
    return [page]


def served(table: Table, page: Page) -> bool:
    """Whether some index has the rows of ``page`` in its order, behind values that are all given."""
    order, values = page.order_by or table.key, {column for column, _, _ in page.tests}
    return order == table.key or any(last == order and values >= set(leading) for *leading, last in table.indexes)


def _narrowed(page: Page, where: Mapping[str, Any]) -> Page:
    return msgspec.structs.replace(page, where={**page.where, **where})
