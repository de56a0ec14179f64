"""The rows of one projection between two commits: states in memory, what was changed, what failed. Knows its table, not the log.

Events are folded many at once; where one fails, its relationship is set aside and, at the commit, folded again one event at a time from
the stored rows, so that all before the failing event is kept and nothing of it is. States in memory of a relationship that waits mean
nothing: they are read anew when it is folded singly, and only that ends its waiting. A relationship that was corrected is set aside too,
and at the commit folded again from its first event.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from itertools import groupby, islice
from pathlib import Path
from traceback import extract_tb
from typing import Any, NamedTuple

import msgspec

from projections.corrections import NONE, Corrections
from projections.stores.interface import Cells, StoredState, UnbindableError, Writer
from projections.tables import Table, relationship_of
from schemas.errors import AlteredError, LedgerError
from schemas.records import recorded
from schemas.touchpoint import Recorded, Stored

CACHED_BYTES = 24_000_000  # memory that the states of a projection may take after a commit
STATE_BYTES, STATE_FACTOR = 1_500, 6  # what a state takes of it: so many bytes, and so many times its size in the store
USUAL_BYTES, RECENT_ROWS = 500.0, 1_000  # a state's size before any was written; rows after which that is half forgotten
MESSAGE_MAX = 500  # characters kept of an error's message


class Failure(msgspec.Struct, frozen=True):
    """What stopped a relationship, and from which position its events wait."""

    position: int
    key: str | None
    error: Exception

    @property
    def message(self) -> str:
        """The error's words and where in the code it was raised."""
        frame = extract_tb(self.error.__traceback__)[-1]
        return f"{str(self.error)[:MESSAGE_MAX]} ({Path(frame.filename).name}:{frame.lineno})"


class Changes(NamedTuple):
    """What a commit writes of one table: whole rows, and keys of rows that are no more."""

    rows: list[Cells]
    gone: list[str]


class Pending(NamedTuple):
    """Rows to publish again: as they stand, and what each is now, or what hinders it."""

    found: list[StoredState]
    rows: list[Cells | Exception]


