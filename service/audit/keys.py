"""The ledger's signing keys: which are its own stands in the log, by whom and why; the private one is a file readable by its owner alone.

A key is adopted by an event before anything is signed with it, so the list of keys is as provable as everything else. One signs at a
time; an earlier one's file is removed when it is replaced.
"""

import os
import secrets
import stat
from pathlib import Path

import msgspec

from ledger.ledger import Ledger
from ledger.proof.keys import Signer, VerifierKey
from schemas.catalogue import SigningKeyAdopted
from schemas.errors import LedgerError
from schemas.records import recorded
from schemas.touchpoint import LEDGER_SUBJECT
from service import own

SEED_BYTES = 32
FIRST = "the first checkpoint"
_TYPE = own.TYPES[SigningKeyAdopted]


class KeyMissingError(LedgerError):
    """The private key that signs is not on this machine, or not safe there. Run it where the key is, or rotate."""

    code = "key_missing"


class Adopted(msgspec.Struct, frozen=True):
    """A key of the ledger's. ``replaced_us`` None: it is the one that signs."""

    vkey: VerifierKey
    position: int
    recorded_us: int
    actor: str | None
    reason: str | None
    replaced_us: int | None = None


class Keys:
    """The keys of ``ledger``, whose private parts stand in ``folder``. ``by`` is who adopts keys here."""

    def __init__(self, folder: Path, ledger: Ledger, by: str) -> None:
        self.folder, self._ledger, self._by = folder, ledger, by

    def adopted(self) -> list[Adopted]:
        """Every key the ledger ever had, oldest first."""
        found: list[Adopted] = []
        for event in (recorded(stored) for stored in self._ledger.history(LEDGER_SUBJECT) if stored.type == _TYPE):
            if isinstance(event.data, SigningKeyAdopted):
                if found:
                    found[-1] = msgspec.structs.replace(found[-1], replaced_us=event.recorded_us)
                vkey = VerifierKey.parse(event.data.vkey)
                found.append(Adopted(vkey, event.position, event.recorded_us, event.actor, event.data.reason))
        return found

    def signer(self, now_us: int) -> Signer:
        """The key that signs; the first one is made here.

        Raises:
            KeyMissingError: its file is not here, or others can read it.
            MalformedError: its file holds something else.
        """
        adopted = self.adopted()
        return self._read(adopted[-1].vkey) if adopted else self._adopt(None, FIRST, now_us)

    def rotate(self, reason: str, now_us: int) -> tuple[Signer | None, Signer]:
        """Adopt a new key. Returns: the old key where its file is here, which should sign once more, together with the new one.

        ``forget`` removes the old one's file afterwards.
        """
        adopted = self.adopted()
        old = adopted[-1].vkey if adopted else None
        before = self._read(old) if old is not None and self.is_here(old) else None
        return before, self._adopt(old, reason, now_us)

    def is_here(self, vkey: VerifierKey) -> bool:
        """Whether the private part of ``vkey`` is a file here."""
        return self.path(vkey).exists()

    def forget(self, vkey: VerifierKey) -> None:
        """Remove the private part of a key that signs no more."""
        self.path(vkey).unlink(missing_ok=True)

    def _adopt(self, old: VerifierKey | None, reason: str, now_us: int) -> Signer:
        signer = Signer(self._ledger.tree().origin, secrets.token_bytes(SEED_BYTES))
        path = self.path(signer.key)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(signer.reveal() + "\n")
            file.flush()
            os.fsync(file.fileno())
        # One identity for whoever adopts the next key: of two at the same moment, the second is refused and signs nothing.
        data = SigningKeyAdopted(str(signer.key), replaces=None if old is None else str(old), reason=reason)
        try:
            own.record(self._ledger, LEDGER_SUBJECT, data, by=self._by, at_us=now_us, id_=f"signing-key-after/{old and old.id.hex()}")
        except LedgerError:
            self.forget(signer.key)
            raise
        return signer

    def _read(self, vkey: VerifierKey) -> Signer:
        path = self.path(vkey)
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise KeyMissingError(f"others can read {path}, so its signatures prove nothing: chmod 600, then `rledger keys rotate`")
            signer = Signer.parse(path.read_text().strip())
        except FileNotFoundError:
            raise KeyMissingError(
                f"the key that signs checkpoints, {vkey}, is not at {path}: run this where it is, bring the file here, "
                "or adopt another one with `rledger keys rotate`"
            ) from None
        if signer.key != vkey:
            raise KeyMissingError(f"{path} holds another key, {signer.key}: restore the file from its backup")
        return signer

    def path(self, vkey: VerifierKey) -> Path:
        """The file of its private part."""
        return self.folder / f"{vkey.id.hex()}.key"
