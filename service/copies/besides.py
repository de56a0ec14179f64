"""Rows that are no events as lines of JSON: offsets, dead letters, checkpoints; bytes as ``{"base64": ...}``."""

import base64
from typing import Any

import msgspec

from ledger.interface import Beside
from service.copies.manifest import CopyDamagedError


class _Line(msgspec.Struct):
    table: str
    row: dict[str, Any]


_decode = msgspec.json.Decoder(_Line).decode


def encode_beside(one: Beside) -> bytes:
    """One line, newline included."""
    return msgspec.json.encode(_Line(one.table, {name: _to_json(value) for name, value in one.row.items()})) + b"\n"


def decode_beside(line: bytes) -> Beside:
    """Read what ``encode_beside`` wrote.

    Raises:
        CopyDamagedError: it is no such line.
    """
    try:
        found = _decode(line)
        return Beside(found.table, {name: _from_json(value) for name, value in found.row.items()})
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise CopyDamagedError(f"a row beside the events cannot be read ({error}): {line[:80]!r}") from error


def _to_json(value: Any) -> Any:  # noqa: ANN401  # columns of many types
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _from_json(value: Any) -> Any:  # noqa: ANN401  # as above
    return base64.b64decode(value["base64"], validate=True) if isinstance(value, dict) else value
