"""``doctor``, ``rebuild``, ``schema``: looking after the service."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

import click
from rich.table import Table
from rich.text import Text

from projections.policies import Policies
from projections.rebuild import Rebuilt
from projections.rebuild import rebuild as rebuild_views
from projections.registry import projections
from schemas import documents
from service import reference
from service.cli import output
from service.cli.options import as_json, configured, example
from service.clock import now_us
from service.doctor import Check, examine
from service.stores import open_ledger, open_views

MARKS = {"ok": ("✓", "green"), "low": ("!", "yellow"), "wrong": ("✗", "red")}


@click.command(epilog=example("rledger doctor"))
@as_json
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Check everything, and say what to do. Exit code 1 when something is wrong."""
    checks = list(examine(configured(), now_us()))
    ok = all(check.verdict != "wrong" for check in checks)
    if as_json:
        output.json_lines([{"ok": ok, "checks": checks}])
    else:
        output.console().print(_findings(checks))
    ctx.exit(0 if ok else 1)


def _findings(checks: Sequence[Check]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for check in checks:
        grid.add_row(Text(*MARKS[check.verdict]), check.name, check.found)
        if check.do:
            grid.add_row("", "", Text(f"→ {check.do}", style="bold"))
    return grid


@click.command(
    epilog=example("""
rledger rebuild relationships
  rledger rebuild --all
"""),
)
@click.argument("names", metavar="[VIEW]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every view.")
@as_json
def rebuild(*, names: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Make views anew beside the old ones, compare row for row, and swap. A worker may go on meanwhile."""
    if bool(names) == every:
        raise click.UsageError("name the views to rebuild, or give --all")
    settings = configured()
    with open_ledger(settings, read_only=True) as ledger, closing(open_views(settings)) as views:
        known = projections(Policies(ledger).in_force)
        wanted = [one.name for one in known] if every else names
        rebuilt = rebuild_views(ledger, views, known, names=wanted, clock=now_us)
    if as_json:
        output.json_lines(rebuilt)
        return
    for one in rebuilt:
        click.echo(f"{one.name} version {one.version}, position {one.position:,}: {_compared(one)}")


def _compared(one: Rebuilt) -> str:
    comparison = one.comparison
    waiting = f"; {one.parked} relationships are parked, see `rledger doctor`" if one.parked else ""
    if comparison is None:
        return f"made anew, there was nothing to compare with{waiting}"
    if comparison.equal:
        return f"{comparison.same:,} rows, all as they were{waiting}"
    rows = "\n".join(
        f"  {difference.key}: {difference.what} {', '.join(difference.columns)}".rstrip() for difference in comparison.differences
    )
    counts = ", ".join(f"{getattr(comparison, what):,} {what}" for what in ("same", "changed", "added", "removed"))
    return f"{counts}{waiting}\n{rows}"


@click.command(epilog=example("rledger schema docs/reference"))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("docs/reference"))
@click.pass_context
def schema(ctx: click.Context, *, folder: Path) -> None:
    """Write a JSON Schema for every touchpoint type, the AsyncAPI document and the reference pages into FOLDER (docs/reference)."""
    configured()
    documents.write(folder)
    pages = reference.write(folder, cast("click.Group", ctx.find_root().command))
    click.echo(f"{len(documents.documents())} documents and {pages} pages are in {folder}")
