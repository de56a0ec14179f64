"""``calibrate``: fit the policy to the ledger, test it on what came later, and propose one."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from projections.calibration.calibrate import Answered, Change, notes, split
from projections.calibration.calibrate import calibrate as calibrate_
from projections.calibration.measures import Bin, Figure
from projections.calibration.observed import events, observed
from projections.calibration.peers import Mean
from projections.policies import Policies, text_of
from projections.scoring.policy_file import replaced, written
from schemas.touchpoint import iso, microseconds
from service.cli import output
from service.cli.options import as_json, configured, example, notice
from service.days import DAY_US
from service.stores import open_ledger

_calibrated = re.compile(r"-calibrated-\d{4}-\d\d-\d\d$")


class Report(msgspec.Struct, frozen=True):
    """All of it. until: the last day of the earlier part. proposed: the version of the policy proposed, null where nothing is."""

    until: str
    first: str
    last: str
    relationships: int
    policy: str
    proposed: str | None
    customers: Answered
    partners: Answered
    means: tuple[Mean, ...]
    changes: tuple[Change, ...]


@click.command(
    epilog=example("""
rledger calibrate
  rledger calibrate --until 2026-03-31 --write calibrated.toml
  rledger policy simulate calibrated.toml
"""),
)
@click.option("--until", metavar="DAY", type=click.DateTime(["%Y-%m-%d"]), help="The last day to fit on; by default after two thirds.")
@click.option("--write", "to", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write the policy that is proposed.")
@as_json
def calibrate(*, until: datetime | None, to: Path | None, as_json: bool) -> None:
    """Fit the policy to this ledger: the earlier part fits, the later part tests, against plain baselines.

    Fitted are the purchase model (who buys again), the delivery level (which delivery comes on time and in full) and the peers' mean of
    every dimension. What does worse on the later part is not proposed; where there is too little, it says how much is missing. Intervals
    are of 90 %, by the bootstrap over relationships. Nothing is adopted: see `rledger policy adopt`.
    """
    settings = configured()
    with open_ledger(settings, read_only=True) as ledger:
        policies = Policies(ledger)
        policy = policies.in_force
        notice("reading the ledger ...")
        histories = observed(events(ledger))
    until_us = None if until is None else microseconds(until.replace(tzinfo=UTC)) + DAY_US
    when = split(histories, policy.purchases.horizon_days, until_us)
    notice("fitting and testing ...")
    found = calibrate_(histories, policy, when)
    day = iso(when.at_us - DAY_US)[:10]
    proposed = f"{_calibrated.sub('', policy.version)}-calibrated-{day}" if found.changes else None
    report = Report(
        until=day,
        first=iso(when.first_us)[:10],
        last=iso(when.end_us - DAY_US)[:10],
        relationships=len(histories),
        policy=policy.version,
        proposed=proposed,
        customers=found.customers,
        partners=found.partners,
        means=found.means,
        changes=found.changes,
    )
    if to is not None and proposed is not None:
        to.write_text(written(replaced(found.policy, {"version": proposed}), text_of(policies.newest), notes(found.changes)), "utf-8")
    if as_json:
        output.json_lines([report])
        return
    output.console().print(_told(report))
    if proposed is None:
        click.echo("no other policy is proposed" + ("; nothing was written" if to is not None else ""))
    elif to is not None:
        click.echo(
            f"policy {proposed} is in {to}: `rledger policy simulate {to}` says what it would change, `rledger policy adopt` adopts it"
        )
    else:
        click.echo(f"policy {proposed} is proposed; --write FILE writes it")


def _told(report: Report) -> RenderableType:
    """The whole for people."""
    times = f"fitted on {report.first} to {report.until}, tested to {report.last}"
    head = f"{report.relationships:,} relationships, {times}, against {report.policy}"
    return Group(head, "", *_question(report.customers), *_question(report.partners), _means(report.means), "", _changes(report.changes))


def _question(asked: Answered) -> list[RenderableType]:
    title = Text(f"{asked.kind}s: {asked.question}", style="bold")
    counts = f"{asked.outcomes:,} outcomes of {asked.relationships:,} {asked.kind}s, {asked.happened:,} of them yes"
    if asked.thin is not None:
        return [title, Text(f"too little to tell: {asked.thin}", style="yellow"), ""]
    table = output.table(
        ("told by", "left"),
        *((heading, "right") for heading in ("AUC", "", "log loss", "", "Brier", "", "calibration error", "")),
        spare=[""],
    )
    for one in asked.predictors:
        cells = [cell for figure in (one.auc, one.log_loss, one.brier, one.calibration_error) for cell in _figure(figure)]
        table.add_row(Text(one.name, style="bold" if one.name == "calibrated" else ""), *cells)
    verdict = Text("the fitted numbers are proposed", style="green")
    if not asked.taken:
        verdict = Text(f"nothing is proposed: {asked.why}", style="yellow")
    if asked.spared is not None:
        low, high = asked.spared.interval
        verdict.append(f"; they spare {asked.spared.value:+.4f} log loss an outcome, {low:+.4f} to {high:+.4f}")
    return [title, counts, "", table, "", _reliability(asked.reliability), verdict, ""]


def _reliability(bins: Sequence[Bin]) -> Table:
    table = output.table(("outcomes", "right"), ("chance told", "right"), ("share that happened", "right"), ("between", "right"))
    for one in bins:
        low, high = one.interval
        table.add_row(f"{one.outcomes:,}", f"{one.chance:.2f}", f"{one.share:.2f}", Text(f"{low:.2f} to {high:.2f}", style="bright_black"))
    return table


def _means(means: Sequence[Mean]) -> Table:
    table = output.table(
        ("peers' mean of", "left"), ("in force", "right"), ("found", "right"), ("between", "right"), ("relationships", "right")
    )
    output.add_columns(table, ("loss", "right"), ("then", "right"))
    table.spare = ("relationships", "between")
    output.add_rest(table, "")
    for one in means:
        between = "" if one.interval is None else f"{one.interval[0]:.2f} to {one.interval[1]:.2f}"
        losses = ["" if loss is None else f"{loss:.4f}" for loss in (one.loss_before, one.loss_after)]
        found = "" if one.interval is None else f"{one.after:.2f}"
        verdict = Text("proposed", style="green") if one.taken else Text(one.why or "", style="bright_black")
        name = one.number.removesuffix(".prior_mean")
        table.add_row(name, f"{one.before:.2f}", found, between, f"{one.relationships:,}", *losses, verdict)
    return table


def _changes(changes: Sequence[Change]) -> RenderableType:
    if not changes:
        return ""
    table = output.table(("proposed", "left"), ("in force", "right"), ("fitted", "right"), ("on", "left"))
    for one in changes:
        table.add_row(one.number, f"{one.before:g}", Text(f"{one.after:g}", style="bold"), one.fitted_on)
    return table


def _figure(figure: Figure) -> tuple[str, Text]:
    low, high = figure.interval
    return f"{figure.value:.3f}", Text(f"{low:.3f} to {high:.3f}", style="bright_black")
