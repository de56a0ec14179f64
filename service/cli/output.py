"""Rows for people and for programs: tables with colour in a terminal, plain text when piped, JSON lines when asked."""

import sys
from collections.abc import Iterable

import msgspec
from rich.console import Console

MIN_WIDTH = 100  # columns when piped: nothing is cut that a terminal would show


def json_lines(rows: Iterable[object]) -> None:
    """Write each row as one line of JSON."""
    out = sys.stdout.buffer
    encoder = msgspec.json.Encoder()
    buffer = bytearray()
    for row in rows:
        encoder.encode_into(row, buffer)
        buffer += b"\n"
        out.write(buffer)
        buffer.clear()
    out.flush()


def console() -> Console:
    """Where tables and cards go. NO_COLOR and the terminal's width are respected."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=140)
