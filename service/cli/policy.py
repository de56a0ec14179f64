"""``policy``: the numbers behind every score: look at them, try others, adopt them."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import msgspec
from rich.table import Table
from rich.text import Text

from projections.moments import Moments
from projections.policies import Adoption, Policies, policy_of, text_of
from projections.scoring.policy import Policy
from projections.scoring.policy_file import PolicyError, Read, numbers, read, shipped
from projections.simulation import Compared, Simulation, simulate
from projections.views import Views
from schemas.touchpoint import iso
from service import own
from service.adopting import adopt as adopt_
from service.cli import drawing, output
from service.cli.options import as_json, configured, example, moments, notice
from service.clock import now_us
from service.stores import open_ledger

ROWS = 20

FILE = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))


class Told(msgspec.Struct, frozen=True, omit_defaults=False):
    """A policy as it is listed. ``adopted_at`` and what follows are null for the shipped one."""

    version: str
    digest: str | None
    adopted_at: str | None
    by: str | None
    reason: str | None
    position: int | None


class Whole(Told, frozen=True):
    """The same with every number by its name."""

    numbers: dict[str, Any]


class Checked(msgspec.Struct, frozen=True):
    """What was found in a file. ``missing``: numbers taken from the shipped policy."""

    ok: bool
    version: str | None
    digest: str | None
    missing: tuple[str, ...]
    problems: tuple[str, ...]


class Changed(msgspec.Struct, frozen=True):
    """One number that differs."""

    number: str
    before: Any
    after: Any


@click.group(
    epilog=example("""
rledger policy show > mine.toml
  rledger policy check mine.toml
  rledger policy simulate mine.toml
  rledger policy adopt mine.toml --why "what we agreed on in May"
"""),
)
def policy() -> None:
    """The numbers behind every score: weights, half-lives, priors, thresholds, each with its unit and source.

    The last policy adopted is in force, before the first adoption the one that ships with the program. Questions about the past are
    answered under the policy of their day.
    """


@policy.command(
    epilog=example("""
rledger policy show
  rledger policy show --as-of 2026-05-01 --json
"""),
)
@click.option("--shipped", "as_shipped", is_flag=True, help="The one that ships with the program.")
@moments
@as_json
def show(*, as_shipped: bool, as_of_us: int | None, known_us: int | None, as_json: bool) -> None:
    """The policy in force, as its file; who adopted it, and why, goes to stderr."""
    adoption = None
    if not as_shipped:
        asked = Moments(now_us(), as_of_us, known_us)
        with open_ledger(configured(), read_only=True) as ledger:
            policies = Policies(ledger)
        adoption = policies.when(asked.counts)
    told = _told(adoption)
    if as_json:
        facts = {name: getattr(told, name) for name in Told.__struct_fields__}
        output.json_lines([Whole(**facts, numbers=numbers(policy_of(adoption)))])
    else:
        notice(f"{told.version}, {_origin(told)}")
        click.echo(text_of(adoption), nl=False)


@policy.command(epilog=example("rledger policy history"))
@as_json
def history(*, as_json: bool) -> None:
    """Every policy there was, the newest first."""
    with open_ledger(configured(), read_only=True) as ledger:
        policies = Policies(ledger)
    rows = [_told(one) for one in (*reversed(policies.adopted), None)]
    if as_json:
        output.json_lines(rows)
        return
    table = output.table(*((heading, "left") for heading in ("version", "digest", "adopted", "by")), ("position", "right"))
    output.add_rest(table, "why")
    table.cut, table.spare = ("by",), ("digest",)
    for one in rows:
        adopted = drawing.minute(one.adopted_at) if one.adopted_at else "shipped"
        position = "" if one.position is None else f"{one.position:,}"
        table.add_row(one.version, one.digest or "cannot be read", adopted, one.by or "", position, one.reason or "")
    output.console().print(table)


@policy.command(epilog=example("rledger policy check mine.toml"))
@FILE
@as_json
@click.pass_context
def check(ctx: click.Context, *, file: Path, as_json: bool) -> None:
    """Whether FILE is a policy that can be adopted, and everything that is wrong with it. Exit code 1 when it cannot."""
    configured()
    try:
        found = _read(file)
    except PolicyError as error:
        if as_json:
            output.json_lines([Checked(ok=False, version=None, digest=None, missing=(), problems=error.problems)])
            ctx.exit(1)
        raise
    if as_json:
        output.json_lines([Checked(ok=True, version=found.policy.version, digest=found.policy.digest, missing=found.missing, problems=())])
        return
    click.echo(f"{file}: policy {found.policy.version}, {len(numbers(found.policy))} numbers, each in its range")
    if found.missing:
        click.echo(f"not in the file, taken from the shipped policy: {', '.join(found.missing)}")


@policy.command(
    epilog=example("""
rledger policy diff
  rledger policy diff mine.toml
