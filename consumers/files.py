"""Files as sources: CloudEvents as JSON lines, and CSV by a mapping. Reading goes on after a crash where the ledger is.

A file's stream is named by its first record, so a file that was moved, or has grown, goes on; with the next offset, in bytes, a digest
of everything before it is stored, so a file that was changed instead is noticed. Read again from its beginning, every touchpoint in it
is recognised: that is what happens to a file that was read whole before.
"""

import csv
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from io import BufferedIOBase
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, Protocol

from consumers.errors import FileChangedError, MappingError
from consumers.mapping import CsvMapping
from consumers.source import Batch, Offsets
from ledger.interface import DeadLetter, Delivered
from schemas.cloudevents import decode_json
from schemas.errors import NotFoundError, RefusalCode, RefusedError
from schemas.touchpoint import Touchpoint

LINE_BYTES_MAX = 1 << 20  # what is kept of a longer line; an event has 256 KiB at most
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BATCH = "it is a batch, and a line is one CloudEvent: `jq -c '.[]' FILE | rledger append -` appends each of them"
DELIMITERS = ";,\t|"  # that spreadsheets write
DIGEST = "/digest"  # after a stream's name: the stream of the digests


class Row(NamedTuple):
    """One record of a file. ``offset``, ``end``: in bytes from the file's beginning. ``problem``: why it cannot be read."""

    offset: int
    end: int
    raw: bytes
    cells: Sequence[str] = ()
    problem: str = ""


class Lines:
    """A file's lines, with the digest of all bytes up to where it is."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self.offset = 0
        self.digest = hashlib.sha256()

    def next(self) -> bytes:
        """The next line with its end, cut off after ``LINE_BYTES_MAX``; empty at the file's end."""
        line = part = self._file.readline(LINE_BYTES_MAX)
        self._passed(part)
        while len(part) == LINE_BYTES_MAX and not part.endswith(b"\n"):
            part = self._file.readline(LINE_BYTES_MAX)
            self._passed(part)
        return line

    def skip_to(self, offset: int) -> None:
        """Read on to ``offset``, or the file's end if that comes first."""
        while self.offset < offset and (part := self._file.read(min(offset - self.offset, LINE_BYTES_MAX))):
            self._passed(part)

    def back_to(self, place: "Lines") -> None:
        """Go back to where ``place`` is: a copy made earlier."""
        self._file.seek(place.offset)
        self.offset, self.digest = place.offset, place.digest.copy()

    def number(self) -> int:
        """The digest as a number that fits where offsets are stored: the first 63 bits of SHA-256."""
        return int.from_bytes(self.digest.digest()[:8]) >> 1

    def copy(self) -> "Lines":
        copied = Lines(self._file)
        copied.offset, copied.digest = self.offset, self.digest.copy()
        return copied

    def _passed(self, part: bytes) -> None:
        self.offset += len(part)
        self.digest.update(part)


class Format(Protocol):
    """How a file's bytes become records."""

    def start(self, lines: Lines) -> None:
        """Read what stands before the first record.

        Raises:
            LedgerError: the file is not what it should be.
        """

    def rows(self, lines: Lines) -> Iterator[Row]:
        """The records from where ``lines`` is to the file's end."""

    def touchpoint(self, row: Row, now_us: int) -> Touchpoint:
        """Decode a record; raises RefusedError."""


class JsonLines:
    """A CloudEvent a line, structured JSON. Empty lines are passed over."""

    def start(self, lines: Lines) -> None:
        """Nothing stands before the first line."""

    def rows(self, lines: Lines) -> Iterator[Row]:
        while row := self.row(lines):
            if row.raw:
                yield row

    def row(self, lines: Lines) -> Row | None:
        """The next line, ``raw`` without the white space around it; None at the file's end."""
        offset = lines.offset
        line = lines.next()
        return Row(offset, lines.offset, (line if offset else line.removeprefix(BYTE_ORDER_MARK)).strip()) if line else None

    def touchpoint(self, row: Row, now_us: int) -> Touchpoint:
        try:
            return decode_json(row.raw, now_us=now_us)
        except RefusedError as error:
            if row.raw.startswith(b"[") and error.code == "bad_envelope":
                raise RefusedError("bad_envelope", BATCH) from error
            raise


