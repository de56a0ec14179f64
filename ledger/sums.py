"""One sum over each table that stands beside the events, so that a row changed, removed, moved or added past the ledger is found.

A row counts with the SHA-256 of all it holds; the sum is modulo 2^256 and knows no order, so a commit moves it by what it writes alone.
It is kept in the same commit. It is not signed: whoever also computes it anew is not found by it, as with any memory in the same store.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec

TABLES = {
    "tracking": "next offsets of sources",
    "dead_letters": "dead letters",
    "checkpoints": "checkpoints that were kept",
    "keys": "keys of encrypted values",
}
"""What they hold, for people."""
SUM_BYTES = 32

Row = tuple[Any, ...]
"""All columns of a row, in the order of its table: int, str, bytes or None."""


def total(rows: Iterable[Row]) -> bytes:
    """The sum over rows."""
    return moved(bytes(SUM_BYTES), (), rows)


def moved(found: bytes, gone: Iterable[Row], come: Iterable[Row]) -> bytes:
    """A sum without the rows that are ``gone``, and with those that have ``come``."""
    return _sum(int.from_bytes(found) + sum(map(_count, come)) - sum(map(_count, gone)))


def added(found: bytes, more: bytes, less: bytes) -> bytes:
    """A sum with all that another one counts, and without what a third one counts."""
    return _sum(int.from_bytes(found) + int.from_bytes(more) - int.from_bytes(less))


def _sum(number: int) -> bytes:
    return (number % (1 << 8 * SUM_BYTES)).to_bytes(SUM_BYTES)


def _count(row: Row) -> int:
    return int.from_bytes(sha256(msgspec.msgpack.encode(row)).digest())
