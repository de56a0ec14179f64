"""``partners``: scorecards, exposure, and where time and money leak."""

from collections.abc import Sequence

import click
from rich.console import Group, RenderableType
from rich.text import Text

from projections.moments import Moments
from projections.partners.leaks import Leak
from projections.partners.period import Scorecard, period
from projections.partners.prices import Ask
from projections.partners.queries import Partner, Partners
from service.cli import drawing, output
from service.cli.options import as_json, configured, example, moments, notice
from service.clock import now_us
from service.reading import open_reader

ROWS = 20
NOTHING = Text("·", style="bright_black")


@click.command(
    epilog=example("""
rledger partners
  rledger partners partner/marl-freight --period 2026-Q2
  rledger partners --as-of 2026-06-30 --known-at 2026-06-30
  rledger partners --limit 0 --json > partners.jsonl
"""),
)
@click.argument("relationship", metavar="[REL]", required=False)
@click.option("--period", "asked", metavar="PERIOD", help="A year, quarter or month, such as 2026-Q2. Default: this month and 11 before.")
@click.option("--limit", type=click.IntRange(min=0), help=f"Rows at most; 0 for all. By default {ROWS} in a table, all with --json.")
@moments
@as_json
def partners(
    *, relationship: str | None, asked: str | None, limit: int | None, as_of_us: int | None, known_us: int | None, as_json: bool
) -> None:
    """Partners as purchasing sees them, those where most leaks first; or one of them in full.

    Scorecard of the period, exposure (share of spend, sole source, Kraljic's quadrant), what late or partial deliveries, defects, rates
    above the market, slow answers, disputes and late renewals cost a month, and what a remedy would do for both sides.
    """
    then = Moments(now_us(), as_of_us, known_us)
    span = period(asked, then.at_us)
    with open_reader(configured(), notice=notice) as reader:
        every = Partners(reader, then)
        found = every.all(span) if relationship is None else [every.one(relationship, span)]
    rows = found[: ROWS if limit is None and not as_json else limit or len(found)]
    if as_json:
        output.json_lines(rows)
        return
    console = output.console()
    if relationship is not None:
        console.print(_full(rows[0]))
        return
    console.print(_many(rows))
    if len(rows) < len(found):
        console.print(output.note(f"{len(rows)} of {len(found)} partners; --limit 0 shows all, `rledger partners REL` one in full"))


def _many(found: Sequence[Partner]) -> RenderableType:
    rows = output.table(("partner", "left"), ("quadrant", "left"), ("of spend", "right"), ("OTIF", "right"), ("ppm", "right"))
    output.add_columns(rows, ("price", "right"), ("answer", "right"), ("leaks a month", "right"), ("most by", "left"))
    rows.cut, rows.spare = ("most by",), ("ppm", "answer", "price", "quadrant", "of spend", "OTIF")
    for one in found:
        card, risk = one.scorecard, one.exposure
        leaking = sum(leak.cost for leak in one.leaks)
        rows.add_row(
            one.relationship,
            risk.quadrant,
            _figure(risk.share_percent, ".1f", " %"),
            _figure(card.otif_percent, ".0f", " %"),
            _figure(card.defect_ppm, ",.0f"),
            _figure(card.price_variance_percent, "+.1f", " %"),
            _figure(card.response_hours, ".0f", " h"),
            drawing.money(f"{leaking:.2f}", one.leaks[0].currency) if one.leaks else NOTHING,
            one.leaks[0].what if one.leaks else "",
        )
    return rows


def _full(one: Partner) -> RenderableType:
    quality = "" if one.quality is None else f", quality {one.quality:.1f}"
    parts: list[RenderableType] = [
        Text.assemble((one.name or one.relationship, "bold"), f"  {one.relationship}  ", drawing.standing(one.standing), quality),
        "",
        _scorecards([one.scorecard, *(one.months if len(one.months) > 1 else ())]),
        "",
        _exposure(one),
    ]
    if one.leaks:
        parts += ["", _leaks(one.leaks)]
    if one.asks:
        parts += ["", _asks(one.asks)]
    return Group(*parts)


