"""Events as Parquet, for those who count with DuckDB or Spark: the same six fields as a line of JSON, and two moments to sort by.

``event`` is the stored text, for the proof is over its bytes. A page of events is a row group. pyarrow is imported here alone, and this
module only when it is asked for.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow import parquet

from ledger.plan import Row
from schemas.touchpoint import Stored, microseconds
from service.copies.files import Growing
from service.copies.manifest import CopyDamagedError, occurred_us

NAME = "events.parquet"
READ_ROWS = 4_096
_MOMENT = pa.timestamp("us", tz="UTC")
_SCHEMA = pa.schema(
    [
        ("position", pa.int64()),
        ("relationship", pa.string()),
        ("version", pa.int64()),
        ("type", pa.string()),
        ("recorded_us", pa.int64()),
        ("event", pa.string()),
        ("recorded_at", _MOMENT),
        ("occurred_at", _MOMENT),
    ]
)
_FIELDS = Stored.__struct_fields__


class ParquetEvents:
    """Events in ``file``, ``events.parquet``."""

    def __init__(self, folder: Path) -> None:
        self.file = Growing(folder / NAME)
        self._writer = parquet.ParquetWriter(self.file, _SCHEMA, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        """Append a row each, in one row group.

        Raises:
            ValueError: an event is none any more.
        """
        position, relationship, version, type_, recorded_us, events, _ = zip(*rows, strict=True)
        texts = [event.decode() for event in events]
        occurred = [occurred_us(event) for event in events]
        columns = (position, relationship, version, type_, recorded_us, texts, recorded_us, occurred)
        self._writer.write_table(pa.table(list(map(list, columns)), schema=_SCHEMA))

    def close(self) -> None:
        """Write what stands behind the last row."""
        self._writer.close()

    def drop(self) -> None:
        """Leave nothing of it, unless it is finished."""
        with contextlib.suppress(Exception):  # the writer would write its end when it is collected, to a file that is gone
            self._writer.close()
        self.file.drop()


def records(path: Path) -> Iterator[Stored]:
    """The events in a file, in its order.

    Raises:
        CopyDamagedError: it is not what ``ParquetEvents`` wrote.
    """
    try:
        with parquet.ParquetFile(path) as file:
            if not file.schema_arrow.equals(_SCHEMA):
                raise CopyDamagedError(f"{path} has other columns than an export: it was written anew")
            for batch in file.iter_batches(READ_ROWS):
                for row in batch.to_pylist():
                    yield _record(path, row)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CopyDamagedError(f"{path} cannot be read as Parquet ({error}): it was altered or cut off; fetch it again") from error


def _record(path: Path, row: dict[str, Any]) -> Stored:
    """A row; the two moments must be those of the other fields, for nothing else proves them."""
    try:
        event = row["event"].encode()
        told = msgspec.convert({name: row[name] for name in _FIELDS} | {"event": event}, Stored)
        moments = (microseconds(row["recorded_at"]), microseconds(row["occurred_at"]))
        right = moments == (told.recorded_us, occurred_us(event))
    except (msgspec.MsgspecError, ValueError, AttributeError, TypeError) as error:
        raise CopyDamagedError(f"{path}: the row of position {row['position']} holds no event ({error}): it was altered") from error
    if not right:
        raise CopyDamagedError(f"{path}: the moments of position {told.position:,} are not those of its event: they were altered")
    return told
