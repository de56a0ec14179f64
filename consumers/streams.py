"""JSON lines from a stream that is read once, such as stdin. What has arrived is appended at once, however long the next line takes."""

import io
import os
import select
import sys
from typing import BinaryIO

from consumers.files import JsonLines, Lines, Row, RowSource
from consumers.source import Batch

READ_BYTES = 1 << 16


class Arriving(io.BufferedIOBase):
    """A stream's lines, and whether there is one already. A stream of no file descriptor has arrived whole."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._arrived = bytearray()
        self._ended = False
        try:
            self._descriptor: int | None = stream.fileno()
        except OSError:  # a stream in memory has none
            self._descriptor = None

    def ready(self, timeout_s: float) -> bool:
        """Whether a whole line, or the stream's end, is there within ``timeout_s`` seconds of the last bytes."""
        while not self._ended and b"\n" not in self._arrived:
            if self._descriptor is not None and not select.select([self._descriptor], [], [], timeout_s)[0]:
                return False
            self._read()
        return True

    def readline(self, limit: int | None = -1, /) -> bytes:
        """The next line with its end, or ``limit`` bytes of it; empty at the stream's end. Waits for it."""
        limit = sys.maxsize if limit is None or limit < 0 else limit
        while (end := self._arrived.find(b"\n", 0, limit)) < 0 and len(self._arrived) < limit and not self._ended:
            self._read()
        size = limit if end < 0 else end + 1
        line = bytes(self._arrived[:size])
        del self._arrived[:size]
        return line

    def _read(self) -> None:
        part = self._stream.read(READ_BYTES) if self._descriptor is None else os.read(self._descriptor, READ_BYTES)
        self._arrived += part
        self._ended = not part


class StreamSource(RowSource):
    """A CloudEvent a line. There is nowhere to go back to, so no offset is stored."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._lines_of = JsonLines()
        super().__init__(name, self._lines_of)
        self._arriving = Arriving(stream)
        self._lines = Lines(self._arriving)

    def poll(self, timeout_ms: int, limit: int) -> Batch[Row] | None:
        rows: list[Row] = []
        while len(rows) < limit and self._arriving.ready(0.0 if rows else timeout_ms / 1_000):
            row = self._lines_of.row(self._lines)
            if row is None:
                return Batch(rows) if rows else None
            if row.raw:
                rows.append(row)
        return Batch(rows)

    def acknowledge(self, batch: Batch[Row]) -> None:
        """Nobody needs to know."""

    def rewind(self) -> None:
        """No other consumer shares a stream."""

    def close(self) -> None:
        """It is closed by whoever opened it."""
