"""``reputation``: how our own conduct stands with all who deal with us."""

from collections.abc import Sequence
from typing import Literal

import click
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.text import Text

from projections.moments import Moments
from projections.reputation.company import Company, Driver, company
from projections.reputation.groups import Group, groups
from service.cli import drawing, output
from service.cli.options import as_json, configured, example, moments, notice
from service.clock import now_us
from service.reading import open_reader

TRACK, SMALL_TRACK, HALF = 30, 12, 10  # cells
POINTS = 100.0  # a level is 0-100, a track 0-1
TOLD = 0.05  # points; less would be told as 0.0


@click.command(
    epilog=example("""
rledger reputation
  rledger reputation --by segment
  rledger reputation --as-of 2026-03-31 --json
"""),
)
@click.option("--by", type=click.Choice(["kind", "segment", "topic", "month"]), help="Parts of it in place of the whole.")
@moments
@as_json
def reputation(
    *, by: Literal["kind", "segment", "topic", "month"] | None, as_of_us: int | None, known_us: int | None, as_json: bool
) -> None:
    """How our own conduct stands with all customers and partners, what costs the most, what a remedy would gain.

    It rests on what we did, not on what they did: deliveries, answers, promises, payments, deals, complaints about us and how we settled
    them, and what they say of us. Nobody's voice counts for more than the policy allows.
    """
    asked = Moments(now_us(), as_of_us, known_us)
    with open_reader(configured(), notice=notice) as reader:
        found: Company | Sequence[Group] = company(reader, asked) if by is None or by == "topic" else groups(reader, asked, by)
    if isinstance(found, Company):
        rows: Sequence[object] = found.drivers if by == "topic" else [found]
        picture = _topics(found.drivers) if by == "topic" else _company(found)
    else:
        rows, picture = found, _groups(found)
    if as_json:
        output.json_lines(rows)
    else:
        output.console().print(picture)


def _company(found: Company) -> RenderableType:
    """The level, what costs points, what would gain some."""
    low, high = found.interval
    level = Text.assemble(
        ("reputation  ", "bold"),
        drawing.track(found.level / POINTS, (low / POINTS, high / POINTS), TRACK),
        (f"  {found.level:.1f}", f"bold {drawing.level_style(found.level / POINTS)}"),
        (f"  {low:.0f} to {high:.0f}", "bright_black"),
    )
    costs = output.table(("points", "right"), ("", "left"), ("what costs them", "left"), ("with", "right"), ("between", "right"))
    costs.cut, costs.spare = ("what costs them",), ("", "between")
    dearest = max((driver.cost for driver in found.drivers), default=0.0)
    for driver in found.drivers:
        if driver.cost >= TOLD:
            points = Text(f"-{driver.cost:.1f}", style="red")
            bar = drawing.change(-driver.cost, dearest, HALF)
            costs.add_row(points, bar, driver.harm, f"{driver.parties:,}", _between(driver.interval, "-"))
    gains = output.table(("points", "right"), ("what would win some back", "left"), ("between", "right"))
    gains.cut, gains.spare = ("what would win some back",), ("between",)
    for remedy in found.remedies:
        if remedy.gain >= TOLD:
            gains.add_row(Text(f"+{remedy.gain:.1f}", style="green"), remedy.remedy, _between(remedy.interval, "+"))
    known = "" if found.known_at[:16] == found.as_of[:16] else f", as known at {drawing.minute(found.known_at)}"
    foot = f"{found.parties:,} counterparties, as of {drawing.minute(found.as_of)} UTC{known}; it began at {found.base:.0f}"
    return Lines(level, "", costs, "", gains, output.note(foot))


def _groups(found: Sequence[Group]) -> RenderableType:
    if not found:
        return output.note("nothing is known of our conduct yet")
    named = found[0].by
    rows = output.table((named, "left"), ("level", "right"), (output.SCALE, "left"), ("between", "right"), ("counterparties", "right"))
    if named != "month":
        output.add_columns(rows, ("what costs most", "left"), ("points", "right"))
    rows.cut, rows.spare = (named, "what costs most"), (output.SCALE, "counterparties", "between")
    for group in found:
        low, high = group.interval
        share = group.level / POINTS
        cells: list[RenderableType] = [
            group.name or "·",
            Text(f"{group.level:.1f}", style=drawing.level_style(share)),
            drawing.track(share, (low / POINTS, high / POINTS), SMALL_TRACK),
            Text(f"{low:.1f} to {high:.1f}", style="bright_black"),
            f"{group.parties:,}",
        ]
        if named != "month":
            cells += [group.main_driver or "", Text(f"-{group.cost:.1f}" if group.cost else "", style="red")]
        rows.add_row(*cells)
    return rows


def _topics(found: Sequence[Driver]) -> RenderableType:
    rows = output.table(("topic", "left"), ("for us", "right"), ("against", "right"), ("points", "right"), ("", "left"))
    output.add_columns(rows, ("its harm costs", "right"), ("between", "right"))
    rows.spare = ("", "between")
    largest = max((abs(driver.contribution) for driver in found), default=0.0)
    for driver in found:
        points = Text(f"{driver.contribution:+.1f}", style="green" if driver.contribution > 0 else "red")
        bar = drawing.change(driver.contribution, largest, HALF)
        between = _between(driver.interval, "-")
        rows.add_row(driver.topic, f"{driver.good:,.1f}", f"{driver.bad:,.1f}", points, bar, f"-{driver.cost:.1f}", between)
    return rows


def _between(interval: tuple[float, float], sign: str) -> Text:
    return Text(f"{sign}{interval[0]:.1f} to {sign}{interval[1]:.1f}", style="bright_black")
