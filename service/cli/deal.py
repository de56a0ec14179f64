"""``deal evaluate``: a proposed deal judged from both sides before it is offered or signed."""

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from projections.deals.effects import Balance
from projections.deals.evaluate import Between, Evaluation, Figure, Verdict, evaluate
from projections.deals.proposal import DealError, Proposal, decode
from projections.moments import Moments
from projections.scoring.models import Model, models
from service.cli import FailedError, output
from service.cli.options import as_json, configured, example, notice
from service.clock import now_us
from service.reading import open_reader, policy_in_force

STDIN = "-"
VERDICTS: dict[Verdict, tuple[str, str]] = {
    "balanced": ("balanced", "green"),
    "tilted_to_us": ("tilted to us", "yellow"),
    "tilted_to_them": ("tilted to them", "yellow"),
    "unequal": ("unequal", "red"),
    "no_zone": ("no zone: no terms give both more than walking away", "red"),
    "cannot_tell": ("cannot tell: it hangs on what we do not know of them", "yellow"),
}


class Refused(msgspec.Struct, frozen=True):
    """What a line gets that cannot be evaluated, among others. ``line`` from 1."""

    line: int
    code: str
    error: str


@click.group(epilog=example("rledger deal evaluate offer.json"))
def deal() -> None:
    """Deals, judged from both sides before they are signed."""


@deal.command(
    "evaluate",
    epilog=example("""
rledger deal evaluate offer.json
  rledger deal evaluate offers.jsonl --relationship partner/steelworks --json
"""),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--relationship", metavar="REL", help="Tell the effects on this one, as it stands now.")
@click.option("--kind", type=click.Choice(["customer", "partner"]), help="Tell the effects on a new one of this kind; customer by default.")
@as_json
def evaluate_(*, file: Path, relationship: str | None, kind: str | None, as_json: bool) -> None:
    """Judge the deal in FILE or (-) on stdin: what each side gains, whether both could have more, what to offer instead.

    FILE holds a JSON object: issues as a negotiation is opened with, and terms, a number an issue. JSON lines are answered a line each.
    docs/deals.md says what the figures mean.
    """
    if relationship is not None and kind is not None:
        raise click.UsageError("give --relationship or --kind, not both")
    deals = _split(sys.stdin.buffer.read() if str(file) == STDIN else file.read_bytes())
    model, balance = _present(relationship, kind or "customer")
    refused = 0
    for line, body in deals:
        try:
            proposal = decode(body)
            found = evaluate(proposal, model, balance)
        except DealError as error:
            if len(deals) == 1:
                raise
            refused += 1
            told: Evaluation | Refused = Refused(line, error.code, error.reason)
            drawn: RenderableType = Text(f"line {line} cannot be evaluated: {error.reason}\n", style="red")
        else:
            told, drawn = found, _card(proposal, found)
        if as_json:
            output.json_lines([told])
        else:
            output.console().print(drawn)
    if refused:
        raise FailedError(f"{refused} of {len(deals)} deals cannot be evaluated")


def _split(body: bytes) -> list[tuple[int, bytes]]:
    """A deal a line, each with the number of its line, where the first line is one; else a single deal on all the lines."""
    lines = [(number, line) for number, line in enumerate(body.splitlines(), start=1) if line.strip()]
    try:
        msgspec.json.decode(lines[0][1] if lines else b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [(1, body)]
    return lines


def _present(relationship: str | None, kind: str) -> tuple[Model, Balance | None]:
    """The model of the relationship's kind and its balance as it stands; None where nothing is known of it."""
    settings = configured()
    if relationship is None:
        return models(policy_in_force(settings))[kind], None
    with open_reader(settings, notice=notice) as reader:
        shown = reader.show(relationship, Moments(now_us()))
        by_kind = models(reader.policy)
    model, balance = by_kind[shown.kind], shown.dimensions["balance"]
    if balance.level is None:
        return model, None
    return model, Balance(balance.level, balance.evidence + model.dimensions[model.numbers["balance"]].prior_events)


def _card(proposal: Proposal, found: Evaluation) -> RenderableType:
    """The deal at a glance."""
    text, style = VERDICTS[found.verdict]
    lines: list[RenderableType] = [Text(text, style=f"bold {style}"), "", _terms(proposal, found), ""]
    if found.nash_efficiency is not None:
        lines.append(f"It reaches {_percent(found.nash_efficiency)} of the largest product of gains there is.")
    if found.counter_offer is not None:
        lines.append("Both could have more: the counter-offer is at least as good for either side and better for one.")
    effects = found.effects
    lines.append(f"Closing it would change balance by {effects.balance:+.2f} and quality by {effects.quality:+.1f} points.")
    if effects.reputation < 0.0:
        lines.append(f"It would count against our reputation, as {-effects.reputation:.1f} events of evidence.")
    lines += [Text(f"- {caution.text}", style="yellow") for caution in effects.warnings]
    return Group(*lines, "")


def _terms(proposal: Proposal, found: Evaluation) -> RenderableType:
    """The issues with both sides' ranges and the terms that compare, and under them what each gives."""
    points = [("Nash", found.nash_point), ("Kalai-Smorodinsky", found.ks_point), ("counter-offer", found.counter_offer)]
    shown = [(name, point) for name, point in points if point is not None]
    headings = ("our walk-away", "target", "their walk-away", "target", "the deal", *(name for name, _ in shown))
    table = output.table(("issue", "left"), *((heading, "right") for heading in headings))
    table.cut, table.spare = ("issue",), ("Kalai-Smorodinsky", "Nash")
    for issue in found.ours.target:
        ranges = [side[issue] for side in (found.ours.reservation, found.ours.target, found.theirs.reservation, found.theirs.target)]
        terms = [proposal.terms[issue], *(point.terms[issue] for _, point in shown)]
        table.add_row(issue, *map(_number, ranges), *map(_number, terms))
    gained = [(found.ours.gain, found.theirs.gain), *((point.ours, point.theirs) for _, point in shown)]
    for label, gains in zip(("we gain", "they gain"), zip(*gained, strict=True), strict=True):
        table.add_row(Text(label, style="bold"), *[""] * 4, *(Text(_gain(gain), style="bold") for gain in gains))
    return table


def _number(figure: Figure) -> str:
    return f"{figure.low:g} to {figure.high:g}" if isinstance(figure, Between) else f"{figure:g}"


def _gain(figure: Figure) -> str:
    return f"{figure.low:.2f} to {figure.high:.2f}" if isinstance(figure, Between) else f"{figure:.2f}"


def _percent(figure: Figure) -> str:
    return f"{figure.low:.0%} to {figure.high:.0%}" if isinstance(figure, Between) else f"{figure:.0%}"
