"""``deadletters``: what was refused, why, and how its corrected form gets into the ledger, or why none needs to."""

import base64
from typing import IO

import click

from ledger.interface import KeptLetter, Refused
from ledger.ledger import Ledger
from projections import histories
from schemas.catalogue import LetterDismissed
from schemas.cloudevents import decode_json, decode_message
from schemas.errors import RefusedError
from schemas.records import recorded
from schemas.touchpoint import LEDGER_SUBJECT, iso
from service import own
from service.cli import drawing, output
from service.cli.options import as_json, configured, example
from service.clock import now_us
from service.stores import open_ledger

ROWS = 20
EVERY = 2**31  # letters, for a store that wants a limit

NUMBER = click.argument("number", type=click.IntRange(min=1))


@click.group(
    epilog=example("""
rledger deadletters list
  rledger deadletters show 3
  rledger deadletters replay 3 --body corrected.json
  rledger deadletters dismiss 4 --why "a test message"
"""),
)
def deadletters() -> None:
    """What was refused, with the reason and the bytes as they came. Nothing is lost: correct it and replay it."""


@deadletters.command("list", epilog=example("rledger deadletters list --all"))
@click.option("--all", "every", is_flag=True, help="Those that were replayed or dismissed, too.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only numbers over this one.")
@click.option("--limit", type=click.IntRange(min=0), default=ROWS, show_default=True, help="Rows at most; 0 for all.")
@as_json
def list_(*, every: bool, after: int, limit: int, as_json: bool) -> None:
    """Those that wait, oldest first."""
    with open_ledger(configured(), read_only=True) as ledger:
        kept = ledger.dead_letters(after=after, limit=limit or EVERY, waiting=None if every else True)
        dismissed = [_dismissed(ledger, one) for one in kept]
    if as_json:
        output.json_lines([_facts(one, why) for one, why in zip(kept, dismissed, strict=True)])
        return
    table = output.table(("number", "right"), *((heading, "left") for heading in ("recorded", "code", "came from", "touchpoint")))
    output.add_rest(table, "reason")
    table.cut, table.spare = ("came from", "touchpoint"), ("recorded", "touchpoint", "came from")
    for one, why in zip(kept, dismissed, strict=True):
        name = f"{one.letter.source} {one.letter.id}" if one.letter.id else ""
        recorded = drawing.minute(iso(one.recorded_us))
        table.add_row(f"{one.number}", recorded, one.letter.code, _place(one), name, _settled(one, why) + one.letter.reason)
    console = output.console()
    console.print(table if kept else "no dead letter waits" if not every else "there is no dead letter")
    if limit and len(kept) == limit:
        console.print(output.note(f"the first {limit}; --after {kept[-1].number} shows the next"))


@deadletters.command(epilog=example("rledger deadletters show 3"))
@NUMBER
@as_json
def show(*, number: int, as_json: bool) -> None:
    """One of them, with its headers and body as they came."""
    with open_ledger(configured(), read_only=True) as ledger:
        kept = ledger.dead_letter(number)
        facts = _facts(kept, _dismissed(ledger, kept))
    letter = kept.letter
    if as_json:
        headers = [[name, None if value is None else value.decode(errors="replace")] for name, value in letter.headers]
        encoded = None if letter.body is None else base64.b64encode(letter.body).decode()
        output.json_lines([facts | {"headers": headers, "body": _text(letter.body), "body_base64": encoded}])
        return
    for name, value in facts.items():
        if value is not None:
            click.echo(f"{name:<18} {value}")
    for name, header in letter.headers:
        click.echo(f"{'header':<18} {name}: {_text(header)}")
    click.echo()
    click.echo("(no body)" if letter.body is None else _text(letter.body) or letter.body)