class Folding:
    """States of ``table``'s projection, after a commit at most ``cached_rows`` and as many as ``CACHED_BYTES`` hold.

    The least recently changed are dropped first.
    """

    def __init__(self, table: Table, *, cached_rows: int) -> None:
        self.table = table
        self._cached_rows = cached_rows
        self._state_bytes = USUAL_BYTES  # of a state in the store, on average of late
        self._projection = table.projection
        self.reset(parked=(), stored=False)

    def reset(self, *, parked: Sequence[str], stored: bool) -> None:
        """Forget everything in memory. ``stored``: the table has rows."""
        self.states: dict[str, Any] = {}  # by key, the least recently changed first; None: no such row
        self.touched: dict[str, tuple[int, int]] = {}  # by key, position and recorded_us of the last event folded since the last commit
        self.failed: set[str] = set()  # relationships set aside since the last commit
        self.parked = set(parked)
        self._waiting = set(parked)  # failed or parked: their events are not folded
        self._stored = stored
        self._sweeping_us, self._cursor = 0, None  # as of when, and behind which row, the sweep goes on

    def fail(self, relationship: str) -> None:
        """Set a relationship aside until the commit."""
        self.failed.add(relationship)
        self._waiting.add(relationship)

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.touched or self.failed)

    def takes(self, type_: type) -> bool:
        """Whether events with such data are for this projection."""
        return self._projection.takes is None or type_ in self._projection.takes

    def fold(self, writer: Writer, events: Sequence[Recorded]) -> None:
        """Fold ``events``, whose types it takes, in order, all that do not wait; best those of a row one after the other."""
        runs = self._runs(events)
        if self._stored:
            self._load(writer, {key for key, _ in runs})
        states, touched, waiting = self.states, self.touched, self._waiting
        fold, timely = self._projection.fold, self._projection.timely
        for key, run in runs:
            if waiting and run[0].relationship in waiting:
                continue
            try:
                state = states.get(key)
                told = run if timely is None else timely(state, run)
                if not told:
                    continue
                states[key] = fold(state, told)
            except Exception:  # noqa: BLE001  # whatever it is, it is raised again and kept when the events are folded singly
                self.fail(run[0].relationship)
            else:
                touched[key] = told[-1].position, told[-1].recorded_us  # not the event: its batch may then be freed

    def changes(self, tick_us: int) -> Changes:
        """What to write of what was changed, but for failed relationships."""
        rows = self._rows(tick_us)
        self._state_bytes += sum(len(row[-1]) - self._state_bytes for row in rows) / (len(rows) + RECENT_ROWS)
        gone = [key for key in self.touched if self.states.get(key) is None and relationship_of(key) not in self.failed]
        return Changes(rows, gone)

    def write(self, writer: Writer, changes: Changes) -> None:
        """Write changes.

        Raises:
            UnbindableError: a row holds what no column can, and its relationship is now among the failed. Roll back, then begin with
                other changes.
        """
        if changes.gone:
            writer.delete(self.table, changes.gone)
        try:
            if changes.rows:
                writer.put(self.table, changes.rows)
        except UnbindableError as error:
            for key in error.keys:
                self.fail(relationship_of(key))
            raise

    def committed(self) -> None:
        """What was changed is in the store now."""
        states = self.states
        for key in self.touched:
            state = states.pop(key, None)
            if state is not None:
                states[key] = state  # behind all that was changed earlier
        self.touched.clear()
        self._waiting -= self.failed - self.parked
        self.failed.clear()
        self._stored = True
        kept = min(self._cached_rows, int(CACHED_BYTES / (STATE_BYTES + STATE_FACTOR * self._state_bytes)))
        for key in list(islice(states, max(0, len(states) - kept))):
            del states[key]

    def forget(self) -> None:
        """Let go of all states and changes, which are in the store: none of these rows will be asked for again."""
        self.reset(parked=list(self.parked), stored=False)

    def fold_singly(self, writer: Writer, events: Sequence[Stored], tick_us: int, corrections: Corrections = NONE) -> Failure | None:
        """Fold and write events of one relationship one at a time, up to the first that fails."""
        for stored in events:
            key = None
            try:
                event = corrections.apply(recorded(stored))
                key = None if event is None else self._projection.row_key(event)
                if event is None or key is None:
                    continue
                self.states.pop(key, None)  # it may be half folded, and is behind what is written here
                found = writer.load_one(self.table, key)
                state = self.table.decode_state(key, found.state) if found else None
                if not (timely := self._projection.in_time(state, event)):
                    continue
                state = self._projection.fold(state, timely)
                if state is None:
                    writer.delete(self.table, [key])
                else:
                    position, recorded_us = max((event.position, event.recorded_us), corrections.upto)
                    writer.put(self.table, [self._row(state, recorded_us, position, tick_us)])
            except Exception as error:  # as in fold
                if _is_the_stores(error):
                    raise
                return Failure(stored.position, key, error)
        return None

    def refold(self, writer: Writer, relationship: str, history: Sequence[Stored], tick_us: int) -> Failure | None:
        """Fold one relationship from its first event on, its corrections followed, and write its rows in place of all that stand.

        Every row then is of the newest correction or of its own newest event, whichever came later, however often it was folded again.
        """
        for key in [key for key in self.states if relationship_of(key) == relationship]:
            del self.states[key]
        writer.delete_relationship(self.table, relationship)
        corrections = Corrections(_readable(history))
        try:
            for row in self._refolded(corrections.counting(map(recorded, history)), corrections, tick_us):
                writer.put(self.table, [row])  # alone, so that one that no column can hold leaves the transaction as it is
        except Exception as error:  # as in fold
            if _is_the_stores(error):
                raise
            writer.delete_relationship(self.table, relationship)  # some may have been written
            return self.fold_singly(writer, history, tick_us, corrections)
        return None

    def _refolded(self, events: Sequence[Recorded], corrections: Corrections, tick_us: int) -> list[Cells]:
        """The rows that events of one relationship give, from nothing."""
        states: dict[str, Any] = {}
        newest: dict[str, tuple[int, int]] = {}
        for event in events:
            key = self._projection.row_key(event)
            if key is not None and (timely := self._projection.in_time(states.get(key), event)):
                states[key] = self._projection.fold(states.get(key), timely)
                newest[key] = max((event.position, event.recorded_us), corrections.upto)
        return [self._row(state, newest[key][1], newest[key][0], tick_us) for key, state in states.items() if state is not None]

    def publish_one(self, writer: Writer, key: str, tick_us: int) -> Exception | None:
        """Publish the row of ``key`` if it is there and due by ``tick_us``; returns what hindered it."""
        found = writer.load_one(self.table, key)
        if found is None or found.due_us is None or found.due_us > tick_us:
            return None
        row = self._published(found, tick_us)
        if isinstance(row, Exception):
            return row
        try:
            writer.put(self.table, [row])
        except UnbindableError as error:
            return error
        return None

    def pending(self, writer: Writer, tick_us: int, limit: int) -> Pending:
        """Up to ``limit`` rows that are due by ``tick_us``, behind those that were told before."""
        if tick_us != self._sweeping_us:
            self._sweeping_us, self._cursor = tick_us, None
        found, self._cursor = writer.due(self.table, self._cursor, tick_us, limit)
        return Pending(found, [self._published(one, tick_us) for one in found])

    def publish(self, writer: Writer, pending: Pending) -> list[tuple[str, Exception]]:
        """Write rows that were pending. Returns: key and error of those that failed."""
        failures = [(one.key, row) for one, row in zip(*pending, strict=True) if isinstance(row, Exception)]
        rows = [row for row in pending.rows if not isinstance(row, Exception)]
        try:
            writer.put(self.table, rows)
        except UnbindableError as error:
            failures += [(one.key, error) for one in pending.found if one.key in error.keys]
            writer.put(self.table, [row for row in rows if row[0] not in error.keys])
        return failures

    def unpark(self, relationship: str) -> None:
        """Its events flow again."""
        self.parked.discard(relationship)
        self._waiting.discard(relationship)

    def tick(self, tick_us: int) -> int:
        """The close of a day that counts for this projection; 0: none does."""
        return 0 if self._projection.due is None else tick_us

    def _runs(self, events: Sequence[Recorded]) -> list[tuple[str, list[Recorded]]]:
        """Events of the same row that follow each other, with its key."""
        key_of = self._projection.key
        try:
            return [(key, list(run)) for key, run in groupby(events, key_of) if key is not None]
        except Exception:  # noqa: BLE001  # as in fold
            for event in events:
                try:
                    key_of(event)
                except Exception:  # noqa: BLE001
                    self.fail(event.relationship)
            return self._runs([event for event in events if event.relationship not in self._waiting])

    def _load(self, writer: Writer, keys: AbstractSet[str]) -> None:
        states = self.states
        missing = [key for key in keys if key not in states]  # `-` would look at every state there is
        if missing:
            for key, blob in writer.load(self.table, missing):
                states[key] = self.table.decode_state(key, blob)

    def _rows(self, tick_us: int) -> list[Cells]:
        """What to write of all that was changed. A row that cannot be published fails with its relationship, which is left out."""
        rows = []
        for key, (position, recorded_us) in self.touched.items():
            state = self.states.get(key)
            if state is None:
                continue
            try:
                rows.append(self._row(state, recorded_us, position, tick_us))
            except Exception:  # noqa: BLE001  # as in fold
                self.fail(relationship_of(key))
        return [row for row in rows if relationship_of(row[0]) not in self.failed] if self.failed else rows

    def _published(self, stored: StoredState, tick_us: int) -> Cells | Exception:
        """The row as it is published now, or what hinders it."""
        try:
            return self._row(self.table.decode_state(stored.key, stored.state), stored.recorded_us, stored.position, tick_us)
        except Exception as error:  # as in fold
            if _is_the_stores(error):
                raise
            return error

    def _row(self, state: Any, recorded_us: int, position: int, tick_us: int) -> Cells:  # noqa: ANN401
        table, projection = self.table, self._projection
        moment_us, due_us = projection.moment(state, recorded_us, tick_us)
        return (*table.encode(projection.publish(state, moment_us)), moment_us, due_us, recorded_us, position, table.encode_state(state))


def _readable(history: Sequence[Stored]) -> Iterator[Recorded]:
    """The events that can be read: what is damaged stops the fold, not the corrections of others."""
    for stored in history:
        with suppress(ValueError):
            yield recorded(stored)


def _is_the_stores(error: Exception) -> bool:
    """Whether it is no fault of an event, but the views' store is full, locked or damaged."""
    return isinstance(error, LedgerError) and not isinstance(error, AlteredError)
