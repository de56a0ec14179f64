"""Rows for people and for programs: tables with colour in a terminal, plain text when piped, JSON lines when asked.

What somebody wrote is shown as it was written: a name in brackets is no markup. In a pipe nothing is cut and no line is broken.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult
from rich.padding import Padding
from rich.progress import Progress
from rich.table import Column, Table
from rich.text import Text

PIPED_WIDTH = 10_000  # columns: wider than any line
CUT_MIN = 12  # cells that are left of a text which is cut
GAP = 2  # cells between two columns
SCALE = "0        100"
DRAWN = ("", SCALE)  # headings of drawings: nobody misses them by name


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
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


class Rows(Table):
    """A table without lines that gives way in a narrow terminal: first texts are cut, then columns are left out, and named under it.

    cut: headings of columns that may be cut. spare: headings of columns that may be left out, the first of them first.
    """

    def __init__(self, *, cut: Sequence[str] = (), spare: Sequence[str] = (), expand: bool = False) -> None:
        super().__init__(box=None, pad_edge=False, header_style="bright_black", padding=(0, GAP, 0, 0), expand=expand)
        self.cut, self.spare = cut, spare

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw what there is room for."""
        columns, left_out = self._fitting(console, options.max_width)
        made = Table(box=None, pad_edge=False, header_style=self.header_style, padding=self.padding)
        made.expand = self.expand and console.is_terminal
        for column, width in columns:
            made.add_column(
                column.header,
                justify=column.justify,
                no_wrap=True,
                overflow="ellipsis",
                min_width=column.min_width,
                width=width,
                ratio=column.ratio if made.expand else None,
            )
        for row in zip(*(column.cells for column, _ in columns), strict=True):
            made.add_row(*row)
        yield made
        if left_out:
            yield Text(f"no room for {', '.join(left_out)}", style="bright_black")

    def _fitting(self, console: Console, room: int) -> tuple[list[tuple[Column, int | None]], list[str]]:
        """The columns there is room for, with the width of those that are cut, and the headings of those there is none for."""
        widths = {id(one): max(console.measure(cell).maximum for cell in (one.header, *one.cells)) for one in self.columns}
        least = {id(one): min(widths[id(one)], CUT_MIN) if one.ratio or one.header in self.cut else widths[id(one)] for one in self.columns}
        spare, kept = list(self.spare), list(self.columns)
        while spare and sum(least[id(one)] + GAP for one in kept) - GAP > room:
            heading = spare.pop(0)
            kept = [one for one in kept if one.header != heading]
        over = sum(widths[id(one)] + GAP for one in kept) - GAP - room
        cut: dict[int, int] = {}
        for one in sorted((one for one in kept if one.header in self.cut), key=lambda one: -widths[id(one)]):
            if over > 0:
                cut[id(one)] = max(widths[id(one)] - over, least[id(one)])
                over -= widths[id(one)] - cut[id(one)]
        there = {id(one) for one in kept}
        left_out = [str(one.header) for one in self.columns if id(one) not in there and one.header not in DRAWN]
        return [(one, cut.get(id(one))) for one in kept], left_out


def table(*columns: tuple[str, JustifyMethod], cut: Sequence[str] = (), spare: Sequence[str] = ()) -> Rows:
    """An empty table with headings; ``cut`` and ``spare`` as of ``Rows``."""
    made = Rows(cut=cut, spare=spare)
    add_columns(made, *columns)
    return made


def add_columns(to: Rows, *columns: tuple[str, JustifyMethod]) -> None:
    """Columns that are cut rather than wrapped."""
    for heading, justify in columns:
        to.add_column(heading, justify=justify, no_wrap=True, overflow="ellipsis")


def add_rest(to: Rows, heading: str) -> None:
    """A last column that has the width the others leave."""
    to.expand = True
    to.add_column(heading, no_wrap=True, overflow="ellipsis", ratio=1)


def note(text: str) -> RenderableType:
    """A line under a table."""
    return Padding(Text(text, style="bright_black"), (1, 0, 0, 0), expand=False)


@contextmanager
def progress(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr in a terminal, for people who wait; told what is done, and how much there is."""
    if not sys.stderr.isatty():
        yield lambda done, total: None  # noqa: ARG005
        return
    with Progress(*Progress.get_default_columns(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
