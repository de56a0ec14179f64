"""Pages from an index: where a filter leaves several values to the leading columns, each has its own order there, and they are merged."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import msgspec

from projections.stores.interface import Page
from projections.tables import Table

WAYS_MAX = 32  # parts of one question; of more, the whole table is sorted as quickly


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
