"""``correct``: a touchpoint was a mistake."""

import sys
from pathlib import Path

import click

from service import own
from service.cli import output
from service.cli.options import as_json, configured, example
from service.clock import now_us
from service.correcting import Made
from service.correcting import correct as make
from service.stores import open_ledger

STDIN = "-"


@click.command(
    epilog=example("""
rledger correct /shop 4711 --why "ordered twice by a slip, cancelled the same hour"
  rledger correct /shop 4712 --why "the amount had a digit too many" --replace right.json
"""),
)
@click.argument("source")
@click.argument("id_", metavar="ID")
@click.option("--why", metavar="TEXT", required=True, help="The reason, in words; it is recorded with who says so.")
@click.option("--replace", type=click.Path(path_type=Path), metavar="FILE", help="The data it should have held, as JSON; - for stdin.")
@as_json
def correct(*, source: str, id_: str, why: str, replace: Path | None, as_json: bool) -> None:
    """Withdraw the touchpoint with SOURCE and ID, or replace its data.

    Nothing is deleted: the history keeps both. Every score, view and explanation follows the correction; --known-at a moment before it
    still tells what was believed then. Of several corrections the last one recorded counts.
    """
    settings = configured()
    replacement = None if replace is None else sys.stdin.buffer.read() if str(replace) == STDIN else replace.read_bytes()
    with open_ledger(settings) as ledger:
        made = make(ledger, source, id_, why=why, replacement=replacement, by=own.actor(settings), at_us=now_us())
    if as_json:
        output.json_lines([made])
    else:
        click.echo(_told(made))


def _told(made: Made) -> str:
    instead = "" if made.instead_of is None else f"; the correction at position {made.instead_of:,} no longer holds"
    return f"position {made.corrects:,} of {made.relationship} is {made.now} by position {made.position:,}{instead}"
