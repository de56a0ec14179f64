"""What differs between two moments of a view: row by row and column by column, each with the events behind it.

An event is behind a difference when it counts at one of the moments and not, or otherwise, at the other. A difference with no event
behind it is time's: evidence faded, or something fell due.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from ledger.ledger import Ledger
from projections.corrections import Corrected, Corrections
from projections.replay import Folded, Replay, Side
from projections.tables import relationship_of
from schemas.records import recorded
from schemas.touchpoint import Recorded, iso


class Cause(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event behind a difference. ``corrected``: what became of it, where that makes the difference."""

    position: int
    source: str
    id: str
    type: str
    occurred_at: str
    recorded_at: str
    counts: Literal["now", "no longer", "otherwise"]
    corrected: Corrected | None = None


class Change(msgspec.Struct, frozen=True):
    """A row that differs. ``columns``: before and after, of those that differ."""

    key: str
    change: Literal["added", "removed", "changed"]
    columns: dict[str, tuple[Any, Any]]
    events: tuple[Cause, ...]


def differences(ledger: Ledger, replay: Replay) -> Iterator[Change]:
    """Each row that differs from the first of the replay's two sides to the second."""
    (before, after), histories = replay.sides, _Histories(ledger, replay)
    for key, (then, now) in replay.rows():
        columns = _columns(_public(before, then), _public(after, now))
        if columns:
            change: Literal["added", "removed", "changed"] = "added" if then is None else "removed" if now is None else "changed"
            yield Change(key, change, columns, tuple(histories.causes(key)))


class _Histories:
    """Histories of relationships, the last one remembered: rows of one come after each other."""

    def __init__(self, ledger: Ledger, replay: Replay) -> None:
        self._ledger, self._replay = ledger, replay
        self._relationship = ""
        self._history: list[Recorded] = []
        self._counting: list[tuple[Side, Corrections, dict[int, Recorded]]] = []

    def causes(self, key: str) -> Iterator[Cause]:
        """What counts otherwise on the two sides and belongs to a row."""
        self._read(relationship_of(key))
        (before, was, counted), (after, is_, counts) = self._counting
        for event in self._history:
            then, now = counted.get(event.position), counts.get(event.position)
            keys = {side.projection.row_key(one) for side, one in ((before, then), (after, now)) if one is not None}
            if then != now and key in keys:
                told = was.of(event), is_.of(event)
                corrected = None if told[0] == told[1] else told[1] or told[0]
                yield _cause(event, "now" if then is None else "no longer" if now is None else "otherwise", corrected)

    def _read(self, relationship: str) -> None:
        if relationship == self._relationship:
            return
        self._relationship, self._counting = relationship, []
        self._history = [recorded(stored) for stored in self._ledger.history(relationship)]
        for side, size in zip(self._replay.sides, self._replay.sizes, strict=True):
            known = [event for event in self._history if event.position <= size]
            corrections = Corrections(known)
            counting = {one.position: one for one in corrections.counting(known) if side.moments.happened(one)}
            self._counting.append((side, corrections, counting))


def _public(side: Side, folded: Folded | None) -> dict[str, Any] | None:
    return None if folded is None else msgspec.to_builtins(side.publish(folded))


def _columns(before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, tuple[Any, Any]]:
    names: Sequence[str] = list(after or before or {})
    pairs = {name: ((before or {}).get(name), (after or {}).get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _cause(event: Recorded, counts: Literal["now", "no longer", "otherwise"], corrected: Corrected | None) -> Cause:
    moments = iso(event.occurred_us), iso(event.recorded_us)
    return Cause(event.position, event.source, event.id, event.type, *moments, counts, corrected)
