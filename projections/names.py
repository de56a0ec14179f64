"""Relationships by what people remember of them: a part of the name or the key, or either slightly misspelt.

Both read the names of all relationships: they are for people, who ask once.
"""

from difflib import get_close_matches

from projections.moments import Moments
from projections.projection import Projection
from projections.views import Views
from schemas.errors import NotFoundError
from schemas.touchpoint import iso

COLUMNS = ("relationship", "name")
NAMED_MAX = 10_000  # that a view is asked for by name
SUGGESTED = 3  # at most
ALIKE = 0.7  # of difflib's ratio, from which two words may be meant for each other
COMPARED_MAX = 2_000  # words that are compared letter by letter
FIRST = 2  # letters that a misspelt word has right


def has(relationship: str, name: str | None, text: str) -> bool:
    """Whether ``text`` is in the key or the name, whatever the case."""
    return any(text.casefold() in word for word in _words(relationship, name))


def narrowed(views: Views, relationships: Projection, text: str) -> dict[str, list[str]]:
    """What to ask a view for so that few but those that have ``text`` in their key or name are read; nothing where they are many."""
    found = [one for one, name, _ in views.columns(relationships, COLUMNS) if has(one, name, text)]
    return {"relationship": found} if len(found) <= NAMED_MAX else {}


def unknown(views: Views, relationships: Projection, relationship: str, moments: Moments) -> NotFoundError:
    """What to tell of a relationship that is not there, with those that may have been meant."""
    if moments.past:
        return NotFoundError(f"{relationship} had no touchpoint by {iso(moments.at_us)}, as known at {iso(moments.knowledge_us)}")
    meant = _meant(views, relationships, relationship)
    if meant:
        return NotFoundError(f"{relationship} is not in the ledger; did you mean {' or '.join(meant)}?")
    do = "`rledger list --name TEXT` finds one by its name; each is called customer/KEY or partner/KEY"
    return NotFoundError(f"{relationship} is not in the ledger: {do}")


def _meant(views: Views, relationships: Projection, relationship: str) -> list[str]:
    typed = relationship.rpartition("/")[2].casefold()
    if len(typed) < FIRST:
        return []
    within: list[str] = []
    compared: dict[str, str] = {}
    for one, name, _ in views.columns(relationships, COLUMNS):
        words = _words(one, name)
        if any(typed in word for word in words):
            within.append(one)
        elif len(compared) < COMPARED_MAX:
            compared |= {word: one for word in words if word[:FIRST] == typed[:FIRST]}
    within.sort(key=lambda one: (len(one), one))
    close = [compared[word] for word in get_close_matches(typed, compared, SUGGESTED, ALIKE)]
    return list(dict.fromkeys(within + close))[:SUGGESTED]


def _words(relationship: str, name: str | None) -> list[str]:
    """The key and the name, where there is one, in small letters."""
    key = relationship.partition("/")[2].casefold()
    return [key] if name is None else [key, name.casefold()]
