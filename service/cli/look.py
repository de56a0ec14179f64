"""``show``, ``list``, ``explain``, ``history``, ``event``: the questions of managers and auditors."""

import click
from msgspec.structs import replace

from projections import histories
from projections.alerts.queries import Asked, listed, next_steps, turned
from projections.alerts.view import STANDING
from projections.answers import Shown
from projections.listing import SORTS, in_order
from projections.moments import Moments
from projections.scoring.standing import STANDINGS
from service.cli import cards, output
from service.cli.options import PositionType, as_json, configured, example, moments, notice
from service.clock import now_us
from service.reading import open_reader
from service.stores import holding, open_ledger

RELATIONSHIP = click.argument("relationship", metavar="REL")
ROWS = 20
EVENTS = 15  # of an explanation told one by one


def _asked(as_of_us: int | None, known_us: int | None) -> Moments:
    return Moments(now_us(), as_of_us, known_us)


@click.command(
    epilog=example("""
rledger show customer/vale-printing
  rledger show customer/vale-printing --as-of 2026-05-01 --json
"""),
)
@RELATIONSHIP
@moments
@as_json
def show(*, relationship: str, as_of_us: int | None, known_us: int | None, as_json: bool) -> None:
    """One relationship: how good, why, where it is going.

    REL is customer/KEY or partner/KEY. Quality runs from 0 to 100; the thick stretch is where it lies with 90 % probability. The course has
    a stroke a week, up to a year.
    """
    with open_reader(holding(configured(), relationship), notice=notice) as reader:
        asked = _asked(as_of_us, known_us)
        every = listed(reader, Asked(relationship=relationship, states=()), asked)
        found = reader.portrait(relationship, asked, turned(every))
        standing = [one for one in every if one.state in STANDING]
        found = replace(found, next_steps=tuple(next_steps(found, standing, reader.policy_at(asked))))
    if as_json:
        output.json_lines([found])
    else:
        console = output.console()
        console.print(cards.card(found, console.width))


@click.command(
    "list",
    epilog=example("""
rledger list --kind customer --standing repair
  rledger list --name kestrel
  rledger list --sort trend --limit 10
  rledger list --limit 0 --json > all.jsonl
"""),
)
@click.option("--kind", type=click.Choice(["customer", "partner"]), help="Only these.")
@click.option("--standing", type=click.Choice(STANDINGS), help="Only these.")
@click.option("--segment", metavar="NAME", help="Only those of this segment.")
@click.option("--name", metavar="TEXT", help="Only those with this in their name or key, in capital or small letters.")
@click.option(
    "--sort", type=click.Choice(SORTS), default="quality", show_default=True, metavar="COLUMN", help=f"One of {', '.join(SORTS)}."
)
@click.option("--descending", "-d", is_flag=True, help="Largest first.")
@click.option("--limit", type=click.IntRange(min=0), default=ROWS, show_default=True, help="Rows at most; 0 for all.")
@moments
@as_json
def list_(  # one option each
    *,
    kind: str | None,
    standing: str | None,
    segment: str | None,
    name: str | None,
    sort: str,
    descending: bool,
    limit: int,
    as_of_us: int | None,
    known_us: int | None,
    as_json: bool,
) -> None:
    """Many relationships, filtered and sorted; the smallest figure first unless --descending."""
    asked = _asked(as_of_us, known_us)
    found: list[Shown] = []
    for settings in configured().each:
        with open_reader(settings, notice=notice) as reader:
            found += reader.list(
                asked, kind=kind, standing=standing, segment=segment, name=name, sort=sort, descending=descending, limit=limit
            )
    rows = in_order(found, sort, descending=descending)[: limit or None]
    if as_json:
        output.json_lines(rows)
        return
    console = output.console()
    console.print(cards.many(rows, drawn=console.is_terminal))
    if not rows:
        console.print(output.note("no relationship matches"))
    elif len(rows) == limit:
        console.print(output.note(f"the first {limit} by {sort}; --limit 0 shows all"))


@click.command(
    epilog=example("""
rledger explain customer/vale-printing
  rledger explain customer/vale-printing --json
"""),
)
@RELATIONSHIP
@click.option("--limit", type=click.IntRange(min=0), default=EVENTS, show_default=True, help="Events told one by one; 0 for all.")
@moments
@as_json
def explain(*, relationship: str, limit: int, as_of_us: int | None, known_us: int | None, as_json: bool) -> None:
    """The events behind a score, the largest first.

    The peers' mean and every event's points add up to the quality. With --json every event has its line, whatever --limit says.
    """
    with open_reader(holding(configured(), relationship), notice=notice) as reader:
        explanation = reader.explain(relationship, _asked(as_of_us, known_us))
    if as_json:
        output.json_lines([explanation.head, *explanation.events, explanation.others])
    else:
        output.console().print(cards.waterfall(explanation, limit))


@click.command(
    epilog=example("""
rledger history customer/vale-printing --limit 50
  rledger history customer/vale-printing --json > events.jsonl
"""),
)
@RELATIONSHIP
@click.option("--limit", type=click.IntRange(min=0), help=f"The newest so many; 0 for all. By default {ROWS} in a table, all with --json.")
@click.option("--all", "every", is_flag=True, help="From the first on.")
@moments
@as_json
def history(*, relationship: str, limit: int | None, every: bool, as_of_us: int | None, known_us: int | None, as_json: bool) -> None:
    """The events of one relationship, as recorded, oldest first."""
    rows = 0 if every or (as_json and limit is None) else ROWS if limit is None else limit
    with open_reader(holding(configured(), relationship), notice=notice) as reader:
        lines = reader.history(relationship, _asked(as_of_us, known_us), limit=rows)
    if as_json:
        output.json_lines(lines)
        return
    console = output.console()
    console.print(cards.events(lines))
    if len(lines) == rows and lines[0].version > 1:
        console.print(output.note(f"the newest {rows} of {lines[-1].version}; --all shows every one"))


@click.command(
    epilog=example("""
rledger event 21,549
  rledger event /shop 4711 --json
"""),
)
@click.argument("names", metavar="POSITION|SOURCE ID", nargs=-1, required=True)
@as_json
@click.pass_context
def event(ctx: click.Context, *, names: tuple[str, ...], as_json: bool) -> None:
    """One event whole, by its position or by its source and id; and what became of it.

    Positions stand in explanations, histories and alerts.
    """
    if len(names) > 2:  # noqa: PLR2004  # a source and an id
        raise click.UsageError("give a POSITION, or a SOURCE and an ID")
    with open_ledger(configured(), read_only=True) as ledger:
        if len(names) == 1:
            stored = histories.at_position(ledger, PositionType().convert(names[0], None, ctx))
        else:
            stored = histories.identified(ledger, *names)
        line = histories.whole(ledger, stored)
    if as_json:
        output.json_lines([line])
    else:
        output.console().print(cards.event(stored.relationship, line), soft_wrap=True)
