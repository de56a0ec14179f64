"""Read the C2SP text formats strictly: each value has one spelling, so that two readers never differ over what was signed."""

import base64
import binascii

from ledger.proof.errors import MalformedError

HASH_BYTES = 32
SIZE_MAX = 2**63 - 1  # of a tree: what every implementation of the formats can count to


def encode_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def decode_base64(text: str, what: str) -> bytes:
    """Decode RFC 4648 section 4, with padding, no other character and no stray bits.

    Raises:
        MalformedError: it is anything else; ``what`` names it in the message.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        raw = b""
    if not raw or encode_base64(raw) != text:
        raise MalformedError(f"{what} is not base64: {text[:80]!r}")
    return raw


def decode_hash(text: str, what: str) -> bytes:
    """Decode a SHA-256 hash in base64.

    Raises:
        MalformedError: it is none.
    """
    raw = decode_base64(text, what)
    if len(raw) != HASH_BYTES:
        raise MalformedError(f"{what} has {len(raw)} bytes, a SHA-256 hash has {HASH_BYTES}: {text[:80]!r}")
    return raw


def decode_number(text: str, what: str) -> int:
    """Decode an ASCII decimal, 0 to 2^63 - 1, without leading zeroes.

    Raises:
        MalformedError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(SIZE_MAX)) and str(int(text)) == text and int(text) <= SIZE_MAX):
        raise MalformedError(f"{what} is not a decimal number below 2^63 without leading zeroes: {text[:80]!r}")
    return int(text)
