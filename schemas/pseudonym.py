"""Pseudonyms of subjects: the same name always has the same one, and without the secret nobody can tell whose it is.

A pseudonym is the HMAC-SHA-256 (RFC 2104) of the name in UTF-8, exactly as it is written, in hexadecimal; every language can make it.
"""

import base64
import hmac
from collections.abc import Callable

SECRET_BYTES = 32


def pseudonyms(text: str) -> Callable[[str], str]:
    """What makes pseudonyms of names, from the secret as text: 32 bytes in base64.

    Raises:
        ValueError: it is no such secret; the message does not show it.
    """
    try:
        secret = base64.b64decode(text, validate=True)
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"expected {SECRET_BYTES} bytes in base64, as `rledger vault new` prints")
    return lambda name: hmac.digest(secret, name.encode(), "sha256").hex()
