"""``replay``: any view as of any moment in both times, and what differs between two."""

from collections.abc import Iterable
from itertools import islice

import click
import msgspec

from projections.differences import Cause, Change
from projections.moments import Moments
from service.cli import drawing, output
from service.cli.options import MomentType, as_json, configured, example, moments
from service.clock import now_us
from service.replaying import Head, Line, Question, Row, Tail, Told, recorded_look
from service.stores import open_ledger

ROWS = 20
CELL = 40  # characters of a value


@click.command(
    epilog=example("""
rledger replay --as-of 2026-04-30 --known-at 2026-05-01
  rledger replay --view complaints --as-of 2026-05-01 --against 2026-04-01
  rledger replay --known-at 2026-06-01 --against 2026-05-01 --json > learned.jsonl
"""),
)
@click.option("--view", default="relationships", show_default=True, metavar="NAME", help="One of docs/reference/views.md.")
@moments
@click.option(
    "--against",
    "against_us",
    type=MomentType(),
    metavar="MOMENT",
    help="Only what differs from that moment (of --known-at where it is given, else of --as-of) to the one asked about, and why.",
)
@click.option("--limit", type=click.IntRange(min=0), default=ROWS, show_default=True, help="Rows of the table; 0 for all.")
@as_json
def replay(*, view: str, as_of_us: int | None, known_us: int | None, against_us: int | None, limit: int, as_json: bool) -> None:
    """Any view as of any moment: folded again from the log, with the root of the Merkle tree it rests on.

    --as-of 2026-04-30 --known-at 2026-05-01: what we believed on 1 May about the end of April. That you looked is recorded in the ledger,
    with your name, where you may write to it. With --json every row has its line, whatever --limit says.
    """
    settings = configured()
    asked = Moments(now_us(), as_of_us, known_us)
    against = None if against_us is None else _other(asked, against_us)
    with open_ledger(settings, read_only=True) as ledger:
        question = Question(ledger, view, asked, against)
        recorded, why = recorded_look(settings, question)
        if recorded is None:
            click.echo(f"not recorded: {why}", err=True)
        lines = question.answer(recorded)
        if as_json:
            output.json_lines(lines)
        else:
            _print(lines, limit)


def _other(asked: Moments, against_us: int) -> Moments:
    """The moments to compare with."""
    which = {"known_us": against_us} if asked.known_us is not None else {"as_of_us": against_us}
    return msgspec.structs.replace(asked, **which)


def _print(lines: Iterable[Line], limit: int) -> None:
    """A table of the first rows, or of the first differences, a column each; then what it rests on."""
    head, tail = None, Tail(0, {})
    shown: list[Row | Change] = []
    for line in lines:
        match line:
            case Head():
                head = line
            case Tail():
                tail = line
            case _:
                if not limit or len(shown) < limit:
                    shown.append(line)
    console = output.console()
    changes = [line for line in shown if isinstance(line, Change)]
    if head is not None and head.against is not None:
        _print_changes(changes)
    else:
        _print_rows([line for line in shown if isinstance(line, Row)])
    if len(shown) < tail.rows:
        console.print(output.note(f"{len(shown):,} of {tail.rows:,}; --limit 0 shows all"))
    for relationship, position in islice(tail.left_out.items(), ROWS):
        console.print(f"left out: {relationship}, the event at position {position:,} cannot be folded")
    if head is not None:
        _print_told(head.told, "")
        if head.against is not None:
            _print_told(head.against, "against ")


def _print_rows(rows: Iterable[Row]) -> None:
    found = output.table(("key", "left"), ("position", "right"))
    output.add_rest(found, "row")
    for line in rows:
        columns = msgspec.to_builtins(line.row)
        told = {name: value for name, value in list(columns.items())[1:] if value not in (None, [], {})}
        found.add_row(line.key, f"{line.position:,}", drawing.brief(told))
    output.console().print(found)


def _print_changes(changes: Iterable[Change]) -> None:
    found = output.table(("key", "left"), ("column", "left"), ("before", "right"), ("after", "right"))
    output.add_rest(found, "because of")
    for change in changes:
        because = "; ".join(map(_because, change.events)) or "time alone"
        if change.change != "changed":
            found.add_row(change.key, f"({change.change})", "", "", because)
            continue
        for number, (name, pair) in enumerate(change.columns.items()):
            before, after = (_cell(value)[:CELL] for value in pair)
            found.add_row(change.key if number == 0 else "", name, before, after, because if number == 0 else "")
    output.console().print(found)


def _cell(value: object) -> str:
    """A column's value in words: of reasons and the like each, for two lists of one are alike by their length."""
    if isinstance(value, list | tuple):
        return "; ".join(map(_cell, value))
    if isinstance(value, dict) and "text" in value:
        return str(value["text"])
    return "" if value is None else drawing.brief(value)


def _because(cause: Cause) -> str:
    became = "" if cause.corrected is None else f", {cause.corrected.now} by {cause.corrected.position:,}"
    counts = "" if cause.counts == "now" or cause.corrected is not None else f", counts {cause.counts}"
    return f"{drawing.short(cause.type)} at {cause.position:,}{counts}{became}"


def _print_told(told: Told, what: str) -> None:
    tree = told.checkpoint
    moments_ = f"{what}as of {drawing.minute(told.as_of)}, as known at {drawing.minute(told.known_at)} UTC, policy {told.policy}"
    signed = "no signed checkpoint yet" if tree.signed is None else f"agrees with the signed checkpoint of {_size(tree.signed):,} events"
    output.console().print(output.note(f"{moments_}\nrests on {tree.size:,} events of {tree.origin}, root {tree.root}\n{signed}"))


def _size(note: str) -> int:
    return int(note.split("\n", 2)[1])
