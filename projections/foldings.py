"""The rows of several projections between two commits: each event is decoded once, and handed to those that take it.

All of a relationship's events in a chunk are folded one after the other, so that what one has in memory is fetched once for all of them.
What cannot be read, and what was corrected, sets its relationship aside in every projection; at the commit it is folded apart.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from projections.corrections import REFOLDED
from projections.folding import Folding
from projections.stores.interface import Writer
from schemas.records import recorded
from schemas.touchpoint import Recorded, Stored

PIECE_EVENTS = 1_000  # events decoded and folded view after view: more of them no longer fit into the processor's cache


class Foldings:
    """One folding a projection. told: relationships with an event since the last commit; corrected: of them those with one to refold."""

    def __init__(self, each: Sequence[Folding]) -> None:
        self._each = each
        self._takers: dict[type, list[int]] = {}  # by type of data, the places of the foldings that take such events
        self.told: set[str] = set()
        self.corrected: set[str] = set()

    def __iter__(self) -> Iterator[Folding]:
        return iter(self._each)

    @property
    def changed(self) -> int:
        """Rows that were changed since the last commit, of the projection that has the most."""
        return max((len(folding.touched) for folding in self._each), default=0)

    def begin(self) -> None:
        """Nothing was told since the last commit."""
        self.told.clear()
        self.corrected.clear()

    def fold(self, writer: Writer, chunk: Sequence[Stored]) -> None:
        """Fold what the log has next, as far as the writer holds its relationships."""
        by_relationship = defaultdict[str, list[Stored]](list)
        for stored in chunk:
            by_relationship[stored.relationship].append(stored)
        told = [relationship for relationship in by_relationship if writer.holds(relationship)]
        self.told.update(told)
        mine = [stored for relationship in told for stored in by_relationship[relationship]]
        corrected = {stored.relationship for stored in mine if stored.type in REFOLDED}
        self.corrected |= corrected
        for relationship in corrected:
            self._fail(relationship)
        for start in range(0, len(mine), PIECE_EVENTS):
            events = self._decoded(mine[start : start + PIECE_EVENTS])
            for folding, wanted in zip(self._each, self._wanted(events), strict=True):
                if wanted:
                    folding.fold(writer, wanted)

    def _wanted(self, events: Sequence[Recorded]) -> list[list[Recorded]]:
        """What each folding takes of ``events``: one look at the type of each, however many projections there are."""
        wanted: list[list[Recorded]] = [[] for _ in self._each]
        takers: dict[type, list[Callable[[Recorded], None]]] = {}
        for event in events:
            type_ = type(event.data)
            takes = takers.get(type_)
            if takes is None:
                takes = takers[type_] = [wanted[at].append for at in self._taking(type_)]
            for take in takes:
                take(event)
        return wanted

    def _taking(self, type_: type) -> list[int]:
        found = self._takers.get(type_)
        if found is None:
            found = self._takers[type_] = [at for at, folding in enumerate(self._each) if folding.takes(type_)]
        return found

    def _decoded(self, chunk: Sequence[Stored]) -> list[Recorded]:
        """The events of ``chunk`` that can be read; the relationships of the others are set aside and park there."""
        try:
            return list(map(recorded, chunk))
        except Exception:  # noqa: BLE001  # whatever it is, it is raised again and kept when the event is folded singly
            events = []
            for stored in chunk:
                try:
                    events.append(recorded(stored))
                except Exception:  # noqa: BLE001
                    self._fail(stored.relationship)
            return events

    def _fail(self, relationship: str) -> None:
        for folding in self._each:
            folding.fail(relationship)
