"""The checkpoints seen so far, wherever they were kept: in the store, beside the key, beside the tiles, anchored, and at hand."""

import itertools
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from ledger.proof.checkpoint import Checkpoint, Trust
from ledger.proof.errors import MalformedError, UntrustedError
from ledger.proof.note import Note
from ledger.scan import Wrong
from schemas.errors import LedgerError, NotFoundError
from service.audit.anchor import KAFKA, anchored
from service.audit.checkpoints import Checkpoints
from service.settings import Settings
from service.stores import open_ledger


class SeenCheckpoint(msgspec.Struct, frozen=True):
    """One of them; ``where`` it was kept, for people."""

    where: str
    size: int
    root: bytes


class Seen(msgspec.Struct):
    """All that could be read, and what is wrong with those that could not, or that are not this ledger's."""

    checkpoints: list[SeenCheckpoint] = []
    problems: list[Wrong] = []

    def tell(self, what: str, means: str) -> None:
        """Note what is wrong."""
        self.problems.append(Wrong(None, what, means))

    def add(self, where: str, raw: bytes, trust: Trust | None, others: Collection[str] = ()) -> Checkpoint | None:
        """Add the signed note ``raw``. One whose signature does not hold is a problem, and counts all the same: its root may tell more.

        ``others``: origins of other ledgers, each of which is verified by itself; their checkpoints are passed over.
        """
        try:
            checkpoint = Checkpoint.parse(Note.parse(raw).text)
        except MalformedError as error:
            self.tell(f"{where} is no checkpoint any more: {error}", "it was altered")
            return None
        if checkpoint.origin in others:
            return None
        try:
            if trust is None:
                raise UntrustedError("the log holds no signing key")
            trust.open(raw)
        except LedgerError as error:
            self.tell(f"{where} is not signed by this ledger: {error}", "it was altered, or the log's keys were")
        self.checkpoints.append(SeenCheckpoint(where, checkpoint.size, checkpoint.root))
        return checkpoint


def seen_checkpoints(settings: Settings, checkpoints: Checkpoints, given: Sequence[Path]) -> Seen:
    """All of them.

    Raises:
        NotFoundError: a file of ``given`` is not there.
    """
    seen = Seen()
    trust = _trust(checkpoints, seen)
    notes = _in_store(checkpoints, seen, trust)
    for where, path in (
        ("the checkpoint beside the tiles", checkpoints.tiles.folder / "checkpoint"),
        ("the checkpoint beside the key", checkpoints.signed_path),
    ):
        if path.exists():
            seen.add(where, raw := path.read_bytes(), trust)
            if raw not in notes:
                seen.tell(f"{where} ({path}) is not in the store", "it was removed from there, or put here")
    anchor = settings.anchor
    anchors = [Path(anchor)] if anchor and not anchor.startswith(KAFKA) and Path(anchor).exists() else []
    if outside := (*anchors, *given):
        others = _others(settings)
        for path in outside:
            _in_file(path, seen, trust, others)
    return seen


def _in_store(checkpoints: Checkpoints, seen: Seen, trust: Trust | None) -> set[bytes]:
    kept = checkpoints.ledger.checkpoints()
    for one in kept:
        where = f"checkpoint {one.number} in the store"
        found = seen.add(where, one.note, trust)
        if found is not None and found.size != one.size:
            seen.tell(f"{where} says {found.size:,} events, its row {one.size:,}", "one of both was altered")
    for place, (newer, older) in enumerate(itertools.pairwise(kept)):
        if newer.kept_us < older.kept_us:
            seen.tell(f"checkpoint {len(kept) - place} in the store was kept before the one in front of it", "one of both was altered")
    if [one.number for one in kept] != list(range(len(kept), 0, -1)):
        seen.tell(f"the {len(kept)} checkpoints in the store are not numbered 1, 2, 3 ...", "some were removed, or put there")
    return {one.note for one in kept}


def _others(settings: Settings) -> frozenset[str]:
    """The origins of the ledgers beside this one: what is kept outside may hold checkpoints of all of them."""
    found = set()
    for one in msgspec.structs.replace(settings, ledger=None).each:
        if one.store != settings.store:
            with suppress(LedgerError), open_ledger(one, read_only=True) as ledger:
                found.add(ledger.tree().origin)
    return frozenset(found)


def _in_file(path: Path, seen: Seen, trust: Trust | None, others: Collection[str]) -> None:
    try:
        notes = anchored(path)
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {path}") from None
    except MalformedError as error:
        seen.tell(str(error), "it was altered")
        return
    for number, raw in enumerate(notes, 1):
        seen.add(f"{path}" if len(notes) == 1 else f"checkpoint {number} in {path}", raw, trust, others)


def _trust(checkpoints: Checkpoints, seen: Seen) -> Trust | None:
    """The keys in the log; None where they cannot be read or there are none."""
    try:
        trust = checkpoints.trust()
    except (LedgerError, ValueError) as error:
        seen.tell(f"the signing keys in the log cannot be read: {error}", "events of the ledger itself were altered")
        return None
    return trust if trust.keys else None
