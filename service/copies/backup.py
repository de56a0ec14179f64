"""Back a ledger up while it is used: its events, and all that stands beside them as it was at one moment, in files that only grow.

Events never change, so a backup reads them as anybody does, and asks the store for one moment only of the small rest: offsets, dead
letters, checkpoints. Made again in the same folder, it adds what is new. Every file has its name for good: a backup that is
interrupted leaves the one before it whole, and goes on with what it had.
"""

import base64
from pathlib import Path

import msgspec

from ledger.interface import Tree
from ledger.ledger import Ledger
from ledger.plan import Row
from ledger.proof.checkpoint import Opened
from ledger.proof.errors import UnprovenError
from ledger.proof.leaf import encode_line, hash_row
from ledger.proof.merkle import Frontier
from ledger.proof.text import encode_base64
from schemas.catalogue import Exported
from schemas.errors import SettingsError
from schemas.touchpoint import LEDGER_SUBJECT, Stored, moment
from service import own
from service.audit.checkpoints import Checkpoints
from service.copies import manifest as manifests
from service.copies.besides import encode_beside
from service.copies.export import PAGE_EVENTS, resting_on
from service.copies.files import PARTIAL, Growing, write_whole
from service.copies.manifest import FORMAT, LEAF_FORMAT, NAME, CopiedFile, CopyDamagedError, Manifest
from service.copies.reading import Told

SEGMENT_EVENTS = 65_536  # a file of events that will not change any more; some 30 MB
UNFINISHED = "unfinished.json"
BACKUP = "backup"  # as recorded


class _Unfinished(msgspec.Struct):
    """What an interrupted backup had finished."""

    origin: str
    files: list[CopiedFile]


def back_up(checkpoints: Checkpoints, folder: Path, *, why: str, by: str, now_us: int, with_keys: bool, told: Told) -> Manifest:
    """Make or continue the backup in ``folder``.

    Args:
        checkpoints: of the ledger.
        folder: a new one, or that of an earlier backup of this ledger.
        why: as recorded.
        by: whoever does it.
        now_us: when, microseconds UTC.
        with_keys: take the private keys that sign as well.
        told: how far it is.

    Raises:
        SettingsError: the folder holds something else.
        UnprovenError: the ledger does not continue what was backed up before, or does not hold what was signed. The backup stays as it was.
    """
    ledger, origin = checkpoints.ledger, checkpoints.origin
    kept = _kept(folder, origin)
    opened = resting_on(checkpoints, now_us)
    tree, besides = _besides(ledger, folder)
    files = [*kept, *_events(ledger, folder, tree, kept, told)]
    files += [besides, write_whole(folder / f"checkpoint-{tree.frontier.size:012}", opened.note.encode())]
    files += _keys(checkpoints, folder) if with_keys else []
    made = _manifest(tree, opened, files, why=why, by=by, now_us=now_us)
    taken = Exported(BACKUP, made.events, 1, made.events, why, made.size, None, str(folder.absolute()))
    own.record(ledger, LEDGER_SUBJECT, taken, by=by, at_us=now_us)
    write_whole(folder / NAME, manifests.encode(made))
    _tidy(folder, made)
    return made


