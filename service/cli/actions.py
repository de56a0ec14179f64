"""``actions``: what was done to improve relationships, and whether it worked."""

from collections.abc import Sequence

import click
from rich.console import Group, RenderableType
from rich.text import Text

from projections.actions.courses import worked
from projections.actions.effects import Effect
from projections.moments import Moments
from service.cli import output
from service.cli.options import as_json, configured, example, moments, notice
from service.clock import now_us
from service.reading import open_reader

STYLES = {"better": "green", "worse": "red", "no difference": "yellow", "not enough cases": "bright_black"}


@click.command(
    epilog=example("""
rledger actions
  rledger actions --as-of 2026-06-30
""")
)
@moments
@as_json
def actions(*, as_of_us: int | None, known_us: int | None, as_json: bool) -> None:
    """What was done to improve relationships, and whether it worked.

    Each case is compared with relationships of the same kind and standing, with about the same quality and trend before, that had no
    action: what is bad tends to get better by itself. Actions are touchpoints: relationship.action.v1. What else decided where an action
    was taken is not known: a difference is a reason to look, no proof.
    """
    with open_reader(configured(), notice=notice) as reader:
        found = worked(reader, Moments(now_us(), as_of_us, known_us))
    if as_json:
        output.json_lines(found)
    else:
        output.console().print(_table(found))


def _table(found: Sequence[Effect]) -> RenderableType:
    if not found:
        return Text("no action was taken long enough ago")
    rows = output.table(("play", "left"), ("kind", "left"), ("cases", "right"), ("compared", "right"), ("similar", "right"))
    output.add_columns(rows, ("change", "right"), ("theirs", "right"), ("effect", "right"), ("between", "right"))
    output.add_columns(rows, ("beside similar ones", "left"))
    rows.cut, rows.spare = ("play",), ("similar", "theirs", "change", "compared", "kind")
    for one in found:
        between = "" if one.interval is None else f"{one.interval[0]:+.1f} to {one.interval[1]:+.1f}"
        cells = [one.play, one.kind, f"{one.cases:,}", f"{one.relationships:,}", f"{one.similar:,}", *map(_points, _changes(one))]
        rows.add_row(*cells, Text(between, style="bright_black"), Text(one.verdict, style=STYLES[one.verdict]))
    days = found[0].after_days
    foot = f"points of quality after {days} days; theirs: of similar relationships without an action; effect: the difference"
    return Group(rows, output.note(foot))


def _changes(one: Effect) -> tuple[float | None, ...]:
    return one.change, one.change_similar, one.effect


def _points(points: float | None) -> str:
    return "·" if points is None else f"{points:+.1f}"
