"""What a folder of copied events holds: ``manifest.json``, written last, so that a folder without one is not finished."""

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from ledger.plan import Row
from schemas.errors import LedgerError
from schemas.touchpoint import microseconds

NAME = "manifest.json"
FORMAT = "rledger-copy/1"
LEAF_FORMAT = 1

EventsFormat = Literal["jsonl", "parquet"]


class CopyDamagedError(LedgerError):
    """An export or a backup is not what was written: cut off, altered, or incomplete. Fetch it again, or use another one."""

    code = "copy_damaged"


class _Occurred(msgspec.Struct, gc=False):
    time: datetime


_occurred = msgspec.json.Decoder(_Occurred).decode


def occurred_us(event: bytes) -> int:
    """When a stored event happened, microseconds UTC.

    Raises:
        ValueError: it is no event any more.
    """
    return microseconds(_occurred(event).time)


class Selection(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which events: all that every field given takes. ``since`` to ``until`` is when it happened; ``last`` None: to the end.

    Positions are the order in which events were recorded: whoever wants what is new since the last time asks by ``first``.
    """

    relationships: tuple[str, ...] = ()
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    first: int = 1
    last: int | None = None

    @property
    def by_row(self) -> bool:
        """Whether there is more to look at than a position."""
        return bool(self.relationships or self.kind or self.since or self.until)

    @property
    def whole(self) -> bool:
        """Whether it is the whole log."""
        return not self.by_row and self.first == 1 and self.last is None

    def takes(self, row: Row) -> bool:
        """Whether a row between ``first`` and ``last`` is among them.

        Raises:
            ValueError: it is no event any more.
        """
        if self.relationships and row[1] not in self.relationships:
            return False
        if self.kind and not row[1].startswith(f"{self.kind}/"):
            return False
        if self.since is None and self.until is None:
            return True
        us = occurred_us(row[5])
        return (self.since is None or us >= microseconds(self.since)) and (self.until is None or us <= microseconds(self.until))


class CopiedFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file beside the manifest. ``events``: how many it holds, from position ``first`` on. ``tree``: what a backup goes on from."""

    name: str
    bytes: int
    sha256: str
    events: int = 0
    first: int = 0
    tree: str = ""  # Frontier.encode with its last event, in base64


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Everything to know about a copy before it is read.

    size, root: of the tree of the checkpoint that it rests on; root is base64, as there. ``first_position`` and ``last_position``:
    of the events in it, 0 where it holds none. ``selection`` absent: the whole log, from the first event on. ``events_root``: of all
    events in a backup, which holds what came after the checkpoint, too.
    """

    format: str
    origin: str
    size: int
    root: str
    made_at: datetime
    by: str
    why: str
    events_format: EventsFormat
    leaf_format: int
    events: int
    first_position: int
    last_position: int
    selection: Selection | None = None
    events_root: str | None = None
    files: tuple[CopiedFile, ...]

    @property
    def event_files(self) -> list[CopiedFile]:
        """Those that hold events, in the order of positions."""
        return sorted(self.files_of("events"), key=lambda one: one.first)

    def files_of(self, kind: str) -> list[CopiedFile]:
        """Those whose name begins with ``kind``."""
        return [one for one in self.files if one.name.startswith(kind)]


def encode(manifest: Manifest) -> bytes:
    """The manifest as a file's content, to be read by people too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read(folder: Path) -> Manifest:
    """The manifest in ``folder``.

    Raises:
        CopyDamagedError: there is none, or it is of a later format.
    """
    path = folder / NAME
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise CopyDamagedError(f"{folder} holds no {NAME}: it is no export or backup, or one that was not finished") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CopyDamagedError(f"{path} cannot be read ({error}): it was altered or cut off; fetch it again") from error
    if (found.format, found.leaf_format) != (FORMAT, LEAF_FORMAT):
        raise CopyDamagedError(f"{path} is of format {found.format}, this program knows {FORMAT}: use a newer version")
    names = [one.name for one in found.files]
    if len(set(names)) != len(names) or any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
        raise CopyDamagedError(f"{path} names files twice or outside of {folder}: it was altered")
    return found
