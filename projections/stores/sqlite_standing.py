"""What stands in the indexes of a table of views.db, as one connection read or wrote it: a row is not looked up again before it is changed.

It is as true as the states that a keeper has in memory, and is let go of with them: when somebody else wrote to these rows, or a
transaction was rolled back.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from operator import eq

from projections.stores.interface import Cells

ROWS = 10_000  # of a table that are remembered after a commit, some 300 bytes each
Changed = dict[tuple[bool, ...], list[tuple[int, Cells]]]
"""Rows that stand, each with its number, by which of their indexed cells stay."""


class Standing:
    """The number and the indexed cells of rows, by key. ``cells_of``: takes the indexed cells of a row."""

    def __init__(self, cells_of: Callable[[Cells], Cells]) -> None:
        self._cells_of = cells_of
        self._rows: dict[str, Cells] = {}  # those changed last behind the others

    def note(self, key: str, stands: Cells) -> None:
        """A row was read: its number and its indexed cells."""
        self._rows[key] = stands

    def unknown(self, rows: Sequence[Cells]) -> list[str]:
        """Keys of those rows of which it is not known whether and how they stand."""
        return [row[0] for row in rows if row[0] not in self._rows]

    def part(self, rows: Sequence[Cells]) -> tuple[list[Cells], Changed]:
        """Rows that are about to be written: those that are new, and those that stand. The latter are remembered as written."""
        new: list[Cells] = []
        changed: Changed = {}
        known = self._rows
        for row in rows:
            if (found := known.pop(row[0], None)) is None:
                new.append(row)
            else:
                number, *before = found
                now = self._cells_of(row)
                changed.setdefault(tuple(map(eq, before, now)), []).append((number, row))
                known[row[0]] = (number, *now)
        for key in list(islice(known, max(0, len(known) - ROWS))):
            del known[key]
        return new, changed

    def forget(self, keys: Sequence[str] | None = None) -> None:
        """Some rows, or all, may stand otherwise."""
        if keys is None:
            self._rows.clear()
        else:
            for key in keys:
                self._rows.pop(key, None)
