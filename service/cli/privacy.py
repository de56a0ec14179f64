"""``erase``, ``hold``, ``vault``: personal data, and the keys to it."""

import click

from service import own
from service.cli import output
from service.cli.options import as_json, configured, example, notice
from service.clock import now_us
from service.erasing import Erased
from service.erasing import erase as erase_now
from service.erasing import hold as hold_now
from service.stores import holding, open_ledger

RELATIONSHIP = click.argument("relationship", metavar="REL")


@click.command(epilog=example('rledger erase customer/kestrel-garden --why "request under GDPR article 17, ticket 4711"'))
@RELATIONSHIP
@click.option("--why", metavar="TEXT", required=True, help="The request or rule it rests on; it is recorded with who did it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def erase(*, relationship: str, why: str, yes: bool, as_json: bool) -> None:
    """Erase what is personal about REL, for ever: names, words, owners become unreadable, also in touchpoints yet to come.

    Its key is destroyed; the events, their proofs and the scores stay. docs/privacy.md says what this reaches and what it does not.
    Run again, it finishes what was cut off.
    """
    settings = holding(configured(), relationship)
    if not yes:
        click.confirm(f"erase the personal data of {relationship}, for ever?", abort=True, err=True)
    with open_ledger(settings) as ledger:
        erased = erase_now(settings, ledger, relationship, why, at_us=now_us(), notice=notice)
    if as_json:
        output.json_lines([erased])
    else:
        click.echo(_told(erased))


def _told(erased: Erased) -> str:
    said = [f"{erased.relationship} {'was erased already,' if erased.already else 'is erased,'} position {erased.position:,}"]
    if erased.plain:
        said.append(f"{erased.plain:,} of its events came before encryption was on: what is personal in them stays in the log")
    if not erased.clean:
        said.append("somebody is reading: copies may be left in the database's files; run this again")
    return "\n".join(said)


@click.command(
    epilog=example("""
rledger hold partner/boreal-steel --why "case 12 O 345/26"
  rledger hold partner/boreal-steel --release --why "the case is settled"
""")
)
@RELATIONSHIP
@click.option("--why", metavar="TEXT", required=True, help="The case or rule it rests on; it is recorded with who did it.")
@click.option("--release", is_flag=True, help="It need no longer be kept.")
@as_json
def hold(*, relationship: str, why: str, release: bool, as_json: bool) -> None:
    """Keep REL from being erased: a legal hold."""
    settings = holding(configured(), relationship)
    with open_ledger(settings) as ledger:
        held = hold_now(ledger, relationship, why, release=release, by=own.actor(settings), at_us=now_us())
    if as_json:
        output.json_lines([held])
    else:
        click.echo(f"{relationship} {'is held' if held.held else 'may be erased again'}, position {held.position:,}")
