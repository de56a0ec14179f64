"""The command line as users run it: a process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil  # type: ignore[import-untyped]  # it ships no types
import structlog
from click.testing import CliRunner

from ledger.ledger import Ledger
from service.cli import main

COMMAND = [sys.executable, "-P", "-m", "service"]
PATIENCE_S = 30.0

T = TypeVar("T")


class Rledger:
    """Runs ``rledger``, and gives what it said."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self.started: list[subprocess.Popen[str]] = []

    def __call__(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command here, as click does; an error that is a bug is raised."""
        settings = {name: None for name in os.environ if name.startswith("RLEDGER_")} | self.environ
        try:
            done = CliRunner().invoke(main, arguments, env=settings, input=stdin, prog_name="rledger")
        finally:
            structlog.reset_defaults()  # each command sets logging up for its process
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    def process(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as a process of its own."""
        return subprocess.run(
            [*COMMAND, *arguments], env=self.environ, input=stdin, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )

    def json(self, *arguments: str, stdin: str = "") -> list[Any]:
        """The lines of JSON a command prints; it must succeed."""
        done = self(*arguments, "--json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def start(self, *arguments: str, stdin: bool = False, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start what runs until it is stopped; ended with the test at the latest."""
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=self.environ,
            cwd=cwd,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def head(self) -> int:
        """The position of the newest event."""
        store = f"sqlite:///{self.environ['RLEDGER_DATA']}/ledger.db"
        with Ledger.open(store, clock=lambda: 0, read_only=True) as ledger:
            return ledger.head().position

    def end(self) -> None:
        for process in self.started:
            for one in family(process.pid):
                one.kill()
            process.kill()
            process.communicate()


def bare(data: Path) -> dict[str, str]:
    """The environment of somebody who has set nothing but where the data goes."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RLEDGER_")} | {"RLEDGER_DATA": str(data)}


def family(pid: int) -> list[psutil.Process]:
    """The living children of a process, and theirs."""
    try:
        return [one for one in psutil.Process(pid).children(recursive=True) if alive(one)]
    except psutil.NoSuchProcess:
        return []


def alive(process: psutil.Process) -> bool:
    """Whether a process is there and more than a zombie that nobody has waited for."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE  # type: ignore[no-any-return]
    except psutil.NoSuchProcess:
        return False


def part(process: subprocess.Popen[str], name: str, *, but: int = 0) -> psutil.Process | None:
    """The child of ``rledger up`` that runs a command, once it is there; ``but``: not the one with that process id."""
    return next((one for one in family(process.pid) if name in one.cmdline() and one.pid != but), None)


def eventually(ask: Callable[[], T | None], patience_s: float = PATIENCE_S) -> T:
    """Ask until the answer is true, and return it."""
    deadline_s = time.monotonic() + patience_s
    while not (answer := ask()):
        assert time.monotonic() < deadline_s, "it never came true"
        time.sleep(0.05)
    return answer
