"""``exchange``: what a currency is worth in another, from a day on."""

from datetime import datetime

import click
import msgspec

from schemas.catalogue import ExchangeRate
from schemas.errors import SettingsError
from schemas.touchpoint import LEDGER_SUBJECT
from service import own
from service.cli import output
from service.cli.options import as_json, configured, example
from service.clock import now_us
from service.stores import open_ledger


class Told(msgspec.Struct, frozen=True):
    """The rate as it was recorded, and where."""

    base: str
    quote: str
    rate: str
    effective_on: str
    position: int


@click.command(
    epilog=example("""
rledger exchange USD EUR 0.92 --on 2026-05-01
  rledger exchange GBP EUR 1.17 --on 2026-05-04 --origin "European Central Bank"
"""),
)
@click.argument("base", metavar="FROM")
@click.argument("quote", metavar="TO")
@click.argument("rate", metavar="RATE")
@click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), required=True, metavar="DATE", help="The day it holds from.")
@click.option("--origin", metavar="NAME", help="Who publishes it.")
@as_json
def exchange(*, base: str, quote: str, rate: str, on: datetime, origin: str | None, as_json: bool) -> None:
    """Record that one unit of FROM is worth RATE units of TO from a day on.

    Values bring amounts of other currencies together by the newest rate on or before their day, and leave out those without one.
    """
    settings = configured()
    told = {"base": base.upper(), "quote": quote.upper(), "rate": rate, "effective_on": on.date(), "origin": origin}
    try:
        data = msgspec.convert(told, ExchangeRate)
    except msgspec.ValidationError as error:
        raise SettingsError(f"no exchange rate: {error}. Expected ISO 4217 codes and a decimal such as 0.92") from error
    with open_ledger(settings) as ledger:
        appended = own.record(ledger, LEDGER_SUBJECT, data, by=own.actor(settings), at_us=now_us())
    made = Told(data.base, data.quote, data.rate, data.effective_on.isoformat(), appended.position)
    if as_json:
        output.json_lines([made])
    else:
        click.echo(f"1 {made.base} is {made.rate} {made.quote} from {made.effective_on} on, position {made.position:,}")
