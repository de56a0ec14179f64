"""``export``, ``backup``, ``restore``: events as files, with what proves them, and a ledger made of them again."""

from pathlib import Path

import click
import msgspec

from ledger.proof.keys import VerifierKey
from ledger.proof.text import encode_base64
from schemas.touchpoint import iso, moment
from service import masters, own
from service.audit.checkpoints import Checkpoints
from service.cli import output
from service.cli.options import MomentType, PositionType, as_json, configured, example
from service.clock import now_us
from service.copies import behind
from service.copies import restore as restoring
from service.copies.backup import back_up
from service.copies.export import Export
from service.copies.manifest import EventsFormat, Manifest, Selection
from service.copies.reading import Verified, WholeCopy
from service.stores import keys_path, open_ledger

WHY = click.option("--why", required=True, metavar="TEXT", help="What it is for, as recorded in the ledger with your name.")


@click.command(
    epilog=example("""
rledger export --output audit-2026 --why "yearly audit"
  rledger export --relationship customer/acme --output acme --why "request under GDPR article 15"
  rledger export --kind partner --since 2026-01-01 --until 2026-03-31 --output q1 --why "supplier review"
  rledger export --format parquet --output for-duckdb --why "margin by segment"
  rledger export --from 100001 --output new --why "nightly copy"
"""),
)
@click.option("--format", "form", type=click.Choice(["jsonl", "parquet"]), default="jsonl", show_default=True, help="Of the events.")
@click.option("--relationship", "relationships", multiple=True, metavar="REL", help="Only its events; repeat for more.")
@click.option("--kind", type=click.Choice(["customer", "partner"]), help="Only events of customers, or of partners.")
@click.option(
    "--since", type=MomentType(begins=True), metavar="MOMENT", help="Only what happened from then on; a date: from its beginning."
)
@click.option("--until", type=MomentType(), metavar="MOMENT", help="Only what happened by then; a date: up to the end of that UTC day.")
@click.option("--from", "first", type=PositionType(), default=1, metavar="POSITION", help="Only events from this position on.")
@click.option("--to", "last", type=PositionType(), metavar="POSITION", help="Only events up to this position.")
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
    """Write events to a folder: each as it stands in the store, a manifest, and the signed checkpoint that proves them.

    Nothing chosen, it is the whole log, of which `rledger restore` makes a ledger. bin/verify-ledger verifies it without this program
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
    if not made.events:
        click.echo(f"no event is of what was chosen: {folder} holds a checkpoint and nothing else; `rledger list --name TEXT` finds names")
        return
    positions = f", positions {made.first_position:,} to {made.last_position:,}"
    click.echo(f"{made.events:,} events{positions}, proven by the checkpoint of {made.size:,} events, in {folder}")


class Made(msgspec.Struct, frozen=True):
    """What a copy holds, and what a ledger was made of. ``root``: of all its events, in base64; ``checkpoint``: size of the signed one.

    until: when its last event was recorded. besides: whether offsets and dead letters are in it. keys: how many were put back.
    lost: events that a known checkpoint counts and the copy does not hold, which is recorded at position ``recorded``.
    """

    origin: str
    events: int
    root: str
    checkpoint: int
    until: str
    besides: bool
    keys: int = 0
    lost: int = 0
    recorded: int | None = None


@click.command(
    epilog=example("""
rledger backup /mnt/backup/ledger
  rledger backup /mnt/backup/ledger --no-keys --json
"""),
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--keys/--no-keys", "with_keys", default=True, help="Take the private keys that sign checkpoints as well: keep it safe.")
@click.option(
    "--why", default="backup", show_default=True, metavar="TEXT", help="What it is for, as recorded in the ledger with your name."
)
@as_json
def backup(*, folder: Path, with_keys: bool, why: str, as_json: bool) -> None:
    """Back the ledger up to FOLDER while it is used: events, offsets, dead letters, checkpoints, keys. The same command adds what is new.

    Views and tiles are not in it: they are made anew. `rledger restore FOLDER` makes a ledger of it, on either store; docs/backup.md is the
    drill. It holds private keys and personal data, readable by you alone: whoever has it can sign as this ledger.
    """
    settings = configured()
    with open_ledger(settings) as ledger, output.progress("backing up") as told:
        checkpoints = Checkpoints.of(settings, ledger)
        made = back_up(checkpoints, folder, why=why, by=own.actor(settings), now_us=now_us(), with_keys=with_keys, told=told)
    if as_json:
        output.json_lines([made])
        return
    secrets = f", {keys} private keys among them: keep it safe" if (keys := len(made.files_of("keys/"))) else ""
    click.echo(f"{made.events:,} events and what stands beside them in {folder}, proven up to {made.size:,}{secrets}")


@click.command(
    epilog=example("""
