"""``export``, ``restore``: events as files, with what proves them, and a ledger made of them again."""

from pathlib import Path

import click
import msgspec

from ledger.proof.keys import VerifierKey
from ledger.proof.text import encode_base64
from schemas.touchpoint import moment
from service import own
from service.audit.checkpoints import Checkpoints
from service.cli import output
from service.cli.options import MomentType, as_json, configured, example
from service.clock import now_us
from service.copies import restore as restoring
from service.copies.export import Export
from service.copies.manifest import EventsFormat, Manifest, Selection
from service.copies.reading import WholeCopy
from service.stores import open_ledger

WHY = click.option("--why", required=True, metavar="TEXT", help="What it is for, as recorded in the ledger with your name.")


@click.command(
    epilog=example("""
rledger export --output audit-2026 --why "yearly audit"
  rledger export --relationship customer/acme --output acme --why "request under GDPR article 15"
  rledger export --kind partner --since 2026-01-01 --until 2026-03-31 --output q1 --why "supplier review"
  rledger export --from 100001 --output new --why "nightly copy"
"""),
)
@click.option("--format", "form", type=click.Choice(["jsonl"]), default="jsonl", show_default=True, help="Of the events.")
@click.option("--relationship", "relationships", multiple=True, metavar="REL", help="Only its events; repeat for more.")
@click.option("--kind", type=click.Choice(["customer", "partner"]), help="Only events of customers, or of partners.")
@click.option(
    "--since", type=MomentType(begins=True), metavar="MOMENT", help="Only what happened from then on; a date: from its beginning."
)
@click.option("--until", type=MomentType(), metavar="MOMENT", help="Only what happened by then; a date: up to the end of that UTC day.")
@click.option("--from", "first", type=click.IntRange(min=1), default=1, metavar="POSITION", help="Only events from this position on.")
@click.option("--to", "last", type=click.IntRange(min=1), metavar="POSITION", help="Only events up to this position.")
@click.option("--output", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), help="A new folder for the files.")
@WHY
@as_json
def export(
    *,
    form: EventsFormat,
    relationships: tuple[str, ...],
    kind: str | None,
    since: int | None,
    until: int | None,
    first: int,
    last: int | None,
    folder: Path,
    why: str,
    as_json: bool,
) -> None:
    """Write events to a folder: a record a line as it stands in the store, a manifest, and the signed checkpoint that proves them.

    Nothing chosen, it is the whole log, which can be imported into an empty ledger. bin/verify-ledger verifies it without this program
    (docs/verification.md). What the ledger encrypts stays encrypted. That you exported is recorded, with your name.
    """
    settings = configured()
    times = [None if us is None else moment(us) for us in (since, until)]
    selection = Selection(relationships, kind, times[0], times[1], first, last)
    with open_ledger(settings) as ledger, output.progress("exporting") as told:
        found = Export(Checkpoints.of(settings, ledger), selection, now_us())
        made = found.write(folder, form, why=why, by=own.actor(settings), told=told)
    _tell(made, folder, as_json=as_json)


def _tell(made: Manifest, folder: Path, *, as_json: bool) -> None:
    if as_json:
        output.json_lines([made])
        return
    positions = f", positions {made.first_position:,} to {made.last_position:,}" if made.events else ""
    click.echo(f"{made.events:,} events{positions}, proven by the checkpoint of {made.size:,} events, in {folder}")


class Restored(msgspec.Struct, frozen=True):
    """What a ledger was made of. ``checkpoint``: size of the signed one that proves it; ``root``: of all events, in base64."""

    origin: str
    events: int
    root: str
    checkpoint: int


@click.command(
    epilog=example("""
rledger restore audit-2026
  rledger restore audit-2026 --vkey "$(cat ledger.vkey)"
"""),
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--vkey", "vkeys", multiple=True, metavar="KEY", help="The verifier key you hold; without it, keys in the copy count.")
@as_json
def restore(*, folder: Path, vkeys: tuple[str, ...], as_json: bool) -> None:
    """Make an empty ledger the one in FOLDER, an export of a whole log: same events, positions, moments, and root.

    FOLDER is verified before anything is written, and what was written is read again. Interrupted, the same command goes on. Views are
    made anew by `rledger project --once`.
    """
    settings = configured()
    copy = WholeCopy(folder)
    with output.progress("checking the copy") as told:
        opened = copy.verify([VerifierKey.parse(vkey) for vkey in vkeys], told)
    with open_ledger(settings) as ledger:
        with output.progress("writing") as told:
            tree = restoring.load(ledger, copy, opened, told)
        with output.progress("reading again") as told:
            restoring.read_again(ledger, tree, told)
    _tell_restored(Restored(copy.manifest.origin, tree.size, encode_base64(tree.root()), opened.checkpoint.size), as_json=as_json)


def _tell_restored(made: Restored, *, as_json: bool) -> None:
    if as_json:
        output.json_lines([made])
        return
    click.echo(f"{made.events:,} events, root {made.root}, as signed at {made.checkpoint:,} events")
