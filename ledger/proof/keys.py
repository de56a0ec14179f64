"""Ed25519 keys with a name, as signed notes use them: verifier keys ("vkeys") to hand out, signers to keep.

A verifier key is refused unless it is the one encoding of a point on the curve that is not of low order: for a low-order key anybody can
make signatures, and a key with two encodings has two ids. ``cryptography`` itself accepts both.

Sources: c2sp.org/signed-note, c2sp.org/tlog-cosignature, RFC 8032 section 5.1.
"""

import re
from hashlib import sha256
from typing import Self

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.proof.errors import MalformedError
from ledger.proof.text import decode_base64, encode_base64

LOG = 0x01  # signs the text of a note
WITNESS = 0x04  # signs a checkpoint together with the time: cosignature/v1
KEY_BYTES = 32
KEY_ID_BYTES = 4
TIME_BYTES = 8
TIME_MAX_S = 2**63 - 1

P = 2**255 - 19  # the field
D = -121665 * pow(121666, -1, P) % P  # the curve: -x^2 + y^2 = 1 + D x^2 y^2

_PRIVATE = "PRIVATE+KEY+"
_is_name = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+").fullmatch  # \s: any Unicode space


class VerifierKey(msgspec.Struct, frozen=True):
    """A public key and the name it signs by. ``kind`` is LOG or WITNESS, the note format's signature type.

    Raises:
        MalformedError: the name or the kind is not allowed, or the key is not canonical, not on the curve or of low order.
    """

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise MalformedError(f"{self.name!r} cannot name a key: use a word without spaces and plus signs, such as example.com/log")
        if self.kind not in {LOG, WITNESS}:
            raise MalformedError(f"key {self.name} is of type {self.kind:#04x}: use an Ed25519 key, 0x01 of a log or 0x04 of a witness")
        if not _is_sound(self.public):
            raise MalformedError(f"key {self.name} is not canonical, not on the curve or of low order: do not use it, make another one")

    @property
    def id(self) -> bytes:
        """The 4 bytes that a signature line begins with."""
        return sha256(self.name.encode() + b"\n" + self._typed).digest()[:KEY_ID_BYTES]

    @property
    def _typed(self) -> bytes:
        return bytes([self.kind]) + self.public

    def __str__(self) -> str:
        """The verifier key: ``name+id+base64``."""
        return f"{self.name}+{self.id.hex()}+{encode_base64(self._typed)}"

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read a verifier key.

        Raises:
            MalformedError: it is none, its id is another key's, or the key is unsound.
        """
        name, id_, typed = _parts(vkey)
        key = cls(name, typed[0], typed[1:])
        if id_ != key.id.hex():
            raise MalformedError(f"{vkey[:200]!r} has another key's id, not {key.id.hex()}: copy it again")
        return key

    def verify(self, text: str, signature: bytes) -> bool:
        """Whether ``signature``, what stands in a signature line after the key id, is this key's over the note's ``text``."""
        message = text.encode()
        if self.kind == WITNESS:
            time_s, signature = cosigned_at(signature), signature[TIME_BYTES:]
            if time_s > TIME_MAX_S:
                return False
            message = cosigned(text, time_s)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer:
    """A private key and the name it signs by.

    Args:
        seed: 32 secret bytes from a cryptographic source, RFC 8032's private key.
        kind: LOG or WITNESS. Use no seed for both.
    """

    def __init__(self, name: str, seed: bytes, kind: int = LOG) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = VerifierKey(name, kind, self._private.public_key().public_bytes_raw())

    def sign(self, text: str, time_s: int | None = None) -> bytes:
        """Sign the text of a note: what stands in its signature line after the key id.

        A witness, and only a witness, signs the time as well: ``time_s``, now, seconds since 1970 UTC.
        """
        if (time_s is None) != (self.key.kind == LOG):
            raise ValueError("a witness signs the time, a log does not")
        if time_s is None:
            return self._private.sign(text.encode())
        return time_s.to_bytes(TIME_BYTES, "big") + self._private.sign(cosigned(text, time_s))

    def reveal(self) -> str:
        """The private key as text, in the form that Go's sumdb, Tessera and witnesses read. Keep it secret."""
        seed = self._private.private_bytes_raw()
        return f"{_PRIVATE}{self.key.name}+{self.key.id.hex()}+{encode_base64(bytes([self.key.kind]) + seed)}"

    @classmethod
    def parse(cls, secret: str) -> Self:
        """Read what ``reveal`` wrote.

        Raises:
            MalformedError: it is something else; the message shows nothing of it.
        """
        try:
            name, _, typed = _parts(secret.removeprefix(_PRIVATE))
            signer = cls(name, typed[1:], typed[0])
        except (MalformedError, ValueError):
            signer = None
        if signer is None or signer.reveal() != secret:
            raise MalformedError(f"not a private key of the form {_PRIVATE}name+id+base64: restore the file from its backup")
        return signer


def cosigned(text: str, time_s: int) -> bytes:
    """What a witness signs when it saw the checkpoint ``text`` at ``time_s``: cosignature/v1."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def cosigned_at(signature: bytes) -> int:
    """When a witness signed, seconds since 1970 UTC, as its ``signature`` says."""
    return int.from_bytes(signature[:TIME_BYTES], "big")


def _parts(key: str) -> tuple[str, str, bytes]:
    """Split ``name+id+base64``; the base64 may hold plus signs, the rest may not."""
    parts = key.split("+", 2)
    if len(parts) != 3:  # noqa: PLR2004
        raise MalformedError(f"{key[:200]!r} is no verifier key: it has the form name+id+base64")
    return parts[0], parts[1], decode_base64(parts[2], "the last part of a verifier key")


def _is_sound(public: bytes) -> bool:
    """Whether ``public`` is the canonical encoding of a point on the curve of an order above 8.

    The points of low order are those with y = 0, 1 or -1, and the four whose double has y = 0: D y^4 + 2 y^2 = 1. That leaves no point
    with x = 0, whose sign could be written in two ways.
    """
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    y2 = y * y % P
    low_order = y * (y2 - 1) * (D * y2 * y2 + 2 * y2 - 1) % P == 0
    x2_is_square = pow((y2 - 1) * (D * y2 + 1), (P - 1) // 2, P) == 1
    return len(public) == KEY_BYTES and y < P and x2_is_square and not low_order
