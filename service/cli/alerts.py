"""``alerts``: what somebody should see to, and what was done about it."""

from collections.abc import Sequence

import click
import msgspec
from msgspec.structs import replace
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from projections.alerts import queries
from projections.alerts.alert import KINDS, SEVERITIES, STATES, AlertKind, AlertState, Severity
from projections.alerts.queries import Asked, Listed
from projections.alerts.view import STANDING
from projections.moments import Moments
from schemas.catalogue import AlertAcknowledged, AlertAssigned, AlertResolved, AlertSnoozed, Data
from schemas.touchpoint import LEDGER_SUBJECT, moment
from service import own
from service.cli import drawing, output
from service.cli.options import MomentType, as_json, configured, example, moments, notice
from service.clock import now_us
from service.reading import open_reader
from service.stores import open_ledger

ROWS = 20
INDENT = 8  # cells
STYLES: dict[Severity, str] = {"high": "bold red", "medium": "yellow", "low": "bright_black"}
ID = click.argument("ids", metavar="ID...", nargs=-1, required=True)
NOTE = click.option("--note", metavar="TEXT", help="Why, in words.")


@click.group(
    epilog=example("""
rledger alerts list --severity high
  rledger alerts assign 4f1c09 --to a.keller
  rledger alerts resolve 4f1c09 --note "called, refunded"
"""),
)
def alerts() -> None:
    """What somebody should see to: each with its evidence and the next step. One is open for a cause at a time.

    An id may be cut short as long as it tells one alert from all others. What is done is recorded, with who did it (RLEDGER_ACTOR).
    """


@alerts.command("list", epilog=example("rledger alerts list --relationship customer/vale-printing --state all --json"))
@click.option("--kind", type=click.Choice(KINDS), metavar="KIND", help=f"One of {', '.join(KINDS)}.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only these.")
@click.option("--relationship", metavar="REL", help="Only those of customer/KEY or partner/KEY, or of the company itself: ledger.")
@click.option(
    "--state",
    type=click.Choice([*STATES, "standing", "all"]),
    default="standing",
    show_default=True,
    help="standing: open, acknowledged or snoozed.",
)
@click.option("--assignee", metavar="NAME", help="Only those that were given to NAME.")
@click.option("--news", is_flag=True, help="Without those that were past when the ledger heard of them.")
@click.option("--limit", type=click.IntRange(min=0), default=ROWS, show_default=True, help="Rows at most; 0 for all.")
@moments
@as_json
def list_(  # one option each
    *,
    kind: AlertKind | None,
    severity: Severity | None,
    relationship: str | None,
    state: str,
    assignee: str | None,
    news: bool,
    limit: int,
    as_of_us: int | None,
    known_us: int | None,
    as_json: bool,
) -> None:
    """Alerts: the gravest first, then where most is at stake, then the newest.

    What is at stake is the value of the relationship, ranked among its peers: recent margin of a customer, spend with a partner.
    """
    states = STANDING if state == "standing" else frozenset[AlertState](one for one in STATES if state in (one, "all"))
    asked = Asked(kind, severity, relationship, states, assignee, historical=not news)
    with open_reader(configured(), notice=notice) as reader:
        at = Moments(now_us(), as_of_us, known_us)
        found = queries.by_stake(reader, queries.listed(reader, asked, at), at)
        if not found and relationship is not None and relationship != LEDGER_SUBJECT:
            reader.show(relationship, at)  # one that is not there has no alerts because its name is misspelt
    told = found[:limit] if limit else found
    if as_json:
        output.json_lines([{**msgspec.structs.asdict(one.alert), "value": one.value} for one in told])
        return
    console = output.console()
    if not found:
        console.print("no alert matches")
        return
    for one in told:
        console.print(*_lines(one), sep="\n")
    more = f"the first {len(told):,} of {len(found):,}; --limit 0 shows all. " if len(told) < len(found) else ""
    free = next((f"Take one: rledger alerts ack {one.alert.id}" for one in told if one.alert.state == "open"), "")
    if more or free:
        console.print(output.note(more + free))


def _lines(listed: Listed) -> list[RenderableType]:
    """What it is in one line, why and what to do in the next."""
    one, value = listed.alert, listed.value
    state = one.state if one.assignee is None else f"{one.state}, {one.assignee}"
    history = " (history)" if one.historical else ""
    head = f"  {one.opened_at[:10]}  {one.kind.replace('_', ' ')}  {one.relationship}  "
    worth = "" if value is None else f"  {drawing.money(f'{value.amount:.2f}', value.currency)} {value.basis}"
    tail = (state + history + worth, "bright_black")
    lines: list[RenderableType] = [Text.assemble((f"{one.severity:<6}", STYLES[one.severity]), f"  {one.id}", (head, "bold"), tail)]
    lines.append(Padding.indent(Text(one.text), INDENT))
    if one.next_step is not None and one.state in STANDING:
        lines.append(Padding.indent(Text(f"→ {one.next_step}", style="cyan"), INDENT))
    return lines


@alerts.command(epilog=example("rledger alerts ack 4f1c09 7a20be"))
@ID
@NOTE
@as_json
def ack(*, ids: tuple[str, ...], note: str | None, as_json: bool) -> None:
    """Say that you have seen them."""
    _record(ids, AlertAcknowledged("?", note), "acknowledged", as_json=as_json)


@alerts.command(epilog=example("rledger alerts assign 4f1c09 --to a.keller"))
@ID
@click.option("--to", "assignee", metavar="NAME", required=True, help="Who should see to it.")
@NOTE
@as_json
def assign(*, ids: tuple[str, ...], assignee: str, note: str | None, as_json: bool) -> None:
    """Give them to somebody."""
    _record(ids, AlertAssigned("?", assignee, note), f"assigned to {assignee}", as_json=as_json)


@alerts.command(epilog=example("rledger alerts snooze 4f1c09 --until 2026-12-01"))
@ID
@click.option("--until", "until_us", type=MomentType(), metavar="MOMENT", required=True, help="An ISO date (its end, UTC) or datetime.")
@NOTE
@as_json
def snooze(*, ids: tuple[str, ...], until_us: int, note: str | None, as_json: bool) -> None:
    """Put them aside for a while; they are open again afterwards."""
    if until_us <= now_us():
        raise click.UsageError("--until is past: an alert that is put aside until then would be open again at once")
    until = moment(until_us)
    _record(ids, AlertSnoozed("?", until, note), f"snoozed until {until:%Y-%m-%d %H:%M} UTC", as_json=as_json)


@alerts.command(epilog=example('rledger alerts resolve 4f1c09 --note "called, refunded"'))
@ID
@NOTE
@as_json
def resolve(*, ids: tuple[str, ...], note: str | None, as_json: bool) -> None:
    """Say that they were dealt with. The same cause is raised again when it comes again."""
    _record(ids, AlertResolved("?", note), "resolved", as_json=as_json)


def _record(ids: Sequence[str], done: Data, words: str, *, as_json: bool) -> None:
    """Record what was done with each of the alerts, by whoever acts."""
    settings, at_us = configured(), now_us()
    with open_reader(settings, notice=notice) as reader:
        found = [queries.one(reader, id_, Moments(at_us)) for id_ in ids]
    with open_ledger(settings) as ledger:
        for one in found:
            said = own.record(ledger, one.relationship, replace(done, alert_id=one.id), by=own.actor(settings), at_us=at_us)
            if as_json:
                output.json_lines([{"id": one.id, "relationship": one.relationship, "position": said.position}])
            else:
                click.echo(f"{one.id} {one.kind.replace('_', ' ')} of {one.relationship}: {words}, position {said.position:,}")
