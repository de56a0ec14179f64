"""Every error told to the world: one root, one class per reaction, a permanent code each.

``ValueError`` is for our own bugs; a ``LedgerError`` is for the world. Its message says what happened, where, and what to do.
"""

from typing import ClassVar, Literal

RefusalCode = Literal[
    "unreadable",
    "not_json",
    "too_large",
    "too_deep",
    "bad_envelope",
    "bad_subject",
    "bad_data",
    "time_ahead",
    "reserved_type",
    "id_reused",
]
REFUSALS: dict[RefusalCode, str] = {
    "unreadable": "Kafka could not hand over the record: a header key that is no text, a codec, a checksum. Look at its producer.",
    "not_json": "The value is not UTF-8 JSON.",
    "too_large": "It has more than 256 KiB. Send a reference to what is large instead.",
    "too_deep": "It is nested over 32 levels.",
    "bad_envelope": "An attribute of CloudEvents is missing or wrong.",
    "bad_subject": "The subject is not `customer/<key>` or `partner/<key>`.",
    "bad_data": "The type is known, and its data does not fit the catalogue.",
    "time_ahead": "It happened more than five minutes from now. Set the clock of whoever sends it.",
    "reserved_type": "Types `ledger.*` are written by the ledger alone.",
    "id_reused": "An earlier touchpoint has this source and id, and other content. Give a new one a new id; correct an old one.",
}
"""What each means, in the order they are checked."""
REFUSAL_CODES: tuple[str, ...] = tuple(REFUSALS)


class LedgerError(Exception):
    """Root of all errors told to the world. ``code`` is permanent: HTTP body, log field, dead letter and docs use it."""

    code: ClassVar[str] = "ledger_error"


class RefusedError(LedgerError):
    """A touchpoint that cannot be appended. Keep it as a dead letter; correct and replay it."""

    def __init__(self, code: RefusalCode, reason: str) -> None:
        self.code = code  # type: ignore[misc]  # per instance: one reaction, many reasons
        self.reason = reason
        super().__init__(reason)


class OvertakenError(LedgerError):
    """Another consumer owns the partition. Drop the batch, read the stored offset, seek, and poll again."""

    code = "overtaken"

    def __init__(self, stream: str, expected: int | None, stored: int | None) -> None:
        self.stream, self.expected, self.stored = stream, expected, stored
        super().__init__(f"{stream} is at offset {stored}, not {expected}: another consumer took over; seek there and poll again")


class StoreNewerError(LedgerError):
    """The store was written by a newer version. Upgrade this program; do not touch the store."""

    code = "store_newer"

    def __init__(self, store: str, found: int, known: int) -> None:
        self.store, self.found, self.known = store, found, known
        super().__init__(f"{store} has schema version {found}, this program knows {known}: upgrade relationship-ledger")


class ChangedError(LedgerError):
    """A relationship has other events than those that were looked at. Nothing was written: look again."""

    code = "changed"

    def __init__(self, relationship: str, version: int) -> None:
        super().__init__(f"{relationship} is no longer at version {version}: look again, then try again")


class StoreOlderError(LedgerError):
    """The store was written by an older version, and must be opened for writing once to bring it up to date."""

    code = "store_older"

    def __init__(self, store: str) -> None:
        super().__init__(f"{store} was written by an older version: open it once with what may write, such as `rledger project --once`")


class StoreNewerCopyError(LedgerError):
    """A backup was written by a newer version, with more than this one knows. Upgrade this program, then restore it."""

    code = "copy_newer"

    def __init__(self, table: str) -> None:
        super().__init__(f"the backup holds {table} as a newer version of this program writes them: upgrade, then restore it")


class NotEmptyError(LedgerError):
    """A copy can only become a ledger where there is none, or go on where the same copy was interrupted. Name another store."""

    code = "not_empty"

    def __init__(self, events: int) -> None:
        super().__init__(f"the ledger holds {events:,} events that are not of this copy: name an empty store; nothing more was written")


class StoreUnavailableError(LedgerError):
    """The store cannot be written or reached now (locked, full, down). Nothing was appended; try again."""

    code = "store_unavailable"


class StoreBusyError(StoreUnavailableError):
    """Two writers were in each other's way, and the database undid what this one had begun. Nothing was written; begin again at once."""

    code = "store_busy"


class LeaseLostError(LedgerError):
    """Another worker keeps these relationships' views now. Nothing was written; take part anew."""

    code = "lease_lost"


class ImmutableError(LedgerError):
    """Somebody tried to change or delete history. Append a correction instead."""

    code = "immutable"


class AlteredError(LedgerError, ValueError):
    """What stands in the store is not what was written there. ``rledger verify`` finds all of it; restore a backup from before."""

    code = "altered"


class NotFoundError(LedgerError):
    """No such relationship, dead letter or file. Check the name; ``rledger list`` shows the relationships."""

    code = "not_found"


class SettingsError(LedgerError):
    """A setting, option or policy is wrong. The message names it and says what is expected."""

    code = "bad_settings"
