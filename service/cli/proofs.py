"""``checkpoint``, ``prove``, ``verify``: what an auditor takes away, and whether the ledger still is what it was."""

import base64
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from ledger.proof.checkpoint import Checkpoint
from ledger.proof.keys import VerifierKey
from ledger.proof.note import Note
from service.audit import verify as verification
from service.audit.checkpoints import Checkpoints
from service.audit.proofs import prove_growth, prove_record, read_checkpoint
from service.cli import output
from service.cli.options import PositionType, as_json, configured, count, example, notice
from service.clock import now_us
from service.settings import Settings
from service.stores import open_ledger, open_views


@click.command(
    epilog=example("""
rledger checkpoint > 2026-11-24.checkpoint
  rledger checkpoint --vkey
  rledger checkpoint --cosignature witnessed --witness witness.example/audit+5a3b21f0+BKp...
"""),
)
@click.option("--vkey", "only_vkey", is_flag=True, help="Print the verifier key that signs, and nothing else.")
@click.option(
    "--cosignature",
    type=click.File("rb"),
    help="Add a witness's signature lines (-: stdin) to the newest checkpoint; needs --witness.",
)
@click.option("--witness", "witnesses", multiple=True, metavar="VKEY", help="The verifier key of a witness that cosigned; repeat for more.")
@as_json
def checkpoint(*, only_vkey: bool, cosignature: BinaryIO | None, witnesses: tuple[str, ...], as_json: bool) -> None:
    """Sign the log as it is now, and print the signed note. Keep it where the ledger's keeper cannot change it.

    The worker makes one a day. RLEDGER_ANCHOR names a file or a Kafka topic that each goes to as well. The first makes the signing key.
    """
    if (cosignature is None) != (not witnesses):
        raise click.UsageError("--cosignature and --witness go together")
    settings = configured()
    with open_ledger(settings) as ledger:
        checkpoints = Checkpoints.of(settings, ledger)
        if only_vkey:
            click.echo(str(checkpoints.keys.signer(now_us()).key))
            return
        if cosignature is None:
            note = checkpoints.make(now_us(), lambda done: notice(f"hashed {done:,} events") if done % 1_048_576 == 0 else None)
        else:
            note = checkpoints.cosign(cosignature.read(), [VerifierKey.parse(vkey) for vkey in witnesses])
        vkey = checkpoints.keys.adopted()[-1].vkey
    _print(note, vkey, as_json=as_json)


def _print(note: Note, vkey: VerifierKey, *, as_json: bool) -> None:
    if not as_json:
        click.echo(note.encode(), nl=False)
        return
    signed = Checkpoint.parse(note.text)
    root = base64.b64encode(signed.root).decode()
    output.json_lines([{"origin": signed.origin, "size": signed.size, "root": root, "vkey": str(vkey), "note": note.encode().decode()}])


@click.command(
    epilog=example("""
rledger prove 4711 --output proofs
  rledger prove --from 2026-01-01.checkpoint --output proofs
  rledger prove --from 0 | rledger witness cosign audit.witness
"""),
)
@click.argument("position", type=PositionType(), required=False)
@click.option("--from", "old", metavar="CHECKPOINT", help="Prove that the log continues this checkpoint: a file, or the size of one.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for the files; by default this one, and --from prints its proof.",
)
@as_json
def prove(*, position: int | None, old: str | None, output: Path | None, as_json: bool) -> None:
    """Prove that the event at POSITION is in the log, or that the log only grew since a checkpoint.

    Writes POSITION.tlog-proof and POSITION.leaf, the event's exact bytes, for bin/verify-ledger or any C2SP tool.
    """
    if (position is None) == (old is None):
        raise click.UsageError("give either POSITION or --from CHECKPOINT")
    settings = configured()
    with open_ledger(settings) as ledger:
        checkpoints = Checkpoints.of(settings, ledger)
        if position is not None:
            record, leaf = prove_record(checkpoints, position, now_us())
            files = {f"{position}.tlog-proof": record.encode(), f"{position}.leaf": leaf}
        else:
            growth = prove_growth(checkpoints, _old(old or ""), now_us()).encode()
            if output is None and not as_json:
                click.echo(growth, nl=False)
                return
            files = {f"from-{growth.split()[1].decode()}.proof": growth}
    _write(files, output or Path(), as_json=as_json)


def _old(given: str) -> Checkpoint | int:
    size = count(given)
    return read_checkpoint(Path(given)) if size is None else size


def _write(files: dict[str, bytes], folder: Path, *, as_json: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    paths: Sequence[str] = [str(folder / name) for name in files]
    if as_json:
        output.json_lines([{"files": paths}])
    else:
        click.echo("\n".join(paths))


@click.command(
    epilog=example("""
rledger verify
  rledger verify --checkpoint 2026-01-01.checkpoint
"""),
)
@click.option(
    "--checkpoint", "given", multiple=True, type=click.Path(path_type=Path, dir_okay=False), help="One kept elsewhere; repeat for more."
)
@click.option("--views/--no-views", default=True, help="Also fold every view again and compare, which takes ten times as long.")
@as_json
@click.pass_context
def verify(ctx: click.Context, *, given: tuple[Path, ...], views: bool, as_json: bool) -> None:
    """Read and hash every event again, and compare with all that remembers it. Exit code 1 when something is wrong.

    Memories are the tree, every checkpoint seen, tiles, and with --checkpoint what you kept yourself: only that finds an alteration by
    somebody who has the signing key. Of several ledgers each is read, and a checkpoint counts for the one it is of.
    """
    settings = configured()
    sound = True
    for one in settings.each:
        report = _verified(one, given, views=views)
        sound = sound and report.ok
        if as_json:
            output.json_lines([report if one is settings else {"ledger": one.ledger, **msgspec.structs.asdict(report)}])
        else:
            _tell(report, "" if one is settings else f"ledger {one.ledger}: ")
    ctx.exit(0 if sound else 1)


def _verified(settings: Settings, given: Sequence[Path], *, views: bool) -> verification.Report:
    with open_ledger(settings, read_only=True) as ledger:
        checkpoints = Checkpoints.of(settings, ledger)
        with output.progress("reading") as told:
            report = verification.verify(settings, checkpoints, given, told)
        if views and report.ok and report.size:
            from service.audit.compared import compare_views  # noqa: PLC0415  # takes half a second, which --no-views need not wait

            notice("folding the views again ...")
            with closing(open_views(settings)) as kept:
                report.problems = compare_views(ledger, kept)
            report.ok = not report.problems
    return report


def _tell(report: verification.Report, which: str) -> None:
    if report.ok:
        click.echo(f"{click.style('✓', fg='green')} {which}{report.size:,} events, all as they were; root {report.root}")
        return
    for wrong in report.problems:
        where = "" if wrong.position is None else f"position {wrong.position:,}: "
        click.echo(f"{click.style('✗', fg='red')} {which}{where}{wrong.what}\n  {wrong.means}")
    click.echo(f"{which}{len(report.problems)} problems in {report.size:,} events; root now {report.root}")
