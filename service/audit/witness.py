"""A small witness: it cosigns a log's checkpoint only if it continues the one it cosigned before. What it saw is one file, its own.

It runs wherever the ledger's keeper cannot change that file. Any C2SP witness does as well: both take the same proof and answer alike.

Sources: c2sp.org/tlog-witness, c2sp.org/tlog-cosignature.
"""

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from ledger.proof.bundle import Consistency
from ledger.proof.checkpoint import Checkpoint, Trust
from ledger.proof.errors import MalformedError, UnprovenError, UntrustedError
from ledger.proof.keys import WITNESS, Signer, VerifierKey
from ledger.proof.note import Note
from schemas.errors import SettingsError
from service.audit.keys import SEED_BYTES, KeyMissingError


class _Log(msgspec.Struct):
    """A log it knows: the keys that may sign for it, and the newest checkpoint it cosigned (size 0: none yet)."""

    vkeys: list[str]
    size: int = 0
    root: bytes = b""


class _State(msgspec.Struct):
    key: str
    logs: dict[str, _Log] = {}


class Witness:
    """The witness whose key and memory stand in the file at ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def create(cls, path: Path, name: str) -> Self:
        """Make a witness that knows no log yet; ``name`` is what it signs by, such as ``witness.example/audit``.

        Raises:
            SettingsError: there is a file already.
            MalformedError: the name is not allowed.
        """
        signer = Signer(name, secrets.token_bytes(SEED_BYTES), WITNESS)
        try:
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            raise SettingsError(f"{path} exists: a witness keeps its key and memory for ever; name another file") from None
        with os.fdopen(file, "wb") as out:
            out.write(msgspec.json.encode(_State(signer.reveal())))
        return cls(path)

    def vkey(self) -> VerifierKey:
        """Its verifier key, for whoever wants to rely on it."""
        return Signer.parse(self._read().key).key

    def trust(self, vkey: VerifierKey) -> None:
        """Know a log by its key, or another key of a log known."""
        with self._changing() as state:
            log = state.logs.setdefault(vkey.name, _Log([]))
            if str(vkey) not in log.vkeys:
                log.vkeys.append(str(vkey))

    def cosign(self, proof: bytes, now_s: int) -> str:
        """Check that a log only grew, remember its new checkpoint, and return the signature line; ``proof`` is ``prove --from``'s.

        Raises:
            MalformedError: it is no proof.
            UntrustedError: it is of a log not known here, or not signed by its key.
            UnprovenError: the log does not continue what was cosigned before. This is what witnesses are for: tell everybody.
        """
        bundle = Consistency.parse(proof)
        origin = Checkpoint.parse(Note.parse(bundle.checkpoint).text).origin
        with self._changing() as state:
            if (log := state.logs.get(origin)) is None:
                raise UntrustedError(f"this witness does not know the log {origin!r}: `rledger witness trust` tells it the key")
            trust = Trust(origin, tuple(map(VerifierKey.parse, log.vkeys)))
            opened = trust.open(bundle.checkpoint)
            if log.size != bundle.old_size:
                raise UnprovenError(
                    f"the proof is from size {bundle.old_size}, not {log.size}, which this witness saw: `prove --from {log.size}`"
                )
            if log.size:
                bundle.verify(Checkpoint(origin, log.size, log.root), trust)
            elif bundle.proof:
                raise MalformedError("a proof from size 0 has no hashes: make it with `prove --from 0`")
            log.size, log.root = opened.checkpoint.size, opened.checkpoint.root
            signer = Signer.parse(state.key)
            signed = opened.note.signed(signer, now_s)
        return str(signed.signatures[-1])

    def seen(self) -> dict[str, int]:
        """The size of each log it knows, as it last cosigned it."""
        return {origin: log.size for origin, log in self._read().logs.items()}

    def _read(self) -> _State:
        if stat.S_IMODE(self._path.stat().st_mode) & 0o077:
            raise KeyMissingError(f"others can read {self._path}, so its signatures prove nothing: make another witness")
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_State)
        except msgspec.DecodeError as error:
            raise MalformedError(f"{self._path} is no witness's file ({error}): restore it from its backup") from error

    @contextlib.contextmanager
    def _changing(self) -> Iterator[_State]:
        """Its memory, written before anything signed by it leaves; one process at a time."""
        with self._path.with_name(f"{self._path.name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self._read()
            yield state
            new = self._path.with_name(f"{self._path.name}.new")
            with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
                file.write(msgspec.json.encode(state))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
