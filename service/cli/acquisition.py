"""``acquisition``: how good relationships are later, by how they began, and whom to win, how."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal

import click
import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from projections.acquisition.answer import KINDS, Answer, answers
from projections.acquisition.began import BYS, By
from projections.acquisition.cohorts import Cohort
from projections.acquisition.proposals import Proposal
from projections.actions.effects import Effect
from projections.moments import Moments
from service.cli import drawing, output
from service.cli.options import as_json, configured, example, moments, notice
from service.clock import now_us
from service.reading import open_reader

ROWS = 10  # proposals of a kind in a table
TRACK = 12  # cells
POINTS = 100.0  # quality is 0-100, a track 0-1
STYLES = {"better": "green", "worse": "red", "not sure": "yellow", "no difference": "yellow", "not enough cases": "bright_black"}
SHORT = {"not enough cases": "too few"}
NOTHING = Text("·", style="bright_black")


@click.command(
    epilog=example("""
rledger acquisition
  rledger acquisition --kind customer --by channel
  rledger acquisition --kind partner --by first --horizon 90 --json
"""),
)
@click.option("--kind", type=click.Choice(KINDS), help="Customers or partners alone. Default: both.")
@click.option("--by", type=click.Choice(BYS), help="Cohorts by how they were won, or by their first experiences. Default: what to do.")
@click.option(
    "--horizon", type=int, metavar="DAYS", help="Days after the beginning: 90 or 180, unless the policy has others. Default: 180."
)
@click.option("--limit", type=click.IntRange(min=0), help=f"Proposals at most; 0 for all. By default {ROWS} in a table, all with --json.")
@moments
@as_json
def acquisition(
    *,
    kind: Literal["customer", "partner"] | None,
    by: By | None,
    horizon: int | None,
    limit: int | None,
    as_of_us: int | None,
    known_us: int | None,
    as_json: bool,
) -> None:
    """What brings good relationships: how good they are 90 and 180 days later, by channel, segment, incentive and first experience.

    Without --by it says what to do, ranked: whom to win and how, and for partners which rates to ask about and what leaks to mend. A
    difference is beside similar relationships and drawn towards none as far as it may be chance; it is a reason to look, no proof.
    """
    asked = Moments(now_us(), as_of_us, known_us)
    with open_reader(configured(), notice=notice) as reader:
        found = answers(reader, asked, [kind] if kind else KINDS, by=by, horizon_days=horizon)
    most = ROWS if limit is None and not as_json else limit or None
    if as_json:
        output.json_lines(line for one in found for line in _lines(one, most))
        return
    console = output.console()
    for one in found:
        console.print(_told(one, by, most))


def _lines(found: Answer, most: int | None) -> Iterator[dict[str, object]]:
    """Cohorts, incentives and proposals, each with what it is."""
    parts: tuple[tuple[str, Sequence[msgspec.Struct]], ...] = (
        ("cohort", found.cohorts),
        ("incentive", found.incentives),
        ("proposal", found.proposals[:most]),
    )
    for line, rows in parts:
        for row in rows:
            yield {"line": line, **msgspec.structs.asdict(row)}


def _told(found: Answer, by: By | None, most: int | None) -> RenderableType:
    """What one kind comes to."""
    parts: list[RenderableType] = [Text(f"{found.kind}s, {found.horizon_days} days after they began", style="bold"), ""]
    if by is not None:
        parts += _cohorts(found.cohorts)
    if found.incentives:
        parts += [_incentives(found.incentives), ""]
    parts += [*_proposals(found.proposals[:most]), output.note(_foot(found, most)), ""]
    return Group(*parts)


def _proposals(found: Sequence[Proposal]) -> list[RenderableType]:
    rows: list[RenderableType] = []
    for one in found:
        play, _, figures = one.text.partition(":")
        rows += [Text.assemble((f"{one.rank:>3}  ", "bright_black"), (play, "bold")), Text(f"     {figures.strip()}")]
    return rows or [Text("nothing surely differs: no proposal")]


def _cohorts(found: Sequence[Cohort]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for experience, family in groupby(found, key=lambda one: one.experience):
        members = list(family)
        heading = members[0].by if experience is None else f"first {experience}"
        active = "still buy" if members[0].kind == "customer" else "still supply"
        rows = output.table((heading, "left"), ("quality", "right"), (output.SCALE, "left"), ("between", "right"))
        output.add_columns(rows, ("beside similar", "right"), ("", "left"), (active, "right"), (_basis(members), "right"))
        output.add_columns(rows, ("cost", "right"), ("of", "right"), ("young", "right"))
        rows.cut, rows.spare = (heading,), (output.SCALE, "cost", "young", "between", _basis(members), active)
        for one in members:
            rows.add_row(*_cells(one))
        parts += [rows, ""]
    return parts


def _basis(members: Sequence[Cohort]) -> str:
    known = next((one for one in members if one.basis is not None), None)
    return "value" if known is None else f"{known.basis} {known.currency}"


def _cells(one: Cohort) -> list[RenderableType]:
    level = None if one.quality is None else one.quality / POINTS
    span = None if one.interval is None else (one.interval[0] / POINTS, one.interval[1] / POINTS)
    beside = one.beside_interval
    return [
        one.cohort or "not told",
        NOTHING if level is None else Text(f"{one.quality:.1f}", style=drawing.level_style(level)),
        drawing.track(level, span, TRACK),
        Text("" if one.interval is None else f"{one.interval[0]:.0f} to {one.interval[1]:.0f}", style="bright_black"),
        NOTHING if one.beside is None or beside is None else f"{one.beside:+.1f} [{beside[0]:+.1f}, {beside[1]:+.1f}]",
        Text(SHORT.get(one.verdict, one.verdict), style=STYLES[one.verdict]),
        NOTHING if one.active_percent is None else f"{one.active_percent:.0f} %",
        NOTHING if one.value is None else f"{one.value:,.0f}",
        NOTHING if one.cost is None else f"{one.cost:,.0f}",
        f"{one.relationships:,}",
        f"{one.young:,}",
    ]


def _incentives(found: Sequence[Effect]) -> RenderableType:
    rows = output.table(("incentive, given later", "left"), ("cases", "right"), ("compared", "right"), ("similar", "right"))
    output.add_columns(rows, ("effect", "right"), ("between", "right"), ("", "left"))
    rows.cut, rows.spare = ("incentive, given later",), ("similar", "compared")
    for one in found:
        between = "" if one.interval is None else f"{one.interval[0]:+.1f} to {one.interval[1]:+.1f}"
        effect: RenderableType = NOTHING if one.effect is None else f"{one.effect:+.1f}"
        cells = [one.play, f"{one.cases:,}", f"{one.relationships:,}", f"{one.similar:,}"]
        rows.add_row(*cells, effect, Text(between, style="bright_black"), Text(one.verdict, style=STYLES[one.verdict]))
    return rows


def _foot(found: Answer, most: int | None) -> str:
    """How many were looked at, and what that means."""
    thin = sum(one.verdict == "not enough cases" for one in found.cohorts)
    base = next((one.base for one in found.cohorts if one.base is not None), None)
    told = [] if base is None else [f"all {found.kind}s are at {base:.1f} in the mean"]
    told.append(f"{len(found.cohorts)} cohorts were looked at: some look good by chance, so each is drawn towards all the others")
    told += [f"{thin} have not enough cases: fewer relationships, or similar ones, than the policy's relationships_min"] if thin else []
    young = sum(one.young for one in found.cohorts if one.by == found.cohorts[0].by and one.experience == found.cohorts[0].experience)
    told += [f"{young:,} relationships are younger than {found.horizon_days} days and left out"] if young else []
    if most is not None and len(found.proposals) > most:
        told.append(f"{most} of {len(found.proposals)} proposals, --limit 0 shows all")
    return "; ".join(told)
