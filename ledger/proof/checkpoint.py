"""Checkpoints: size and root of a log, signed by it and cosigned by witnesses that saw it only grow.

Sources: c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature.
"""

import re
from typing import Self

import msgspec

from ledger.proof.errors import MalformedError, UntrustedError
from ledger.proof.keys import LOG, WITNESS, Signer, VerifierKey, cosigned_at
from ledger.proof.merkle import EMPTY_ROOT
from ledger.proof.note import Note
from ledger.proof.text import decode_hash, decode_number, encode_base64
from schemas.errors import SettingsError

_has_control = re.compile(r"[\x00-\x1f]").search


class Checkpoint(msgspec.Struct, frozen=True):
    """A log at one size. ``origin`` names the log for ever. ``extensions`` are lines nobody checks; leave them out.

    Raises:
        MalformedError: a line is empty or has control characters, or the empty tree has another root than the hash of nothing.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(not line or _has_control(line) for line in (self.origin, *self.extensions)):
            raise MalformedError("the lines of a checkpoint are not empty and have no control characters")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise MalformedError("a checkpoint of size 0 has the root of no tree: SHA-256 of nothing is the root of the empty one")

    def __str__(self) -> str:
        """The text of its note."""
        return "\n".join((self.origin, str(self.size), encode_base64(self.root), *self.extensions, ""))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a note.

        Raises:
            MalformedError: it is no checkpoint.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop():  # noqa: PLR2004
            raise MalformedError(f"not a checkpoint, at least the three lines origin, size and root: {text[:80]!r}")
        origin, size, root, *extensions = lines
        return cls(
            origin, decode_number(size, "the size of a checkpoint"), decode_hash(root, "the root of a checkpoint"), tuple(extensions)
        )

    def signed(self, signer: Signer) -> Note:
        """The checkpoint as a note, signed by the log. A log must never sign two that do not continue each other."""
        return Note(str(self)).signed(signer)


class Opened(msgspec.Struct, frozen=True):
    """A checkpoint that may be believed, as it came, and when each witness saw it (seconds since 1970 UTC)."""

    checkpoint: Checkpoint
    note: Note
    cosigned_s: dict[VerifierKey, int]


class Trust(msgspec.Struct, frozen=True):
    """Whose checkpoints to believe: those of ``origin`` signed by one of ``keys`` and cosigned by ``quorum`` of ``witnesses``.

    Raises:
        SettingsError: a key is of the wrong kind, or there are fewer witnesses than the quorum.
    """

    origin: str
    keys: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0

    def __post_init__(self) -> None:
        for keys, kind, whose in (self.keys, LOG, "a log's"), (self.witnesses, WITNESS, "a witness's"):
            if wrong := [str(key) for key in keys if key.kind != kind]:
                raise SettingsError(f"{wrong[0]} is not {whose} key, whose type is {kind:#04x}: name the right one")
        if not 0 <= self.quorum <= len(set(self.witnesses)):
            raise SettingsError(
                f"{self.quorum} cosignatures of {len(set(self.witnesses))} witnesses are asked for: name more, or ask for fewer"
            )

    def open(self, raw: bytes) -> Opened:
        """Read the signed checkpoint ``raw`` and check every signature by a key named here.

        Raises:
            MalformedError: it is no signed checkpoint.
            UntrustedError: it is another log's, not signed by a key named here, wrongly signed, or cosigned by too few.
        """
        note = Note.parse(raw)
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin != self.origin:
            raise UntrustedError(f"the checkpoint is of {checkpoint.origin!r}, not of {self.origin!r}: ask for that log's")
        signatures = note.signed_by((*self.keys, *self.witnesses))
        if not any(key.kind == LOG for key in signatures):
            raise UntrustedError(f"no key that you trust signed the checkpoint of {self.origin!r}: ask its keeper for the verifier key")
        cosigned_s = {key: cosigned_at(signature.signature) for key, signature in signatures.items() if key.kind == WITNESS}
        if len(cosigned_s) < self.quorum:
            raise UntrustedError(f"{len(cosigned_s)} of the {self.quorum} witnesses asked for cosigned the checkpoint: wait, or ask them")
        return Opened(checkpoint, note, cosigned_s)
