"""Which backups were made, as the ledger itself remembers: they hold wrapped keys, so an erasure reaches them only by a newer backup.

Exports hold no keys: what was encrypted in them is erased with the key.
"""

import msgspec

from ledger.ledger import Ledger
from schemas.catalogue import Exported
from schemas.records import recorded
from schemas.touchpoint import LEDGER_SUBJECT
from service import own
from service.copies.backup import BACKUP

_TYPE = own.TYPES[Exported]


class Remembered(msgspec.Struct, frozen=True):
    """The newest backup in a folder, as the machine that made it names that; who made it, and where that is recorded."""

    folder: str
    position: int
    recorded_us: int
    actor: str | None


def backups_before(ledger: Ledger, position: int) -> list[Remembered]:
    """The folders whose newest backup was made before ``position``, oldest first."""
    newest: dict[str, Remembered] = {}
    for event in (recorded(stored) for stored in ledger.history(LEDGER_SUBJECT) if stored.type == _TYPE):
        if isinstance(event.data, Exported) and event.data.format == BACKUP and event.data.folder:
            newest.pop(event.data.folder, None)
            newest[event.data.folder] = Remembered(event.data.folder, event.position, event.recorded_us, event.actor)
    return [one for one in newest.values() if one.position < position]
