"""Views of what touchpoints name (a complaint, a contract, a negotiation): a row for each name in each relationship.

A row does not depend on the order in which we heard of things: which of several words in the same role holds is told by their marks, the
first or the last to happen. Words on something that nobody reported to have begun make a row too.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from projections.projection import Projection
from projections.scoring.marks import Mark, mark
from schemas.touchpoint import Recorded

State = TypeVar("State", bound=msgspec.Struct)


def named(
    view: str,
    *,
    version: int,
    row: type[msgspec.Struct],
    state: type[State],
    words: Sequence[type],
    name: str,
    take: Callable[[State, Mark, Any], None],
    publish: Callable[[State, int], msgspec.Struct],
    index: tuple[str, ...],
) -> Projection:
    """The projection ``view`` of what ``words``, types of data, name in their field ``name``.

    A state is made of a relationship and a name; ``take`` changes it by one more word, with the mark of its touchpoint.
    """
    name_of = attrgetter(f"data.{name}")

    def key(event: Recorded) -> str:
        """``customer/a#17`` for 17 of customer/a: other relationships may have one of that name too."""
        return f"{event.relationship}#{name_of(event)}"

    def fold(known: State | None, events: Sequence[Recorded]) -> State:
        if known is None:
            known = state(events[0].relationship, name_of(events[0]))
        for event in events:
            take(known, mark(event), event.data)
        return known

    return Projection(view, version, row, state, key, fold, publish, frozenset(words), index=index)
