"""The order of a list of relationships, the same whether it comes from one ledger or from several put together."""

from collections.abc import Iterable

from projections.answers import Shown
from projections.relationships import LEVEL_COLUMNS

SORTS = ("quality", "trend", "value", "name", "segment", "standing", "evidence", "events", "first_at", "last_at", *LEVEL_COLUMNS)
"""Columns ``list`` can sort by."""


def in_order(rows: Iterable[Shown], sort: str, *, descending: bool) -> list[Shown]:
    """Relationships as ``list`` orders them: by a column, those with the same figure by name, those without one last."""
    named = sorted(rows, key=lambda shown: shown.relationship, reverse=descending)
    known = [(figure, shown) for shown in named if (figure := _sort_figure(shown, sort)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=descending)
    return [shown for _, shown in known] + [shown for shown in named if _sort_figure(shown, sort) is None]


def _sort_figure(shown: Shown, sort: str) -> float | str | None:
    """What ``list`` sorts a relationship by."""
    if sort == "value":
        return None if shown.value is None else float(shown.value.amount)
    if sort == "evidence":
        return sum(one.evidence for one in shown.dimensions.values())
    if sort.startswith("level_"):
        dimension = shown.dimensions.get(sort.removeprefix("level_"))
        return None if dimension is None else dimension.level
    return getattr(shown, sort)  # type: ignore[no-any-return]
