"""Signed notes: text, and beneath it a line for each key that signed it. The text counts only after a trusted key's signature was checked.

Source: c2sp.org/signed-note.
"""

import re
from collections.abc import Iterable
from typing import Self

import msgspec

from ledger.proof.errors import MalformedError, UntrustedError
from ledger.proof.keys import KEY_ID_BYTES, Signer, VerifierKey
from ledger.proof.text import decode_base64, encode_base64
from schemas.errors import SettingsError

NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 100  # the format asks for 16 at least

_has_control = re.compile(r"[\x00-\x09\x0b-\x1f]").search
_is_signature = re.compile(r"— ([^\s+]+) (\S+)").fullmatch


class Signature(msgspec.Struct, frozen=True):
    """A signature line: whose, by name and key id (4 bytes), and what the key's algorithm made."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {encode_base64(self.key_id + self.signature)}\n"


class Note(msgspec.Struct, frozen=True):
    """A signed text. ``text`` ends in a newline."""

    text: str
    signatures: tuple[Signature, ...] = ()

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a note; this verifies nothing.

        Raises:
            MalformedError: it is none.
        """
        if len(raw) > NOTE_BYTES_MAX:
            raise MalformedError(f"{len(raw)} bytes are too many for a signed note, which has {NOTE_BYTES_MAX} at most")
        try:
            note = raw.decode()
        except UnicodeDecodeError as error:
            raise MalformedError(f"not a signed note: {error}") from error
        text, blank, last = note.rpartition("\n\n")
        lines = last.split("\n")
        if not blank or _has_control(note) or lines.pop() or not lines or len(lines) > SIGNATURES_MAX:
            raise MalformedError(f"not a signed note, text, an empty line and 1 to {SIGNATURES_MAX} signature lines: {note[:80]!r}")
        return cls(text + "\n", tuple(_signature(line) for line in lines))

    def encode(self) -> bytes:
        return f"{self.text}\n{''.join(map(str, self.signatures))}".encode()

    def signed(self, signer: Signer, time_s: int | None = None) -> "Note":
        """Add the signature of ``signer``, in place of an earlier one; ``time_s`` as in ``Signer.sign``."""
        if not self.text.endswith("\n") or _has_control(self.text):
            raise ValueError("the text of a note ends in a newline and has no other control characters")
        key = signer.key
        kept = [old for old in self.signatures if (old.name, old.key_id) != (key.name, key.id)]
        return Note(self.text, (*kept, Signature(key.name, key.id, signer.sign(self.text, time_s))))

    def signed_by(self, keys: Iterable[VerifierKey]) -> dict[VerifierKey, Signature]:
        """The keys among ``keys`` that signed, each with its first signature. Signatures of unknown keys count for nothing.

        Raises:
            UntrustedError: a signature says it is of one of ``keys`` and is not.
            SettingsError: two keys have the same name and id.
        """
        wanted = set(keys)
        known = {(key.name, key.id): key for key in wanted}
        if len(known) < len(wanted):
            raise SettingsError(f"two different keys have the same name and id, among {', '.join(map(str, wanted))}: rename one")
        found: dict[VerifierKey, Signature] = {}
        for signature in self.signatures:
            if key := known.get((signature.name, signature.key_id)):
                if not key.verify(self.text, signature.signature):
                    raise UntrustedError(f"the signature of {key} is wrong: the text or the signature was altered; trust neither")
                found.setdefault(key, signature)
        return found


def _signature(line: str) -> Signature:
    if not (match := _is_signature(line)):
        raise MalformedError(f"not a signature line, '— name base64': {line[:80]!r}")
    blob = decode_base64(match[2], "a signature")
    if len(blob) <= KEY_ID_BYTES:
        raise MalformedError(f"a signature has {len(blob)} bytes, not even a key id and one more: {line[:80]!r}")
    return Signature(match[1], blob[:KEY_ID_BYTES], blob[KEY_ID_BYTES:])