@deadletters.command(
    epilog=example("""
rledger deadletters show 3 --json | jq -r .body > corrected.json
  rledger deadletters replay 3 --body corrected.json
"""),
)
@NUMBER
@click.option("--body", type=click.File("rb"), metavar="FILE", help="The corrected CloudEvent as JSON; - for stdin. Without: as it came.")
@as_json
def replay(*, number: int, body: IO[bytes] | None, as_json: bool) -> None:
    """Append the corrected form of a dead letter. The original stays, with the position of what replaced it."""
    with open_ledger(configured()) as ledger:
        letter = ledger.dead_letter(number).letter
        if body is not None:
            touchpoint = decode_json(body.read().strip(), now_us=now_us())
        elif letter.headers:
            touchpoint = decode_message(letter.headers, letter.body, now_us=now_us())
        elif letter.body is None:
            raise RefusedError(
                "not_json", f"dead letter {number} holds nothing to replay ({letter.reason}): give its corrected form as --body"
            )
        else:
            touchpoint = decode_json(letter.body, now_us=now_us())
        outcome = ledger.replay(number, touchpoint)
    if isinstance(outcome, Refused):
        raise RefusedError(outcome.code, outcome.reason)
    if as_json:
        output.json_lines([{"number": number, "position": outcome.position, "duplicate": outcome.duplicate}])
    else:
        stands = "stood already" if outcome.duplicate else "stands now"
        click.echo(f"dead letter {number}: {touchpoint.source} {touchpoint.id} {stands} at position {outcome.position:,}")


@deadletters.command(epilog=example('rledger deadletters dismiss 4 5 --why "test messages of the shop\'s developers"'))
@click.argument("numbers", type=click.IntRange(min=1), nargs=-1, required=True, metavar="NUMBER ...")
@click.option("--why", metavar="TEXT", required=True, help="The reason, in words; it is recorded with who says so.")
@as_json
def dismiss(*, numbers: tuple[int, ...], why: str, as_json: bool) -> None:
    """Say that nothing is to be done about dead letters. They stay as they came, and no longer wait."""
    settings = configured()
    with open_ledger(settings) as ledger:
        codes = {number: ledger.dead_letter(number).letter.code for number in numbers}  # all are there, before any is dismissed
        for number, code in codes.items():
            data = LetterDismissed(number, code, why)
            said = own.touchpoint_of(LEDGER_SUBJECT, data, by=own.actor(settings), at_us=now_us())
            outcome = ledger.replay(number, said)
            if isinstance(outcome, Refused):
                raise own.OwnEventRefusedError(outcome.reason)
            if as_json:
                output.json_lines([{"number": number, "position": outcome.position, "duplicate": outcome.duplicate}])
            elif outcome.duplicate:
                click.echo(f"dead letter {number}: was settled already at position {outcome.position:,}")
            else:
                click.echo(f"dead letter {number}: dismissed, recorded at position {outcome.position:,}")


def _dismissed(ledger: Ledger, kept: KeptLetter) -> str | None:
    """Why nothing is to be done about a dead letter; None where nobody said so."""
    if kept.replayed_position is None:
        return None
    stands = histories.at_position(ledger, kept.replayed_position)
    data = recorded(stands).data if stands.type == own.TYPES[LetterDismissed] else None
    return data.reason if isinstance(data, LetterDismissed) else None


def _settled(kept: KeptLetter, dismissed: str | None) -> str:
    """What became of a dead letter, before its reason; nothing while it waits."""
    if kept.replayed_position is None:
        return ""
    return f"replayed as {kept.replayed_position:,}: " if dismissed is None else f"dismissed, {dismissed}: "


def _facts(kept: KeptLetter, dismissed: str | None) -> dict[str, str | int | None]:
    """Everything but headers and body."""
    letter = kept.letter
    return {
        "number": kept.number,
        "recorded_at": iso(kept.recorded_us),
        "code": letter.code,
        "reason": letter.reason,
        "origin": letter.origin,
        "partition": letter.partition,
        "offset": letter.offset,
        "source": letter.source,
        "id": letter.id,
        "replayed_at": None if kept.replayed_us is None else iso(kept.replayed_us),
        "replayed_position": kept.replayed_position,
        "dismissed": dismissed,
    }


def _place(kept: KeptLetter) -> str:
    """Where it came from: ``topic/2@17``."""
    letter = kept.letter
    partition = "" if letter.partition is None else f"/{letter.partition}"
    return letter.origin + partition + ("" if letter.offset is None else f"@{letter.offset}")


def _text(raw: bytes | None) -> str | None:
    """UTF-8 as text; None for other bytes."""
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return None
