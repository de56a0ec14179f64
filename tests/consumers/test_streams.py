"""A stream is appended as it arrives."""

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from consumers.files import LINE_BYTES_MAX
from consumers.intake import run
from consumers.streams import StreamSource
from ledger.ledger import Ledger
from tests.consumers.events import NOW_US, structured


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """What is read, and what is written to it."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as out, os.fdopen(writing, "wb", buffering=0) as into:
        yield out, into


def polled(source: StreamSource, limit: int = 100) -> list[bytes] | None:
    batch = source.poll(1, limit)
    return None if batch is None else [row.raw for row in batch.messages]


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_a_stream_in_memory_is_read_to_its_end_and_stores_no_offset(end: bytes, ledger: Ledger) -> None:
    stream = io.BytesIO(b"\n".join(structured(number) for number in range(5)) + end)
    assert run(StreamSource(stream, "stdin"), ledger, clock=lambda: NOW_US).appended == 5
    assert ledger.streams("file/") == {}


def test_lines_that_have_arrived_wait_for_no_others(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    out, into = pipe
    source = StreamSource(out, "stdin")
    assert polled(source) == []
    into.write(b"one\n\ntwo\nthr")
    assert polled(source) == [b"one", b"two"]
    assert polled(source) == []
    into.write(b"ee\r\nfour")
    assert polled(source) == [b"three"]
    into.close()
    assert polled(source) == [b"four"]
    assert polled(source) is None


def test_a_batch_has_no_more_lines_than_asked_for_and_leaves_the_others(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    out, into = pipe
    source = StreamSource(out, "stdin")
    into.write(b"1\n2\n3\n")
    assert [polled(source, 2), polled(source, 2)] == [[b"1", b"2"], [b"3"]]


def test_of_a_line_too_long_its_beginning_is_kept(ledger: Ledger) -> None:
    run(StreamSource(io.BytesIO(b"x" * (2 * LINE_BYTES_MAX + 1) + b"\n" + structured(1)), "stdin"), ledger, clock=lambda: NOW_US)
    (letter,) = ledger.dead_letters(limit=2)
    assert letter.letter.body == b"x" * LINE_BYTES_MAX
    assert ledger.head().position == 1
