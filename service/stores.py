"""Where the settings say the ledger and its views are."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from ledger.ledger import Ledger
from schemas.errors import StoreOlderError
from service.clock import now_us
from service.settings import Settings


def open_ledger(settings: Settings, *, read_only: bool = False) -> Ledger:
    """The ledger the settings name; as in ``Ledger.open``, and one that an older version wrote is brought up to date first."""
    try:
        return Ledger.open(settings.store, clock=now_us, read_only=read_only)
    except StoreOlderError:
        Ledger.open(settings.store, clock=now_us).close()
        return Ledger.open(settings.store, clock=now_us, read_only=read_only)


def views_path(settings: Settings) -> Path:
    """Where the views stand: ``views.db`` beside a SQLite ledger, else in the data folder."""
    return _beside(settings) / "views.db"


def tiles_path(settings: Settings) -> Path:
    """The folder of the tree's tiles, beside the views."""
    return _beside(settings) / "tiles"


def keys_path(settings: Settings) -> Path:
    """The folder of private keys, in the data folder of whoever signs."""
    return settings.data / "keys"


def _beside(settings: Settings) -> Path:
    store = urlsplit(settings.store)
    return Path(unquote(store.path[1:])).parent if store.scheme == "sqlite" else settings.data
