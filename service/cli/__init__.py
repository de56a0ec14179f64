"""The command line: ``rledger``. One module per group of commands; each is imported when it is asked for, so that help is quick.

Exit codes: 0; 1 an error, told on stderr as ``error: <message>``; 2 usage; 130 interrupted by Ctrl-C.
"""

from importlib import import_module
from typing import IO, Any

import click

from schemas.errors import LedgerError

COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "Run the service": {
        "up": ("up:up", "Everything on this machine, restarted when it dies; --sample for a first look."),
        "consume": ("consume:consume", "Kafka into the ledger, each touchpoint exactly once."),
        "project": ("project:project", "The ledger into the views, as it grows; --once catches up and stops."),
        "relay": ("relay:relay", "The ledger out to Kafka: every committed event, each once, in order."),
    },
    "Put touchpoints in": {
        "append": ("put:append", "CloudEvents, a JSON line each, from a file or stdin."),
        "import": ("put:import_", "A CSV or JSON lines file with a mapping of its columns."),
        "exchange": ("exchange:exchange", "What a currency is worth in another, from a day on."),
        "correct": ("correct:correct", "A touchpoint was a mistake: withdraw it, or replace its data."),
    },
    "Look": {
        "show": ("look:show", "One relationship: how good, why, where it is going."),
        "list": ("look:list_", "Many relationships, filtered and sorted."),
        "explain": ("look:explain", "The events behind a score."),
        "history": ("look:history", "The events of one relationship, as recorded."),
        "event": ("look:event", "One event whole, by its position or its source and id."),
        "replay": ("replay:replay", "Any view at any moment, and what differs between two."),
        "partners": ("partners:partners", "Scorecards, exposure, where time and money leak."),
        "reputation": ("reputation:reputation", "How our own conduct stands with everybody; what would help."),
    },
    "Decide": {
        "alerts": ("alerts:alerts", "What somebody should see to: list, ack, assign, snooze, resolve."),
        "actions": ("actions:actions", "What was done, and whether it worked beside similar relationships."),
        "acquisition": ("acquisition:acquisition", "What brings good relationships, and what to do; ranked."),
        "deal": ("deal:deal", "A proposed deal, judged from both sides before it is signed."),
    },
    "Prove": {
        "checkpoint": ("proofs:checkpoint", "Sign the log as it is now: the signed note, or the verifier key."),
        "prove": ("proofs:prove", "That an event is in the log, or that the log only grew since a checkpoint."),
        "verify": ("proofs:verify", "Every event read and hashed again; whether all is as it was."),
        "export": ("copies:export", "Events with their proof, as JSON lines or Parquet."),
        "keys": ("keys:keys", "The keys that sign checkpoints: list, rotate."),
        "witness": ("keys:witness", "Cosign another's log, if it only grew."),
    },
    "Look after": {
        "policy": ("policy:policy", "The numbers behind every score: show, check, diff, adopt, simulate."),
        "calibrate": ("calibrate:calibrate", "Fit the policy to this ledger, test it out of sample, propose one."),
        "doctor": ("care:doctor", "Check everything, and say what to do."),
        "backup": ("copies:backup", "The ledger to a folder while it is used; again, and it adds what is new."),
        "restore": ("copies:restore", "An empty ledger made of a copy: verified, then the same events and root."),
        "erase": ("privacy:erase", "What is personal about a relationship, for ever; the proofs still hold."),
        "pseudonym": ("privacy:pseudonym", "What stands in the ledger for an address or a name."),
        "vault": ("privacy:vault", "The keys of personal data: show, rotate."),
        "hold": ("privacy:hold", "Keep a relationship from being erased, or no longer."),
        "deadletters": ("letters:deadletters", "What was refused: list, show, correct and replay."),
        "rebuild": ("care:rebuild", "Make a view anew beside the old one, compare, swap."),
        "bench": ("bench:bench", "How fast all this is here, beside the raw limit."),
        "schema": ("care:schema", "Write the JSON Schemas and the AsyncAPI document."),
    },
}
HIDDEN = {"trickle": ("trickle:trickle", "Sample touchpoints as time goes by; a part of `up --sample`.")}
LOOKUP = {name: entry for section in (*COMMANDS.values(), HIDDEN) for name, entry in section.items()}


class FailedError(click.ClickException):
    """An error of ours in click's terms: ``error: <message>`` on stderr, exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message, to stderr unless told otherwise."""
        click.echo(f"{click.style('error:', fg='red', bold=True)} {self.message}", file=file, err=file is None)


class Commands(click.Group):
    """The commands by name, from ``COMMANDS``; errors told to the world become messages."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Every command's name, in the order of help."""
        return [name for name in LOOKUP if name not in HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """Import the command of that name, if there is one."""
        if cmd_name not in LOOKUP:
            return None
        module, attribute = LOOKUP[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(f"service.cli.{module}"), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of a line; a misspelt one is answered with those that may be meant."""
        if args and args[0] not in LOOKUP and not args[0].startswith("-"):
            raise click.NoSuchCommand(args[0], possibilities=self.list_commands(ctx), ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        """The commands in their groups, without importing any."""
        for title, section in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name, summary) for name, (_, summary) in section.items()], col_max=12)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; turn what the world did into a message, and Ctrl-C into its exit code."""
        try:
            return super().invoke(ctx)
        except LedgerError as error:
            raise FailedError(str(error)) from error
        except BrokenPipeError:
            raise  # click ends quietly
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            raise FailedError(f"{(error.strerror or str(error)).lower()}{where}") from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="First look:  rledger up --sample     Then:  rledger list",
)
@click.version_option(package_name="relationship-ledger", prog_name="rledger")
def main() -> None:
    """A relationship ledger: every touchpoint with a customer or partner, kept once and for ever, and how good each relationship is.

    The store is RLEDGER_STORE, by default a SQLite file in your data folder.
    """
