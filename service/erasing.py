"""Erase what is personal about a relationship, or hold it against erasure: the one place where either is decided.

The key is destroyed and the erasure recorded in one commit, so neither is ever there without the other. What follows (views folded again,
remains overwritten) may be cut off: a second call goes on with it. The proofs still hold, for ciphertext is what was proven, and scores
stay, for nothing they are made of is personal.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing

import msgspec

from ledger import sealing
from ledger.interface import Refused
from ledger.ledger import Ledger
from projections.views import Views
from schemas import personal
from schemas.catalogue import HoldPlaced, HoldReleased, MasterKeyChanged, SubjectErased
from schemas.errors import ChangedError, LedgerError, NotFoundError, StoreUnavailableError
from schemas.personal import UNMARKED, Mark
from schemas.records import recorded
from schemas.touchpoint import LEDGER_SUBJECT, Recorded, Stored, iso
from service import own
from service.masters import Masters
from service.reading import open_reader
from service.settings import Settings
from service.stores import open_views, views_place

FOLLOW_S = 60.0  # how long a worker that keeps the views may take to follow
SCRUB_S = 2.0
LOOK_S = 0.05
OWN = {own.TYPES[data] for data in (SubjectErased, HoldPlaced, HoldReleased)}


class HeldError(LedgerError):
    """The relationship is held, or not, so that this cannot be done. The message says since when, by whom and what for."""

    code = "held"


class Erased(msgspec.Struct, frozen=True):
    """What is erased: since when, at which position. ``already``: it was before.

    letters: dead letters about it, of which only the reason is left.
    plain: touchpoints from before encryption was on, whose personal values stand in the log for ever.
    clean: nothing is left in the database's own files either; else ``rledger erase`` again does the rest.
    """

    relationship: str
    position: int
    erased_at: str
    already: bool
    letters: int
    plain: int
    clean: bool


class Rotated(msgspec.Struct, frozen=True):
    """Under which master key all keys are now, and how many had to be wrapped anew."""

    master: str
    keys: int


class Held(msgspec.Struct, frozen=True):
    """Whether a relationship is held now, by which event."""

    relationship: str
    held: bool
    position: int


def erase(settings: Settings, ledger: Ledger, relationship: str, why: str, *, at_us: int, notice: Callable[[str], None]) -> Erased:
    """Destroy the key to a relationship's personal data, record it, and let the views follow.

    Raises:
        NotFoundError: there is no such relationship.
        HeldError: it must be kept.
        StoreUnavailableError: it is erased, and a worker that keeps the views did not follow in time.
    """
    already = True
    while (known := _Known(ledger, relationship)).erased is None:
        known.refuse_if_held()
        touchpoint = own.touchpoint_of(relationship, SubjectErased(why), by=own.actor(settings), at_us=at_us)
        try:
            answer = ledger.erase(relationship, known.version, touchpoint)
        except ChangedError:
            continue
        if isinstance(answer, Refused):
            raise own.OwnEventRefusedError(answer.reason)
        already = False
    letters = ledger.erase_letters(relationship)
    clean = _purge(settings, ledger, known.erased.position, notice)
    return Erased(relationship, known.erased.position, iso(known.erased.recorded_us), already, letters, known.plain(), clean)


def hold(ledger: Ledger, relationship: str, why: str, *, release: bool, by: str, at_us: int) -> Held:
    """Keep a relationship from being erased, or no longer.

    Raises:
        NotFoundError: there is no such relationship.
        HeldError: it is held already, or is not, or there is nothing left to hold.
    """
    known = _Known(ledger, relationship)
    if known.erased is not None:
        raise HeldError(f"{relationship} was erased at position {known.erased.position:,}: there is nothing left to hold")
    if release and known.hold is None:
        raise HeldError(f"{relationship} is not held: there is nothing to release")
    if not release:
        known.refuse_if_held()
    data = HoldReleased(why) if release else HoldPlaced(why)
    return Held(relationship, not release, own.record(ledger, relationship, data, by=by, at_us=at_us).position)


def rotate(settings: Settings, ledger: Ledger, why: str, *, at_us: int) -> Rotated:
    """Wrap every key by another master key: a new one where it is a file, else the first of those that are given. Cut off, it goes on.

    Raises:
        KeyUnavailableError: the master key that the keys are wrapped by is not here.
        SettingsError: there is no master key.
    """
    masters, kept = Masters(settings), ledger.key_of(LEDGER_SUBJECT)
    newest = ledger.vault.newest()
    if masters.is_file and (kept is None or kept.master == newest.id):
        masters.add()
        newest = ledger.vault.newest()
    count = ledger.rewrap()
    if count:
        own.record(ledger, LEDGER_SUBJECT, MasterKeyChanged(newest.id, count, why), by=own.actor(settings), at_us=at_us)
    ledger.scrub()
    if masters.is_file:
        masters.forget()
    return Rotated(newest.id, count)


class _Known:
    """What is known of a relationship, read without any key: it may be erased when the master key is lost, too."""

    def __init__(self, ledger: Ledger, relationship: str) -> None:
        self.relationship = relationship
        self._history = ledger.history_sealed(relationship)
        if not self._history or relationship == LEDGER_SUBJECT:
            raise NotFoundError(f"{relationship} is not in the ledger: `rledger list` shows what is; names look like customer/KEY")
        self.version = self._history[-1].version
        said = [recorded(stored) for stored in self._history if stored.type in OWN]
        self.erased: Recorded | None = next((one for one in said if isinstance(one.data, SubjectErased)), None)
        held = [one for one in said if not isinstance(one.data, SubjectErased)]
        self.hold: Recorded | None = held[-1] if held and isinstance(held[-1].data, HoldPlaced) else None

    def refuse_if_held(self) -> None:
        if self.hold is not None and isinstance(self.hold.data, HoldPlaced):
            one = self.hold
            since = f"since {iso(one.recorded_us)} by {one.actor} (position {one.position:,}): {self.hold.data.reason}"
            raise HeldError(f"{self.relationship} is held {since}; `rledger hold {self.relationship} --release --why ...` ends it")

    def plain(self) -> int:
        """Events that hold personal values in plain text."""
        return sum(_is_plain(stored) for stored in self._history)


def _is_plain(stored: Stored) -> bool:
    if stored.type in UNMARKED or sealing.is_sealed(stored.event):
        return False
    marks: list[Mark] = []

    def note(mark: Mark, _: str, value: bytes) -> bytes:
        marks.append(mark)
        return value

    personal.change(stored.event, stored.type, note)
    return any(mark is not Mark.SECRET for mark in marks)


def _purge(settings: Settings, ledger: Ledger, position: int, notice: Callable[[str], None]) -> bool:
    """Let the views follow up to ``position``, then overwrite what is left in both databases. Returns: whether nothing is left."""
    clean = _scrubbed(ledger.scrub)
    if not Views.exist(views_place(settings)):
        return clean
    deadline_s = time.monotonic() + FOLLOW_S
    with open_reader(settings, notice=notice):
        pass  # what nobody else keeps is current now
    with closing(open_views(settings)) as views:
        while _lowest(views) < position:
            if time.monotonic() > deadline_s:
                raise StoreUnavailableError(
                    f"the key is destroyed, and the views still show what they held: the worker that keeps them is not at position "
                    f"{position:,} after {FOLLOW_S:.0f} s; see `rledger doctor`, then run this again"
                )
            time.sleep(LOOK_S)
        return _scrubbed(views.scrub) and clean


def _scrubbed(scrub: Callable[[], bool]) -> bool:
    """Overwrite what is left, again and again while somebody reads, for ``SCRUB_S``."""
    deadline_s = time.monotonic() + SCRUB_S
    while not (done := scrub()) and time.monotonic() < deadline_s:
        time.sleep(LOOK_S)
    return done


def _lowest(views: Views) -> int:
    found: Sequence[int] = [at.position for at in views.progress().values() if at.status == "live"]
    return min(found, default=0)
