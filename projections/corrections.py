"""Which events of a relationship count once its corrections are followed: the one rule, for views, answers and explanations alike.

A correction names a touchpoint of the same relationship that was recorded before it. From then on the touchpoint counts with the data of
the replacement, or not at all; of several corrections the last one recorded holds. A correction is no touchpoint: nothing is counted or
dated by it. It tells what had happened, so it holds whatever moment is asked about, also one before it was made; only knowledge from
before it was recorded goes without it.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from schemas.catalogue import Correction, SubjectErased
from schemas.touchpoint import Recorded
from schemas.upcasts import DATA_DECODERS

CORRECTION = "ledger.correction.v1"
REFOLDED = frozenset((CORRECTION, "ledger.subject-erased.v1"))
"""Types after which a relationship is folded again from its first event: earlier ones count otherwise, or are read otherwise."""


class Corrected(msgspec.Struct, frozen=True):
    """What became of a touchpoint: by which position, how, and why in words."""

    position: int
    now: Literal["withdrawn", "replaced"]
    reason: str


class Corrections:
    """The corrections among ``events``: all of one relationship that are known, in order.

    upto: position of the last of them, or of an erasure, and when it was recorded (microseconds UTC); 0 and 0 without any.
    """

    def __init__(self, events: Iterable[Recorded] = ()) -> None:
        self.upto = 0, 0
        self._told: dict[tuple[str, str], int] = {}  # source and id -> position
        self._holds: dict[int, Recorded] = {}  # by position of the touchpoint: the correction
        self._names: dict[int, int] = {}  # by position of a correction: the touchpoint's
        for event in events:
            if not isinstance(event.data, Correction):
                self._told[event.source, event.id] = event.position
                if isinstance(event.data, SubjectErased):
                    self.upto = event.position, event.recorded_us
                continue
            self.upto = event.position, event.recorded_us
            named = self._told.get((event.data.of.source, event.data.of.id))
            if named is not None:
                self._holds[named] = event
                self._names[event.position] = named

    def counting(self, events: Iterable[Recorded]) -> list[Recorded]:
        """Those of ``events`` that count, as they count; as in ``apply``."""
        return [counted for event in events if (counted := self.apply(event)) is not None]

    def apply(self, event: Recorded) -> Recorded | None:
        """The event as it counts: itself, with other data, or None where it does not count.

        Raises:
            ValueError: the replacement is not data of the event's type: the store was changed from outside.
        """
        correction = self._holds.get(event.position)
        if correction is None:
            return None if isinstance(event.data, Correction) else event
        replacement = correction.data.replacement  # type: ignore[union-attr]  # only corrections are in there
        if replacement is None:
            return None
        decode = DATA_DECODERS.get(event.type)
        if decode is None:
            return event
        try:
            return msgspec.structs.replace(event, data=decode(msgspec.json.encode(replacement)))
        except msgspec.ValidationError as error:
            raise ValueError(f"the correction at position {correction.position} replaces by what is no {event.type}: {error}") from error

    def of(self, event: Recorded) -> Corrected | None:
        """What became of a touchpoint; None where it was never corrected."""
        correction = self._holds.get(event.position)
        if correction is None or not isinstance(correction.data, Correction):
            return None
        now: Literal["withdrawn", "replaced"] = "withdrawn" if correction.data.replacement is None else "replaced"
        return Corrected(correction.position, now, correction.data.reason)

    def is_withdrawn(self, event: Recorded) -> bool:
        """Whether a touchpoint no longer counts."""
        became = self.of(event)
        return became is not None and became.now == "withdrawn"

    def corrects(self, correction: Recorded) -> int | None:
        """Position of the touchpoint a correction is about; None where it is about none."""
        return self._names.get(correction.position)


NONE = Corrections()


def counting(events: Iterable[Recorded]) -> list[Recorded]:
    """The events of one relationship that count, of all that are known, in order."""
    known = list(events)
    return Corrections(known).counting(known)
