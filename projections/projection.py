"""What a projection is: a pure fold from events to the rows of one table.

A projection has a name, a version, a state per key, and says which key an event belongs to. The runner owns states: it loads them, hands
them to ``fold`` with what happened (it may change and return them), and writes ``publish(state, moment_us)`` as the table's row together
with the encoded state. Nothing here knows a clock, a database or a log.
"""

from collections.abc import Callable, Sequence
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
    key: the row of an event with data of a type it ``takes``, or None when the event is not for this projection. A row belongs to the
        event's relationship: its key is the relationship, or the relationship, ``#`` and more.
    takes: the types of data that may have a row; None: any, also unknown ones.
    fold: the state after more events of its row, in order, at least one; takes None for a new key; returns None to remove the row. The
        state is the same however events are parted into calls.
    publish: the public row of a state, as evaluated at a moment (microseconds UTC). Pure: the same state and moment, the same row.
    timely: those of more events of a row that do not come too late to change its state; the others are passed over, and the row is not
        written again for their sake. None: all are.
    due: when the row, published for a moment, will next be another although nothing happens (microseconds UTC): the close of the day after
        publishes it again. Later than the moment, and not later than the change; the moment itself where figures fade all the time, whose
        row each close publishes; None: never. So is every row of a projection without it.
    told: for which moment the row of a state is published at an event, where that is not when the event was recorded.
    index: names of columns to index; each entry one index, comma-separated for several columns. It is asked by all but the last column, and
        has the order of the last one; rows without a value in a column that is asked for are not in it.
    """

    name: str
    version: int
    row: type[msgspec.Struct]
    state: type[msgspec.Struct]
    key: Callable[[Recorded], str | None]
    fold: Callable[[Any, Sequence[Recorded]], Any]
    publish: Callable[[Any, int], msgspec.Struct]
    takes: frozenset[type] | None = None
    timely: Callable[[Any, Sequence[Recorded]], Sequence[Recorded]] | None = None
    due: Callable[[Any, int], int | None] | None = None
    told: Callable[[Any], int] | None = None
    policy: str = ""
    index: tuple[str, ...] = ()

    def moment(self, state: Any, recorded_us: int, tick_us: int) -> tuple[int, int | None]:  # noqa: ANN401  # the projection's state
        """The moment to publish a row for, and when it is due again.

        It is the last at which the row changed by itself up to the close of a day at ``tick_us``, counted from that of its newest event,
        which was recorded at ``recorded_us``; so it is the same however many closes there were, and whenever they were noticed.
        """
        moment_us = recorded_us if self.told is None else self.told(state)
        if self.due is None:
            return moment_us, None
        due_us = self.due(state, moment_us)
        if recorded_us <= tick_us:  # a close before the event knew nothing of it
            while due_us is not None and moment_us < due_us <= tick_us:
                moment_us, due_us = due_us, self.due(state, due_us)
        if due_us is None:
            return moment_us, None
        if due_us == moment_us:
            moment_us = max(moment_us, tick_us)
            due_us = moment_us + 1
        return moment_us, max(due_us, recorded_us)

    def row_key(self, event: Recorded) -> str | None:
        """The key of an event's row; None when the event, of whatever type, is not for this projection."""
        return self.key(event) if self.takes is None or type(event.data) in self.takes else None

    def in_time(self, state: Any, event: Recorded) -> Sequence[Recorded]:  # noqa: ANN401  # the projection's state
        """One more event of a row, unless it comes too late to change its state."""
        return [event] if self.timely is None else self.timely(state, [event])


def fading(_state: Any, moment_us: int) -> int:  # noqa: ANN401  # any projection's state
    """``due`` of rows whose figures fade all the time."""
    return moment_us