"""),
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@as_json
def diff(*, file: Path | None, as_json: bool) -> None:
    """What FILE has otherwise than the policy in force; without FILE: what the policy in force has otherwise than the shipped one."""
    with open_ledger(configured(), read_only=True) as ledger:
        in_force = Policies(ledger).in_force
    before, after = (shipped(), in_force) if file is None else (in_force, _read(file).policy)
    rows = differences(before, after)
    if as_json:
        output.json_lines(rows)
        return
    table = output.table(("number", "left"), (before.version, "right"), (after.version, "right"))
    for one in rows:
        table.add_row(one.number, f"{one.before}", Text(f"{one.after}", style="bold"))
    output.console().print(table if rows else f"{after.version} has the same numbers as {before.version}")


@policy.command(epilog=example('rledger policy adopt mine.toml --why "calibrated on the first half of 2026"'))
@FILE
@click.option("--why", required=True, metavar="TEXT", help="The reason, kept with it.")
@as_json
def adopt(*, file: Path, why: str, as_json: bool) -> None:
    """Put the policy in FILE in force from now on, as an event by whoever does it (RLEDGER_ACTOR).

    Views are made anew under it, by the worker or by the next question; until then the old ones answer.
    """
    settings = configured()
    with open_ledger(settings) as ledger:
        adoption, new = adopt_(ledger, _text(file), where=str(file), why=why, by=own.actor(settings), at_us=now_us())
    told = _told(adoption)
    if as_json:
        output.json_lines([told])
    elif new:
        click.echo(f"policy {told.version} is in force, adopted by {told.by} at position {told.position:,}; the views follow")
    else:
        click.echo(f"policy {told.version} was in force already, {_origin(told)}")


@policy.command(
    "simulate",
    epilog=example("""
rledger policy simulate mine.toml
  rledger policy simulate mine.toml --json > moved.jsonl
"""),
)
@FILE
@click.option("--all", "every", is_flag=True, help="Those whose standing stays, too.")
@click.option("--limit", type=click.IntRange(min=0), default=ROWS, show_default=True, help="Rows of the table at most; 0 for all.")
@as_json
def simulate_(*, file: Path, every: bool, limit: int, as_json: bool) -> None:
    """How many relationships would change standing under FILE, and which. Nothing is adopted.

    Every relationship is scored from its events under both policies, which takes as long as `rledger rebuild`.
    """
    after = _read(file).policy
    with open_ledger(configured(), read_only=True) as ledger, TemporaryDirectory() as folder:
        before = Policies(ledger).in_force
        with closing(Views.open(Path(folder) / "views.db")) as scratch:
            found, rows = simulate(ledger, scratch, before, after, clock=now_us)
    told = rows if every else rows[: found.moved]
    if as_json:
        output.json_lines([found, *told])
        return
    console = output.console()
    console.print(f"Under {found.after} in place of {found.before}, {found.moved:,} of {found.relationships:,} relationships")
    console.print(f"change standing, and quality changes by {found.quality_change:+.1f} points on average.\n")
    if told:
        console.print(_moves(found), _rows(told[: limit or None]), sep="\n")
    if limit and len(told) > limit:
        console.print(output.note(f"the first {limit} by change of quality; --limit 0 shows all"))


def differences(before: Policy, after: Policy) -> list[Changed]:
    """The numbers that differ, in the file's order."""
    old, new = numbers(before), numbers(after)
    return [Changed(name, old.get(name), value) for name, value in new.items() if old.get(name) != value]


def _moves(found: Simulation) -> Table:
    table = output.table(("relationships", "right"), ("kind", "left"), ("from", "left"), ("to", "left"))
    for move in found.moves:
        standings = (drawing.standing(move.standing_before), drawing.standing(move.standing_after))
        table.add_row(f"{move.relationships:,}", move.kind, *standings)
    return table


def _rows(rows: Sequence[Compared]) -> Table:
    table = output.table(("relationship", "left"), ("name", "left"), ("from", "left"), ("to", "left"))
    output.add_columns(table, ("quality", "right"), ("then", "right"), ("change", "right"))
    table.cut, table.spare = ("name",), ("name",)
    for one in rows:
        qualities = ("·" if figure is None else f"{figure:.1f}" for figure in (one.quality_before, one.quality_after))
        standings = (drawing.standing(one.standing_before), drawing.standing(one.standing_after))
        table.add_row(one.relationship, one.name or "", *standings, *qualities, f"{one.change:+.1f}")
    return table


def _told(adoption: Adoption | None) -> Told:
    if adoption is None:
        return Told(shipped().version, shipped().digest, None, None, None, None)
    try:
        digest = adoption.read.policy.digest
    except PolicyError:
        digest = None
    event, data = adoption.event, adoption.data
    return Told(data.version, digest, iso(event.occurred_us), event.actor, data.reason, event.position)


def _origin(told: Told) -> str:
    if told.adopted_at is None:
        return "as shipped"
    return f"adopted {drawing.minute(told.adopted_at)} UTC by {told.by}{f': {told.reason}' if told.reason else ''}"


def _read(file: Path) -> Read:
    return read(_text(file), where=str(file))


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(str(file), (f"it is no UTF-8 text: {error}",)) from error
