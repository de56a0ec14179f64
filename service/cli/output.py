"""Rows for people and for programs: tables with colour in a terminal, plain text when piped, JSON lines when asked."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec
from rich.console import Console, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 140  # columns


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
    return Console(highlight=False, width=PIPED_WIDTH)


def table(*columns: tuple[str, JustifyMethod]) -> Table:
    """An empty table with headings and no lines."""
    made = Table(box=None, pad_edge=False, header_style="bright_black", padding=(0, 2, 0, 0))
    add_columns(made, *columns)
    return made


def add_columns(to: Table, *columns: tuple[str, JustifyMethod]) -> None:
    """Columns that are cut rather than wrapped."""
    for heading, justify in columns:
        to.add_column(heading, justify=justify, no_wrap=True, overflow="ellipsis")


def add_rest(to: Table, heading: str) -> None:
    """A last column that has the width the others leave."""
    to.expand = True
    to.add_column(heading, no_wrap=True, overflow="ellipsis", ratio=1)


def note(text: str) -> RenderableType:
    """A line under a table."""
    return Padding(Text(text, style="bright_black"), (1, 0, 0, 0))


@contextmanager
def progress(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr in a terminal, for people who wait; told what is done, and how much there is."""
    if not sys.stderr.isatty():
        yield lambda done, total: None  # noqa: ARG005
        return
    with Progress(*Progress.get_default_columns(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
