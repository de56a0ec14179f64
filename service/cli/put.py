"""``append`` and ``import``: touchpoints from files, for those who have no Kafka or have a history to bring."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from consumers import intake
from consumers.files import Csv, FileSource, Format, JsonLines
from consumers.intake import Tally
from consumers.mapping import CsvMapping
from consumers.streams import StreamSource
from service.cli import output
from service.cli.options import as_json, configured, example
from service.clock import now_us
from service.masters import pseudonyms_of
from service.stores import open_ledger

STDIN = "-"
CHECKED_AT_ONCE = 1_000  # rows
PROBLEMS = 5  # told one by one
FROM_START = click.option("--from-start", is_flag=True, help="Read the file from its beginning, whatever was read of it before.")
FILE = click.argument("file", type=click.Path(path_type=Path))


@click.command(
    epilog=example("""
rledger append touchpoints.jsonl
  zcat touchpoints.jsonl.gz | rledger append -
"""),
)
@FILE
@FROM_START
@as_json
def append(*, file: Path, from_start: bool, as_json: bool) -> None:
    """Append CloudEvents, a JSON object a line, from FILE or (-) from stdin.

    A touchpoint that is there already is recognised. What is refused is kept as a dead letter, and the rest goes on. An interrupted file
    goes on where it was; a stream is appended as it arrives.
    """
    if str(file) == STDIN:
        settings = configured()
        with open_ledger(settings) as ledger:
            ledger.require_key()
            tally = intake.run(StreamSource(sys.stdin.buffer, "stdin"), ledger, clock=now_us)
    else:
        tally = _take(file, JsonLines(), from_start=from_start)
    _tell(tally, as_json=as_json)


@click.command(
    "import",
    epilog=example("""
rledger import orders.csv --mapping orders.toml
  rledger import orders.csv --mapping orders.toml --check
  rledger import orders.csv --map 'id={order}' --map source=/shop --map type=relationship.purchase.v1 \\
      --map 'subject=customer/{customer}' --map 'time={ordered:time}' \\
      --map 'data.order_id={order}' --map 'data.amount.amount={total:money}' --map data.amount.currency=EUR
"""),
)
@FILE
@click.option("--mapping", type=click.Path(path_type=Path), metavar="TOML", help="How columns become touchpoints: a TOML file.")
@click.option("--map", "pairs", metavar="NAME=VALUE", multiple=True, help="The same as options, for small mappings; may be repeated.")
@click.option("--check", "only_check", is_flag=True, help="Only say what would become of the rows; no ledger is touched.")
@FROM_START
@as_json
@click.pass_context
def import_(  # one option each
    ctx: click.Context, *, file: Path, mapping: Path | None, pairs: tuple[str, ...], only_check: bool, from_start: bool, as_json: bool
) -> None:
    """Import FILE: CSV with a mapping of its columns, or JSON lines without one.

    Resumable: interrupted or killed, the same command goes on where the ledger is. Rows that are refused are kept as dead letters; --check
    tells them before, with exit code 1, and shows the first touchpoint that is made.
    """
    if mapping is not None and pairs:
        raise click.UsageError("give --mapping or --map, not both")
    form: Format = JsonLines()
    pseudonym = pseudonyms_of(configured()) if mapping is not None or pairs else None
    if mapping is not None:
        form = Csv(CsvMapping.from_toml(mapping.read_text(encoding="utf-8", errors="replace"), pseudonym))
    elif pairs:
        form = Csv(CsvMapping.from_options(pairs, pseudonym))
    elif file.suffix.lower() == ".csv":
        raise click.UsageError("a CSV file needs --mapping TOML or --map NAME=VALUE; `rledger import --help` has an example")
    if only_check:
        found = _check(file, form)
        _tell_check(found, as_json=as_json)
        ctx.exit(1 if found.refused else 0)
    _tell(_take(file, form, from_start=from_start), as_json=as_json)


class Checked(msgspec.Struct):
    """What would become of a file's rows. ``first``: the first touchpoint that is made; ``problems``: the first rows that are refused."""

    accepted: int = 0
    refused: int = 0
    first: msgspec.Raw | None = None
    problems: list[dict[str, str | int | None]] = []


class _Unread:
    """The offsets of a ledger that has read nothing."""

    def next_offsets(self, streams: Sequence[str]) -> dict[str, int]:  # noqa: ARG002  # as in Offsets
        return {}

    def streams(self, prefix: str) -> dict[str, int]:  # noqa: ARG002  # as in Offsets
        return {}


def _check(file: Path, form: Format) -> Checked:
    """Read ``file`` to its end as an import would."""
    found = Checked()
    with _progress(file) as advance, closing(FileSource(file, form, _Unread(), progress=advance)) as source:
        while batch := source.poll(0, CHECKED_AT_ONCE):
            made = intake.sort(source, batch.messages, now_us())
            found.accepted += len(made.touchpoints)
            found.refused += len(made.letters)
            if found.first is None and made.touchpoints:
                found.first = msgspec.Raw(made.touchpoints[0].event)
            for letter in made.letters[: PROBLEMS - len(found.problems)]:
                row = (letter.body or b"").decode(errors="replace").rstrip()
                found.problems.append({"offset": letter.offset, "code": letter.code, "reason": letter.reason, "row": row})
            source.acknowledge(batch)
    return found


def _tell_check(found: Checked, *, as_json: bool) -> None:
    if as_json:
        output.json_lines([found])
        return
    click.echo(f"{found.accepted:,} would be appended or are known already, {found.refused:,} would be refused")
    if found.first is not None:
        click.echo(f"the first: {bytes(found.first).decode()}")
    for one in found.problems:
        click.echo(f"refused at byte {one['offset']:,}: {one['reason']}\n  {one['row']}")
    if (more := found.refused - len(found.problems)) > 0:
        click.echo(f"and {more:,} more")


def _take(file: Path, form: Format, *, from_start: bool) -> Tally:
    """Read ``file`` to its end."""
    settings = configured()
    with (
        _progress(file) as advance,  # first: a file that is not there must not make a ledger
        open_ledger(settings) as ledger,
        closing(FileSource(file, form, ledger, from_start=from_start, progress=advance)) as source,
    ):
        ledger.require_key()
        return intake.run(source, ledger, clock=now_us)


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    """A bar over the file's bytes on stderr, where people see it; told the bytes read so far."""
    columns = (file.name, BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(file.name, total=file.stat().st_size)
        try:
            yield lambda read: bar.update(task, completed=read)
        except KeyboardInterrupt:
            click.echo("interrupted: the same command goes on from here", err=True)
            raise


def _tell(tally: Tally, *, as_json: bool) -> None:
    if as_json:
        output.json_lines([tally])
        return
    known = f", {tally.duplicates:,} known already" if tally.duplicates else ""
    refused = f", {tally.refused:,} refused: `rledger deadletters list` says why" if tally.refused else ""
    click.echo(f"{tally.appended:,} appended{known}{refused}")
