"""Where the settings say the ledger and its views are."""

import gc
import os
import platform
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ledger.ledger import Ledger
from projections.views import Views
from schemas.errors import StoreOlderError
from service.clock import now_us
from service.masters import vault_of
from service.settings import Settings

CYCLES_AFTER = 50_000  # containers made before the newest are searched for cycles, by default 700: there are hardly any


def open_ledger(settings: Settings, *, read_only: bool = False) -> Ledger:
    """The ledger the settings name; as in ``Ledger.open``, and one that an older version wrote is brought up to date first."""
    vault = vault_of(settings)
    if not read_only:
        _collect_rarely()
    try:
        return Ledger.open(settings.store, clock=now_us, vault=vault, read_only=read_only)
    except StoreOlderError:
        Ledger.open(settings.store, clock=now_us).close()
        return Ledger.open(settings.store, clock=now_us, vault=vault, read_only=read_only)


def _collect_rarely() -> None:
    """Let this process look for garbage in cycles more rarely, and never in what it has by now, the program itself.

    To go through that takes 50 ms, for which every thread waits. States are lists and dicts by the ten thousand, none part of a cycle.
    """
    if not gc.get_freeze_count():
        gc.freeze()
        gc.set_threshold(CYCLES_AFTER, *gc.get_threshold()[1:])


def views_place(settings: Settings) -> Path | str:
    """Where the views stand: in ``views.db`` beside a SQLite ledger, else in the schema ``views`` of the ledger's own database."""
    return _beside(settings) / "views.db" if urlsplit(settings.store).scheme == "sqlite" else settings.store


def open_views(settings: Settings) -> Views:
    """The views of that ledger, made where there are none."""
    _collect_rarely()
    place = views_place(settings)
    if isinstance(place, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
    return Views.open(place, who=f"{platform.node()}/{os.getpid()}")


def holding(settings: Settings, relationship: str) -> Settings:
    """The settings of the ledger that has a relationship; of the first where none has it.

    Raises:
        SettingsError: a ledger is not there.
    """
    for one in settings.each[1:]:
        with open_ledger(one, read_only=True) as ledger:
            if ledger.history_sealed(relationship, limit=1):
                return one
    return settings.each[0]


def tiles_path(settings: Settings) -> Path:
    """The folder of the tree's tiles: beside a SQLite ledger, else in the data folder."""
    return _beside(settings) / "tiles"


def keys_path(settings: Settings) -> Path:
    """The folder of private keys, in the data folder of whoever signs."""
    return settings.data / "keys"


def _beside(settings: Settings) -> Path:
    """The folder of what belongs to a ledger; one of several has a folder of its own in it."""
    store = urlsplit(settings.store)
    folder = Path(unquote(store.path[1:])).parent if store.scheme == "sqlite" else settings.data
    return folder / f"ledger-{settings.ledger}" if len(settings.stores) > 1 else folder
