"""``erase``, ``hold``, ``vault``, ``pseudonym``: personal data, and the keys to it."""

import sys

import click

from schemas.errors import SettingsError
from service import masters, own
from service.cli import output
from service.cli.options import as_json, configured, example, notice
from service.clock import now_us
from service.copies.remembered import backups_before
from service.erasing import Erased
from service.erasing import erase as erase_now
from service.erasing import hold as hold_now
from service.erasing import rotate as rotate_now
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
        backups = backups_before(ledger, erased.position)
    if as_json:
        output.json_lines([erased])
    else:
        click.echo(_told(erased))
    for one in backups:
        click.echo(
            f"the backup in {one.folder} still holds the key: `rledger backup` to it again, and destroy older copies of it", err=True
        )


def _told(erased: Erased) -> str:
    said = [f"{erased.relationship} {'was erased already,' if erased.already else 'is erased,'} position {erased.position:,}"]
    if erased.letters:
        said.append(f"{erased.letters:,} dead letters about it: only why they were refused is left")
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


@click.command(
    epilog=example("""
rledger show "$(rledger pseudonym customer/ada@example.com)"
  rledger pseudonym --json < addresses
""")
)
@click.argument("names", metavar="[REL]...", nargs=-1)
@as_json
def pseudonym(*, names: tuple[str, ...], as_json: bool) -> None:
    """Print what stands in the ledger for REL, a kind and an address or a name; without REL, for each line of stdin.

    By the secret in RLEDGER_PSEUDONYM_KEY, as publishers and `rledger import` make it. It looks nothing up, and records nothing.
    """
    make = masters.pseudonyms_of(configured())
    if make is None:
        raise SettingsError("no pseudonym can be made without the secret: give it as RLEDGER_PSEUDONYM_KEY, the one that publishers use")
    made = []
    for name in names or map(str.strip, sys.stdin):
        kind, slash, plain = name.partition("/")
        if not slash or not plain:
            raise click.UsageError(f"{name!r} is no relationship: expected customer/NAME or partner/NAME")
        made.append({"name": name, "relationship": f"{kind}/{make(plain)}"})
    if as_json:
        output.json_lines(made)
    else:
        click.echo("\n".join(one["relationship"] for one in made))


@click.group(
    epilog=example("""
rledger vault show
  rledger vault rotate --why "the yearly change"
""")
)
def vault() -> None:
    """The keys that personal data is encrypted with, and the master key that wraps them."""


@vault.command(epilog=example("RLEDGER_MASTER_KEY=$(rledger vault new) rledger append touchpoints.jsonl"))
def new() -> None:
    """Print a new master key, for RLEDGER_MASTER_KEY or a key vault. It is kept nowhere."""
    click.echo(masters.new())


@vault.command(epilog=example("rledger vault show --json"))
@as_json
def show(*, as_json: bool) -> None:
    """Whether personal data is encrypted here, and where the master key is; never the key itself."""
    settings = configured()
    with open_ledger(settings, read_only=True) as ledger:
        state = masters.state(settings, ledger)
    if as_json:
        output.json_lines([state])
    else:
        click.echo(state.told)


@vault.command(
    epilog=example("""
rledger vault rotate --why "the yearly change"
  RLEDGER_MASTER_KEY="$NEW $OLD" rledger vault rotate --why "the yearly change"
""")
)
@click.option("--why", metavar="TEXT", required=True, help="The reason; it is recorded with who did it.")
@as_json
def rotate(*, why: str, as_json: bool) -> None:
    """Wrap every key by another master key, so that copies of erased ones in old backups are worthless once the old one is destroyed.

    Where the master key is a file, a new one is made and takes its place; else give the new one before the old one. Cut off, run it again.
    """
    settings = configured()
    with open_ledger(settings) as ledger:
        rotated = rotate_now(settings, ledger, why, at_us=now_us())
    if as_json:
        output.json_lines([rotated])
    else:
        click.echo(f"{rotated.keys:,} keys are under master key {rotated.master} now; destroy every copy of the old one")
