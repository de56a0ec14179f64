"""What was signed after a copy was made: whoever restores it must know what is lost, and the ledger must say so for ever.

A ledger that goes on behind an older backup has other events where the lost ones were. No checkpoint of those can be continued, so
none is left beside the key; they stay where they were anchored, and the ledger's own event says why they do not fit.
"""

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ledger.ledger import Ledger
from ledger.proof.checkpoint import Checkpoint
from ledger.proof.errors import MalformedError
from ledger.proof.note import Note
from schemas.catalogue import Restored
from schemas.errors import LedgerError
from schemas.touchpoint import LEDGER_SUBJECT
from service import own
from service.audit.anchor import KAFKA, anchored
from service.copies.reading import Verified
from service.settings import Settings
from service.stores import keys_path, tiles_path, views_place


class CopyBehindError(LedgerError):
    """A copy is older than what was signed of its log, or of another one. Look for a newer copy; to lose events is a decision."""

    code = "copy_behind"


class Known(msgspec.Struct, frozen=True):
    """A checkpoint of the log that is known here; ``where`` it was kept."""

    where: str
    checkpoint: Checkpoint


def known_checkpoints(settings: Settings, origin: str, given: Sequence[Path]) -> list[Known]:
    """All of the log ``origin``, smallest first: beside the key and the tiles, anchored, and in the files ``given``.

    Raises:
        MalformedError: a file that was given holds none.
    """
    beside = [signed_path(settings, origin), tiles_path(settings) / "checkpoint"]
    if settings.anchor and not settings.anchor.startswith(KAFKA):
        beside.append(Path(settings.anchor))
    found: list[Known] = []
    for path in (*(one for one in beside if one.exists()), *given):
        for raw in anchored(path):
            try:
                checkpoint = Checkpoint.parse(Note.parse(raw).text)
            except MalformedError as error:
                raise MalformedError(f"{path}: {error}") from error
            if checkpoint.origin == origin:
                found.append(Known(str(path), checkpoint))
    return sorted(found, key=lambda one: one.checkpoint.size)


def check(known: Sequence[Known], verified: Verified, *, accept_loss: bool) -> Known | None:
    """Hold a copy against what was signed. Returns: the newest checkpoint that it does not reach; None: it reaches all.

    Raises:
        CopyBehindError: it does not reach one, and that is not accepted; or it is not what was signed then.
    """
    size = verified.tree.size
    for one in known:
        if one.checkpoint.size in verified.roots and verified.roots[one.checkpoint.size] != one.checkpoint.root:
            raise CopyBehindError(
                f"the copy is not of the log that {one.where} was signed for: up to {one.checkpoint.size:,} events they differ; keep both"
            )
    if not known or known[-1].checkpoint.size <= size:
        return None
    newest = known[-1]
    if not accept_loss:
        missing = newest.checkpoint.size - size
        raise CopyBehindError(
            f"the copy ends with {size:,} events, and {newest.where} was signed at {newest.checkpoint.size:,}: {missing:,} events would be "
            "lost, unless their source delivers them again. Look for a newer copy, or say --accept-loss TEXT, which is recorded; "
            "nothing was written"
        )
    return newest


def lose(settings: Settings, ledger: Ledger, lost: Known, why: str, *, by: str, now_us: int) -> int:
    """Record that the ledger does not continue ``lost``, and make room for signing again. Returns: where it is recorded."""
    size = ledger.head().position
    path = signed_path(settings, lost.checkpoint.origin)
    if path.exists():
        path.replace(path.with_name(f"{path.name}.lost-{lost.checkpoint.size}"))
    shutil.rmtree(tiles_path(settings), ignore_errors=True)  # of events that are lost
    data = Restored(size, lost.checkpoint.size, str(lost.checkpoint), why)
    return own.record(ledger, LEDGER_SUBJECT, data, by=by, at_us=now_us).position


def make_room(settings: Settings, size: int) -> None:
    """Remove tiles and views that were made of more events than the ledger has now; both are made anew."""
    with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
        if msgspec.json.decode((tiles_path(settings) / "kept.json").read_bytes())["size"] > size:
            shutil.rmtree(tiles_path(settings))
    if isinstance(views := views_place(settings), Path):
        for suffix in ("", "-wal", "-shm"):
            views.with_name(views.name + suffix).unlink(missing_ok=True)


def signed_path(settings: Settings, origin: str) -> Path:
    """Where the last checkpoint signed on this machine stands."""
    return keys_path(settings) / f"{origin.rpartition('/')[2]}.signed"