class Csv:
    """Records by ``mapping``; a cell may hold line ends. The first record names the columns; rows of empty cells are passed over."""

    def __init__(self, mapping: CsvMapping) -> None:
        self._mapping = mapping
        self._columns: list[str] = []

    def start(self, lines: Lines) -> None:
        header = next(self._records(lines), None)
        if header is None:
            raise MappingError("the file has no header: it is empty")
        if header.problem:
            wide = header.raw.startswith((b"\xff\xfe", b"\xfe\xff"))
            do = "save it as CSV UTF-8" if wide else "say how the file is written in the mapping's [csv]"
            raise MappingError(f"the file's header cannot be read: {header.problem}{': it is UTF-16' if wide else ''}; {do}")
        self._columns = [column.strip() for column in header.cells]
        if missing := sorted(self._mapping.columns - set(self._columns)):
            (only, *more) = self._columns
            found = next((one for one in DELIMITERS if one in only), None) if not more else None
            hint = "" if found is None else f"; is {found!r} its delimiter? Say so in the mapping's [csv]"
            raise MappingError(f"the file has no column {', '.join(missing)}; it has {', '.join(self._columns)}{hint}")
        if double := sorted(column for column in self._mapping.columns if self._columns.count(column) > 1):
            raise MappingError(f"the file has several columns {', '.join(double)}: nobody can tell which is meant; rename all but one")

    def rows(self, lines: Lines) -> Iterator[Row]:
        return self._records(lines)

    def touchpoint(self, row: Row, now_us: int) -> Touchpoint:
        if row.problem:
            raise RefusedError("bad_data", row.problem)
        if len(row.cells) != len(self._columns):
            raise RefusedError("bad_data", f"the row has {len(row.cells)} cells, the header {len(self._columns)}")
        try:
            event = self._mapping.event(dict(zip(self._columns, row.cells, strict=True)))
        except ValueError as error:
            raise RefusedError("bad_data", str(error)) from error
        return decode_json(event, now_us=now_us)

    def _records(self, lines: Lines) -> Iterator[Row]:
        """Records one by one; where quoting breaks, only the line it breaks in is given up."""
        taken: list[bytes] = []
        reader = self._reader(lines, taken)
        place = lines.copy()
        while True:
            taken.clear()
            try:
                cells = next(reader, None)
            except csv.Error as error:
                lines.back_to(place)
                line = lines.next()
                yield Row(place.offset, lines.offset, line, problem=f"the row's quoting is wrong: {error}")
                reader = self._reader(lines, taken)
            else:
                if cells is None:
                    return
                if any(map(str.strip, cells)):  # else the line is empty, or what a spreadsheet writes for an empty row
                    yield Row(place.offset, lines.offset, b"".join(taken), cells, self._problem(cells))
            place = lines.copy()

    def _reader(self, lines: Lines, taken: list[bytes]) -> Iterator[list[str]]:
        """Cells record by record; ``taken`` collects the lines they are made of."""
        form = self._mapping.form

        def text() -> Iterator[str]:
            first = lines.offset == 0
            while line := lines.next():
                taken.append(line)
                yield (line.removeprefix(BYTE_ORDER_MARK) if first else line).decode(form.encoding, errors="surrogateescape")
                first = False

        return csv.reader(text(), delimiter=form.delimiter, quotechar=form.quote, strict=True)

    def _problem(self, cells: Sequence[str]) -> str:
        try:
            "".join(cells).encode()
        except UnicodeEncodeError:
            return f"the row is not {self._mapping.form.encoding}"
        return ""


class RowSource:
    """What a file and a stream have in common: rows become touchpoints and letters by ``form``, and nobody else reads meanwhile."""

    def __init__(self, name: str, form: Format) -> None:
        self.name = name
        self._form = form

    def touchpoint(self, message: Row, now_us: int) -> Touchpoint:
        return self._form.touchpoint(message, now_us)

    def letter(self, message: Row, code: RefusalCode, reason: str) -> DeadLetter:
        return DeadLetter(code, reason, self.name, offset=message.offset, body=message.raw)

    def idle(self, timeout_ms: int) -> None:
        time.sleep(timeout_ms / 1_000)


class FileSource(RowSource):
    """A file, from the offset the ledger has stored."""

    def __init__(
        self, path: Path, form: Format, offsets: Offsets, *, from_start: bool = False, progress: Callable[[int], None] = lambda _bytes: None
    ) -> None:
        """Open the file.

        Args:
            path: of the file.
            form: how its bytes become records.
            offsets: the ledger.
            from_start: read it from its beginning, whatever was read before.
            progress: called after each batch with how many of the file's bytes were read.

        Raises:
            NotFoundError: there is no such file, or it cannot be read.
        """
        super().__init__(str(path), form)
        self._offsets, self._from_start, self._progress = offsets, from_start, progress
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise NotFoundError(f"{path} cannot be read: {error.strerror}") from error
        self._lines = Lines(self._file)
        self._rows: Iterator[Row] | None = None
        self._opened = False
        self._stream = ""
        self._expected: tuple[int | None, int | None] = None, None  # offset and digest the ledger has, once what was polled is appended

    def poll(self, timeout_ms: int, limit: int) -> Batch[Row] | None:  # noqa: ARG002  # a file never makes us wait
        """As in ``Source``.

        Raises:
            FileChangedError: what was read before is not what stands there now.
            MappingError: the CSV file has not the columns its mapping needs.
        """
        if self._rows is None:
            self._rows = self._open()
        rows = list(islice(self._rows, limit))
        if not rows:
            return None
        expected, self._expected = self._expected, (self._lines.offset, self._lines.number())
        streams = self._stream, self._stream + DIGEST
        return Batch(rows, tuple(map(Delivered, streams, expected, self._expected)))

    def acknowledge(self, batch: Batch[Row]) -> None:
        self._progress(batch.messages[-1].end)

    def rewind(self) -> None:
        self._rows = None

    def close(self) -> None:
        self._file.close()

    def _open(self) -> Iterator[Row]:
        """The rows that are left; when there are none at first, the file was read whole before, and all are read again."""
        first_time, self._opened = not self._opened, True
        lines = self._from_beginning()
        self._form.start(lines)
        start = lines.copy()
        first = next(self._form.rows(lines), None)
        if first is None:
            return iter(())
        self._stream = f"file/{hashlib.sha256(first.raw.strip()).hexdigest()[:32]}"
        stored = self._offsets.next_offsets([self._stream, self._stream + DIGEST])
        offset, digest = self._expected = stored.get(self._stream), stored.get(self._stream + DIGEST)
        if offset is not None and not (self._from_start and first_time):
            lines = self._from_beginning()
            lines.skip_to(offset)
            if (lines.offset, lines.number()) != (offset, digest):
                raise FileChangedError(self.name, offset)
            rows = self._form.rows(lines)
            row = next(rows, None)
            if row is not None:
                return chain([row], rows)
            if not first_time:
                return rows
        lines.back_to(start)
        return self._form.rows(lines)

    def _from_beginning(self) -> Lines:
        self._file.seek(0)
        self._lines = Lines(self._file)
        return self._lines
