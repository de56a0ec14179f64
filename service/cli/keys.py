"""``keys``, ``witness``: who signs, and who signs with us."""

from pathlib import Path
from typing import BinaryIO

import click

from ledger.proof.keys import VerifierKey
from schemas.touchpoint import iso
from service.audit.checkpoints import Checkpoints
from service.audit.witness import Witness
from service.cli import drawing, output
from service.cli.options import as_json, configured, example
from service.clock import now_us
from service.stores import open_ledger

SECOND_US = 1_000_000


@click.group(
    epilog=example("""
rledger keys list
  rledger keys rotate --why "the yearly change"
"""),
)
def keys() -> None:
    """The keys that sign the ledger's checkpoints. Each was adopted by an event in the log, by somebody, with a reason."""


@keys.command("list", epilog=example("rledger keys list --json"))
@as_json
def list_(*, as_json: bool) -> None:
    """Every key the ledger ever had, oldest first; the last one signs."""
    settings = configured()
    with open_ledger(settings, read_only=True) as ledger:
        folder = Checkpoints.of(settings, ledger).keys
        rows = [
            {
                "vkey": str(one.vkey),
                "position": one.position,
                "adopted_at": iso(one.recorded_us),
                "replaced_at": None if one.replaced_us is None else iso(one.replaced_us),
                "actor": one.actor,
                "reason": one.reason,
                "here": folder.is_here(one.vkey),
            }
            for one in folder.adopted()
        ]
    if as_json:
        output.json_lines(rows)
        return
    if not rows:
        click.echo("no key yet: `rledger checkpoint` makes the first")
        return
    for row in rows:
        adopted = f"adopted {drawing.minute(str(row['adopted_at']))} at position {row['position']:,} by {row['actor']}"
        until = "signs now" if row["replaced_at"] is None else f"replaced {drawing.minute(str(row['replaced_at']))}"
        where = "here" if row["here"] else "not here"
        click.echo(f"{row['vkey']}\n  {adopted}; {until}; private part {where}: {row['reason'] or ''}")


@keys.command(epilog=example('rledger keys rotate --why "the yearly change"'))
@click.option("--why", required=True, help="The reason, recorded with the change.")
@as_json
def rotate(*, why: str, as_json: bool) -> None:
    """Sign with a new key from now on, and remove the old private one. A checkpoint signed by both tells whoever knows the old key."""
    settings = configured()
    with open_ledger(settings) as ledger:
        vkey = Checkpoints.of(settings, ledger).rotate(why, now_us())
    if as_json:
        output.json_lines([{"vkey": str(vkey)}])
    else:
        click.echo(f"signs now: {vkey}\ngive it to your auditors; `rledger keys list` shows all")


STATE = click.argument("state", type=click.Path(path_type=Path, dir_okay=False))


@click.group(
    epilog=example("""
rledger witness new audit.witness --name witness.example/audit
  rledger witness trust audit.witness "$(rledger checkpoint --vkey)"
  rledger prove --from 0 | rledger witness cosign audit.witness
"""),
)
def witness() -> None:
    """A witness of logs: cosigns a checkpoint only if it continues the one before. Run it where the ledger's keeper has no access."""


@witness.command(epilog=example("rledger witness new audit.witness --name witness.example/audit"))
@STATE
@click.option("--name", required=True, help="What it signs by, such as witness.example/audit.")
def new(*, state: Path, name: str) -> None:
    """Make a witness, with its key and its memory in the file STATE, and print its verifier key."""
    click.echo(str(Witness.create(state, name).vkey()))


@witness.command(epilog=example('rledger witness trust audit.witness "$(rledger checkpoint --vkey)"'))
@STATE
@click.argument("vkey")
def trust(*, state: Path, vkey: str) -> None:
    """Know a log by its verifier key; after a rotation, by the new one too."""
    key = VerifierKey.parse(vkey)
    Witness(state).trust(key)
    click.echo(f"{state} cosigns {key.name}")


@witness.command(epilog=example("rledger prove --from 120000 | rledger witness cosign audit.witness"))
@STATE
@click.argument("proof", type=click.File("rb"), default="-")
def cosign(*, state: Path, proof: BinaryIO) -> None:
    """Check the PROOF that a log only grew (`rledger prove --from`, - for stdin), and print the signature line for its checkpoint."""
    click.echo(Witness(state).cosign(proof.read(), now_us() // SECOND_US), nl=False)


@witness.command("list", epilog=example("rledger witness list audit.witness"))
@STATE
@as_json
def seen(*, state: Path, as_json: bool) -> None:
    """The logs it knows, and how large each was when it last cosigned."""
    logs = Witness(state).seen()
    if as_json:
        output.json_lines([{"origin": origin, "size": size} for origin, size in logs.items()])
    else:
        click.echo("\n".join(f"{size:>12,}  {origin}" for origin, size in logs.items()) or "it knows no log: `rledger witness trust`")