rledger restore /mnt/backup/ledger --check
  rledger restore /mnt/backup/ledger --vkey "$(cat ledger.vkey)" --checkpoint 2026-11-24.checkpoint
  rledger restore audit-2026
"""),
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--vkey", "vkeys", multiple=True, metavar="KEY", help="The verifier key you hold; without it, keys in the copy count.")
@click.option(
    "--checkpoint", "given", multiple=True, type=click.Path(path_type=Path, dir_okay=False), help="One kept elsewhere; repeat for more."
)
@click.option("--check", "only_check", is_flag=True, help="Only verify FOLDER, and say how far it is; no ledger is touched.")
@click.option("--accept-loss", "accepted", metavar="TEXT", help="Restore it though more was signed, and record why.")
@as_json
def restore(
    *, folder: Path, vkeys: tuple[str, ...], given: tuple[Path, ...], only_check: bool, accepted: str | None, as_json: bool
) -> None:
    """Make an empty ledger the one in FOLDER, a backup or an export of a whole log: same events, positions, moments, and root.

    FOLDER is verified before anything is written, also against every checkpoint known here, and what was written is read again.
    Interrupted, the same command goes on. Views are made anew by `rledger project --once`.
    """
    settings = configured()
    copy = WholeCopy(folder)
    known = behind.known_checkpoints(settings, copy.manifest.origin, given)
    with output.progress("checking the copy") as told:
        verified = copy.verify([VerifierKey.parse(vkey) for vkey in vkeys], told, {one.checkpoint.size for one in known})
    lost = behind.check(known, verified, accept_loss=accepted is not None or only_check)
    made = _made(copy, verified, lost)
    if not only_check:
        with open_ledger(settings) as ledger:
            with output.progress("writing") as told:
                restoring.load(ledger, copy, verified.opened, told)
            with output.progress("reading again") as told:
                restoring.read_again(ledger, verified.tree, told)
            recorded = None
            if lost is not None:
                recorded = behind.lose(settings, ledger, lost, accepted or "", by=own.actor(settings), now_us=now_us())
            behind.make_room(settings, verified.tree.size)
            signed = behind.signed_path(settings, copy.manifest.origin)
            keys = restoring.put_keys(copy, verified.opened, keys_path(settings), signed)
            if (master := masters.state(settings, ledger)).master is not None and not master.here:
                click.echo(f"{master.told}: bring it there before anything else", err=True)
        made = msgspec.structs.replace(made, keys=keys, recorded=recorded)
    if as_json:
        output.json_lines([made])
    else:
        _tell_made(made, folder, only_check=only_check)


def _made(copy: WholeCopy, verified: Verified, lost: behind.Known | None) -> Made:
    size = verified.tree.size
    return Made(
        copy.manifest.origin,
        size,
        encode_base64(verified.tree.root()),
        verified.opened.checkpoint.size,
        iso(verified.last_us),
        bool(copy.manifest.files_of("besides")),
        lost=0 if lost is None else lost.checkpoint.size - size,
    )


def _tell_made(made: Made, folder: Path, *, only_check: bool) -> None:
    what = f"{folder} is whole and as it was signed" if only_check else "restored"
    click.echo(f"{what}: {made.events:,} events up to {made.until}, root {made.root}, signed at {made.checkpoint:,} events")
    if not made.besides:
        click.echo("an export: it holds no offsets and dead letters, so sources begin anew, and what is there already is recognised")
    if made.keys:
        click.echo(f"{made.keys} private keys put back")
    if made.lost:
        click.echo(f"{made.lost:,} events that were signed are missing: sources that go on from their offsets deliver theirs again")
