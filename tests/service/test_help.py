"""Help is quick, complete, and shows each command in use."""

import subprocess
import sys

import click
import pytest

from service.cli import COMMANDS, HIDDEN, LOOKUP, main
from tests.service.commands import Rledger

PARTS = [name for section in COMMANDS.values() for name in section]


def commands() -> list[click.Command]:
    """Every command, those of groups too."""
    context = click.Context(main)
    top = [found for name in PARTS if (found := main.get_command(context, name)) is not None]
    return top + [one for group in top if isinstance(group, click.Group) for one in group.commands.values()]


@pytest.mark.parametrize("command", commands(), ids=lambda command: str(command.name))
def test_every_command_has_an_example_in_its_help(command: click.Command) -> None:
    assert command.epilog is not None
    assert "rledger " in command.epilog
    assert command.help


def test_help_lists_every_command(rledger: Rledger) -> None:
    said = rledger("--help").stdout
    assert all(f"\n  {name} " in said for name in PARTS)
    assert not any(name in said for name in HIDDEN)


def test_every_command_has_the_name_it_is_called_by() -> None:
    assert [command.name for command in commands()][: len(PARTS)] == PARTS
    assert set(PARTS) | set(HIDDEN) == set(LOOKUP)


def test_help_imports_nothing_that_takes_time() -> None:
    program = "import sys; from service.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".", maxsplit=1)[0] for name in done.stdout.splitlines()[-1].split()}
    assert loaded.isdisjoint({"kafka", "rich", "structlog", "scipy", "numpy", "msgspec", "ledger", "projections", "consumers"})


def test_an_unknown_command_is_a_usage_error(rledger: Rledger) -> None:
    done = rledger("sho")
    assert done.returncode == 2
    assert "No such command 'sho'" in done.stderr


def test_the_version_is_told(rledger: Rledger) -> None:
    assert rledger("--version").stdout.startswith("rledger, version ")


def test_a_misspelt_command_is_answered_with_the_one_that_may_be_meant(rledger: Rledger) -> None:
    done = rledger("exlpain", "customer/acme")
    assert done.returncode == 2
    assert "No such command 'exlpain'. Did you mean 'explain'?" in done.stderr
    assert "No such command 'qqq'." in rledger("qqq").stderr
