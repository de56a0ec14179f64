"""What a projection is: a pure fold from events to the rows of one table.

A projection has a name, a version, a state per key, and says which key an event belongs to. The runner owns states: it loads
them, hands them to ``fold`` (which may change and return them), and writes ``publish(state, moment_us)`` as the table's row together
with the encoded state. Nothing here knows a clock, a database or a log.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from schemas.touchpoint import Recorded


class Projection(msgspec.Struct, frozen=True):
    """One table of views.

    name: of the table; also its row in ``projections``.
    version: raise it when ``fold``, ``publish`` or the columns change; the runner then rebuilds beside and swaps.
    policy: digest of the policy that ``fold`` and ``publish`` follow, empty where they follow none; another one is another view.
    row: a Struct whose fields are the table's public columns, its first field the key (primary key). Field types: str, int,
        float, bool, or None-able ones of these; anything else is stored as JSON text. The names in ``tables.BOOKKEEPING`` are taken.
    state: a Struct encoded (msgspec MessagePack) in the column ``state``.
    key: the event's row, or None when the event is not for this projection. A row belongs to the event's relationship: its key is the
        relationship, or the relationship, ``#`` and more.
    takes: the types of data that may have a key, so that the runner need not ask for those of others; None: any, also unknown ones.
    fold: the state after the event; takes None for a new key; returns None to remove the row.
    publish: the public row of a state, as evaluated at a moment (microseconds UTC). Pure: the same state and moment, the same row.
    over: whether an event comes too late to change a state: it is passed over, and the row is not written again. None: none does.
    ticks: whether the close of a day publishes every row again (its figures fade with time).
    index: names of columns to index; each entry one index, comma-separated for several columns.
    """

    name: str
    version: int
    row: type[msgspec.Struct]
    state: type[msgspec.Struct]
    key: Callable[[Recorded], str | None]
    fold: Callable[[Any, Recorded], Any]
    publish: Callable[[Any, int], msgspec.Struct]
    takes: frozenset[type] | None = None
    over: Callable[[Any, Recorded], bool] | None = None
    ticks: bool = False
    policy: str = ""
    index: tuple[str, ...] = ()
