"""Checkpoints of the ledger: signed only for a log that still holds all that was signed before.

Before it signs, the tree is compared with the tiles, which were hashed when the events came, and with the last checkpoint signed here,
which stands beside the key. An altered log is found then, and gets no signature.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from ledger.ledger import Ledger
from ledger.proof.checkpoint import Checkpoint, Opened, Trust
from ledger.proof.errors import UnprovenError, UntrustedError
from ledger.proof.keys import Signer, VerifierKey
from ledger.proof.note import Note
from projections.tiles import Tiles
from service import own
from service.audit.anchor import Anchor, open_anchor
from service.audit.keys import Keys
from service.settings import Settings
from service.stores import keys_path, tiles_path


class Checkpoints:
    """Makes and keeps the checkpoints of ``ledger``."""

    def __init__(self, ledger: Ledger, tiles: Tiles, keys: Keys, anchor: Anchor | None = None) -> None:
        self.ledger, self.tiles, self.keys, self._anchor = ledger, tiles, keys, anchor
        self.origin = ledger.tree().origin

    @classmethod
    def of(cls, settings: Settings, ledger: Ledger) -> Self:
        """As the settings say."""
        keys = Keys(keys_path(settings), ledger, own.actor(settings))
        return cls(ledger, Tiles(tiles_path(settings), ledger), keys, open_anchor(settings))

    def trust(self, witnesses: Sequence[VerifierKey] = (), quorum: int = 0) -> Trust:
        """Whose checkpoints are the ledger's own: those signed by any key it adopted."""
        return Trust(self.origin, tuple(one.vkey for one in self.keys.adopted()), tuple(witnesses), quorum)

    def newest(self) -> Opened | None:
        """The newest checkpoint kept, cosignatures included."""
        kept = self.ledger.checkpoints(newest=1)
        return self.trust().open(kept[0].note) if kept else None

    def rested_on(self) -> Opened:
        """The newest checkpoint, which the tiles reach: what proofs rest on.

        Raises:
            UnprovenError: none is kept.
        """
        newest = self.newest()
        if newest is None:
            raise UnprovenError("the checkpoint just made is gone from the store: see `rledger verify`")
        self.tiles.advance(newest.checkpoint.size)
        return newest

    def make(self, now_us: int, told: Callable[[int], None] = lambda _: None) -> Note:
        """Sign the log as it is now, keep the checkpoint, publish it beside the tiles, and anchor it; the newest again if nothing came.

        Raises:
            UnprovenError: the log is empty, or does not hold what it held before. Nothing was signed.
            KeyMissingError: the key is not here.
        """
        return self._sign([self.keys.signer(now_us)], told)

    def rotate(self, reason: str, now_us: int) -> VerifierKey:
        """Adopt a new key, and sign the checkpoint that holds its adoption with both, so that who knows the old one learns the new one.

        Raises:
            UnprovenError: as in ``make``; the new key is adopted, and signs once the log is right.
        """
        old, new = self.keys.rotate(reason, now_us)
        self._sign([new] if old is None else [old, new])
        if old is not None:
            self.keys.forget(old.key)
        return new.key

    def cosign(self, signatures: bytes, witnesses: Sequence[VerifierKey]) -> Note:
        """Add the signature lines of ``witnesses`` to the newest checkpoint, and keep it so.

        Raises:
            UntrustedError: they are of other keys, or of another checkpoint.
        """
        newest = self.newest()
        if newest is None:
            raise UntrustedError("there is no checkpoint to cosign yet: `rledger checkpoint` makes one")
        old = newest.note
        added = Note.parse(old.encode() + signatures).signed_by(witnesses)
        if missing := set(witnesses) - set(added):
            raise UntrustedError(f"{len(missing)} of the witnesses did not sign this checkpoint, such as {next(iter(missing))}: ask again")
        note = Note(old.text, (*old.signatures, *(one for one in added.values() if one not in old.signatures)))
        self._keep(note, newest.checkpoint.size)
        return note

    def _sign(self, signers: Sequence[Signer], told: Callable[[int], None] = lambda _: None) -> Note:
        tree = self.ledger.tree()
        size, root = tree.frontier.size, tree.root
        newest = self.newest()
        if newest and newest.checkpoint.size == size and newest.checkpoint.root == root:
            if all(any(signature.key_id == signer.key.id for signature in newest.note.signatures) for signer in signers):
                return newest.note
        elif size == 0:
            raise UnprovenError("an empty log has nothing to sign: append something first")
        self.tiles.advance(size, told)
        self._check(size, root)
        note = Note(str(Checkpoint(self.origin, size, root)))
        for signer in signers:
            note = note.signed(signer)
        _replace(self.signed_path, note.encode())
        self._keep(note, size)
        return note

    def _check(self, size: int, root: bytes) -> None:
        """Compare with the tiles, and with what was signed here last."""
        if self.tiles.size >= size and self.tiles.root(size) != root:
            raise UnprovenError(
                f"the tree of the log is not that of the tiles in {self.tiles.folder}, which were made as its events came: events, tree "
                "or tiles were altered; nothing was signed. `rledger verify` says where"
            )
        if (last := self.signed()) is None:
            return
        if last.size > size or self.tiles.root(last.size) != last.root:
            raise UnprovenError(
                f"the log does not continue the checkpoint of {last.size:,} events signed here before ({self.signed_path}): its events "
                "were altered or removed, or it is an older backup; nothing was signed. `rledger verify` says more"
            )

    def signed(self) -> Checkpoint | None:
        """The last checkpoint signed on this machine, which the database knows nothing of."""
        try:
            return self.trust().open(self.signed_path.read_bytes()).checkpoint
        except FileNotFoundError:
            return None

    @property
    def signed_path(self) -> Path:
        """Where the last checkpoint signed here stands, beside the key."""
        return self.keys.folder / f"{self.origin.rpartition('/')[2]}.signed"

    def _keep(self, note: Note, size: int) -> None:
        self.ledger.keep_checkpoint(size, note.encode())
        self.tiles.publish(note.encode())
        if self._anchor is not None:
            self._anchor(note.encode())


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