def _scorecards(cards: Sequence[Scorecard]) -> RenderableType:
    rows = output.table(("period", "left"), ("orders", "right"), ("OTIF", "right"), ("on time", "right"), ("in full", "right"))
    output.add_columns(rows, ("days late", "right"), ("ppm", "right"), ("price", "right"), ("answer", "right"))
    output.add_columns(rows, ("unanswered", "right"), ("disputes", "right"), ("complaints", "right"), ("refuted", "right"))
    rows.spare = ("refuted", "unanswered", "disputes", "in full", "on time", "complaints", "answer", "price")
    for card in cards:
        rows.add_row(
            card.period,
            f"{card.orders:,}",
            _figure(card.otif_percent, ".0f", " %"),
            _figure(card.on_time_percent, ".0f", " %"),
            _figure(card.in_full_percent, ".0f", " %"),
            _figure(card.days_late, ".1f"),
            _figure(card.defect_ppm, ",.0f"),
            _figure(card.price_variance_percent, "+.1f", " %"),
            _figure(card.response_hours, ".0f", " h"),
            f"{card.unanswered:,}",
            f"{card.disputes:,}",
            f"{card.complaints:,}",
            _figure(card.refuted_percent, ".0f", " %"),
        )
    return rows


def _exposure(one: Partner) -> RenderableType:
    risk = one.exposure
    told = [] if risk.currency is None else [f"{drawing.money(str(risk.spend), risk.currency)} ordered in 12 months"]
    told += [] if risk.share_percent is None else [f"{risk.share_percent:.1f} % of all in {risk.currency}"]
    told += [f"sole source for {', '.join(risk.sole_source)}"] if risk.sole_source else []
    told += [f"{risk.disruptions} disruptions, {risk.disrupted_days} days"] if risk.disruptions else []
    return Text.assemble((f"{risk.quadrant}: ", "bold"), risk.advice, "\n", (" · ".join(told), "bright_black"))


def _leaks(found: Sequence[Leak]) -> RenderableType:
    """What each costs, what its remedy would bring both sides, and the remedies in words."""
    rows = output.table(("costs a month", "right"), ("between", "right"), ("what leaks", "left"), ("times", "right"))
    output.add_columns(rows, ("remedied, for us", "right"), ("for them", "right"), ("quality", "right"))
    rows.cut, rows.spare = ("what leaks",), ("times", "between", "quality")
    for leak in found:
        low, high = leak.interval
        points = leak.effect.quality
        rows.add_row(
            drawing.money(str(leak.cost), leak.currency),
            Text(f"{low:,.0f} to {high:,.0f}", style="bright_black"),
            leak.what,
            f"{leak.times:,} in {leak.months} months",
            _signed(leak.effect.ours),
            _signed(leak.effect.theirs),
            NOTHING if points is None else _signed(points, ".1f"),
        )
    return Group(rows, "", *(Text.assemble((f"{leak.leak}: ", "bright_black"), leak.remedy) for leak in found))


def _asks(found: Sequence[Ask]) -> RenderableType:
    rows = output.table(("rate to ask about", "left"), ("now", "right"), ("against", "right"), ("", "left"), ("above", "right"))
    output.add_columns(rows, ("counter", "right"), ("their gain", "right"), ("saves a month", "right"))
    rows.cut, rows.spare = ("rate to ask about",), ("", "their gain", "against", "above")
    for ask in found:
        saving = NOTHING if ask.saving is None else drawing.money(str(ask.saving), ask.currency)
        against = f"{ask.reference:,.2f}"
        above, gain = f"{ask.above_percent:+.1f} %", f"{ask.their_gain:.2f}"
        rows.add_row(f"{ask.item}, a {ask.unit}", f"{ask.rate:,.2f}", against, ask.basis, above, f"{ask.counter:,.2f}", gain, saving)
    return rows


def _signed(amount: float, form: str = ",.0f") -> Text:
    return Text(f"{amount:+{form}}", style="green" if amount > 0 else "red" if amount < 0 else "bright_black")


def _figure(value: float | None, form: str, unit: str = "") -> RenderableType:
    return NOTHING if value is None else f"{value:{form}}{unit}"
