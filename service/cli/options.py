"""What several commands share: moments on the command line, ``--json``, examples in help, settings, notices."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any, TypeVar

import click

from schemas.touchpoint import microseconds
from service import logs, settings
from service.settings import Settings

POSITION_MAX = 2**63 - 1  # what the stores can hold
CONSUMERS_LIMIT = 64  # more would be a slip of the finger: appends to one ledger follow each other

F = TypeVar("F", bound=Callable[..., Any])


class MomentType(click.ParamType[int]):
    """A moment as microseconds since 1970 UTC, from an ISO date or datetime (UTC where it names no zone).

    A date is the end of that UTC day, or its beginning where ``begins``.
    """

    name = "moment"

    def __init__(self, *, begins: bool = False) -> None:
        self._of_day = time.min if begins else time.max

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401  # click's signature
        """Read ``value``; a usage error says what is expected."""
        if isinstance(value, int):
            return value
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment: expected a date such as 2026-05-01 or a datetime such as 2026-05-01T09:30:00Z", param, ctx)
        if len(value) == len("2026-05-01"):
            found = datetime.combine(found, self._of_day)
        return microseconds(found if found.tzinfo else found.replace(tzinfo=UTC))


def count(text: str) -> int | None:
    """A number of events as tables print it, with commas, or without; None for anything else."""
    digits = text.replace(",", "")
    return int(digits) if digits.isascii() and digits.isdigit() else None


class PositionType(click.ParamType[int]):
    """A position in the log, from 1; also as tables print it, with commas."""

    name = "position"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401  # click's signature
        """Read ``value``; a usage error says what is expected."""
        if isinstance(value, int):
            return value
        found = count(value)
        if found is None or not 0 < found <= POSITION_MAX:
            self.fail(f"{value!r} is no position: expected a number from 1, such as 4711 or 21,549", param, ctx)
        return found


def moments(command: F) -> F:
    """Add ``--as-of`` and ``--known-at``."""
    as_of = click.option(
        "--as-of",
        "as_of_us",
        type=MomentType(),
        metavar="MOMENT",
        help="Only what had happened by then: an ISO datetime (UTC, or with its zone), or a date, for the end of that UTC day.",
    )
    known_at = click.option(
        "--known-at",
        "known_us",
        type=MomentType(),
        metavar="MOMENT",
        help="Only what the ledger had recorded by then. With --as-of: what we believed then about that time.",
    )
    return as_of(known_at(command))


def as_json(command: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="JSON lines instead of a table.")(command)


def kafka(command: F) -> F:
    """Add ``--kafka``."""
    brokers = "Kafka brokers to ask first, several with commas. Default: RLEDGER_KAFKA."
    return click.option("--kafka", metavar="HOST:PORT", help=brokers)(command)


def consumers_option(text: str) -> Callable[[F], F]:
    """Add ``--consumers``, with what it means to this command."""
    return click.option("--consumers", type=click.IntRange(1, CONSUMERS_LIMIT), metavar="N", help=text)


def example(text: str) -> str:
    """An epilog that shows how the command is used, its lines as they are."""
    return f"\b\nExamples:\n  {text.strip()}" if "\n" in text.strip() else f"\b\nExample:\n  {text.strip()}"


def configured(*, runs: bool = False, **given: str | None) -> Settings:
    """The settings of the environment, with what options gave in their place, and logging set up by them.

    Args:
        runs: the command runs for long and tells what happens; others log errors only, unless RLEDGER_LOG_LEVEL says otherwise.
        given: variable name -> value; None leaves the environment's.
    """
    environ = {**os.environ, **{name: value for name, value in given.items() if value is not None}}
    found = settings.read(environ if runs else {"RLEDGER_LOG_LEVEL": "error", **environ})
    logs.configure(found.log, found.log_level)
    return found


def notice(text: str) -> None:
    """Tell people on stderr what is waited for, when they are there."""
    if sys.stderr.isatty():
        click.secho(text, dim=True, err=True)