def _kept(folder: Path, origin: str) -> list[CopiedFile]:
    """The full files of events that an earlier or interrupted backup left here."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be the folder ({error.strerror}): name another one") from error
    found: list[list[CopiedFile]] = [[]]
    if (folder / NAME).exists():
        manifest = manifests.read(folder)
        if manifest.origin != origin or not manifest.files_of("besides"):
            raise SettingsError(f"{folder} holds a copy of {manifest.origin}, not a backup of {origin}: name another folder")
        found.append(manifest.event_files)
    if (folder / UNFINISHED).exists():
        unfinished = msgspec.json.decode((folder / UNFINISHED).read_bytes(), type=_Unfinished)
        if unfinished.origin != origin:
            raise SettingsError(f"{folder} holds the beginning of a backup of {unfinished.origin}: name another folder")
        found.append(unfinished.files)
    if len(found) == 1 and any(not one.name.endswith(PARTIAL) for one in folder.iterdir()):
        raise SettingsError(f"{folder} holds something else: name a new folder, or that of an earlier backup")
    full = max(([one for one in files if one.events == SEGMENT_EVENTS] for files in found), key=len)
    for one in full:
        if not (path := folder / one.name).exists() or path.stat().st_size != one.bytes:
            raise CopyDamagedError(f"{path} is missing or has another length than when it was written: start a new backup elsewhere")
    return full


def _besides(ledger: Ledger, folder: Path) -> tuple[Tree, CopiedFile]:
    """Offsets, dead letters and all else of one moment, and the tree of that moment."""
    file = Growing(folder / "besides.jsonl")
    try:
        tree = ledger.recorder.besides(lambda one: file.write(encode_beside(one)))
        file.path = folder / f"besides-{tree.frontier.size:012}.jsonl"
        return tree, file.finish()
    finally:
        file.drop()


def _events(ledger: Ledger, folder: Path, whole: Tree, before: list[CopiedFile], told: Told) -> list[CopiedFile]:
    """Write the events behind those in ``before`` up to ``whole``, a file for each ``SEGMENT_EVENTS``."""
    files: list[CopiedFile] = []
    tree = Frontier.decode(base64.b64decode(before[-1].tree)) if before else Frontier()
    end = whole.frontier.size
    while tree.size < end:
        first, last = tree.size + 1, min(tree.size // SEGMENT_EVENTS * SEGMENT_EVENTS + SEGMENT_EVENTS, end)
        file = Growing(folder / f"events-{first:012}-{last:012}.jsonl")
        try:
            while tree.size < last:
                rows = _rows(ledger, tree.size, last)
                file.write(b"".join([encode_line(Stored(*row[:-1])) for row in rows]))
                tree = tree.extended(hash_row(*row[:-1]) for row in rows)
                told(tree.size, end)
            file.first, file.events = first, last - first + 1
            files.append(msgspec.structs.replace(file.finish(), tree=encode_base64(tree.encode())))
        finally:
            file.drop()
        write_whole(folder / UNFINISHED, msgspec.json.encode(_Unfinished(whole.origin, [*before, *files])))
    if tree != whole.frontier:
        raise UnprovenError(
            f"the ledger does not continue what was backed up in {folder}, {len(before) * SEGMENT_EVENTS:,} events "
            "of it: the ledger or the backup was altered. Keep both, `rledger verify` says more about the ledger"
        )
    return files


def _rows(ledger: Ledger, after: int, last: int) -> list[Row]:
    rows = ledger.recorder.rows(after, min(PAGE_EVENTS, last - after))
    if not rows or rows[-1][0] != after + len(rows):
        raise UnprovenError(f"position {after + 1:,} or one soon after is missing from the log: `rledger verify` says which")
    return rows


def _keys(checkpoints: Checkpoints, folder: Path) -> list[CopiedFile]:
    """The private keys of this ledger that are here."""
    keys = checkpoints.keys
    here = [keys.path(one.vkey) for one in keys.adopted() if keys.is_here(one.vkey)]
    if here:
        (folder / "keys").mkdir(exist_ok=True, mode=0o700)
    return [msgspec.structs.replace(write_whole(folder / "keys" / one.name, one.read_bytes()), name=f"keys/{one.name}") for one in here]


def _manifest(tree: Tree, opened: Opened, files: list[CopiedFile], *, why: str, by: str, now_us: int) -> Manifest:
    events = tree.frontier.size
    return Manifest(
        format=FORMAT,
        origin=tree.origin,
        size=opened.checkpoint.size,
        root=encode_base64(opened.checkpoint.root),
        made_at=moment(now_us),
        by=by,
        why=why,
        events_format="jsonl",
        leaf_format=LEAF_FORMAT,
        events=events,
        first_position=1,
        last_position=events,
        events_root=encode_base64(tree.root),
        files=tuple(files),
    )


def _tidy(folder: Path, made: Manifest) -> None:
    """Remove what a manifest before this one named."""
    named = {NAME, *(one.name for one in made.files)}
    for path in (*folder.iterdir(), *(folder / "keys").glob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() not in named:
            path.unlink()
