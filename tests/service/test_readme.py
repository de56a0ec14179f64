"""The README tells the truth: its commands run, and what they print looks as it says."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.service.commands import Rledger, eventually

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^\$ (.+?)(?: <<'END'\n(.*?)\nEND)?$", re.MULTILINE | re.DOTALL)


def blocks() -> dict[str, str]:
    """Each command line of the README's console blocks, and what is shown below it."""
    found = {}
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for part in re.split(r"^(?=\$ )", block, flags=re.MULTILINE):
            if part.strip():
                command, _, shown = part.partition("\n")
                found[command.removeprefix("$ ")] = shown
    return found


def labels(shown: str) -> set[str]:
    """The lower-case words that begin its lines: what does not depend on the day the sample was drawn."""
    return {match[1] for line in shown.splitlines() if (match := re.match(r"[│\s]*([a-z]{4,})\b", line))}


@pytest.fixture
def sample(rledger: Rledger) -> Rledger:
    """The sample in the ledger and in the views."""
    up = rledger.start("up", "--sample")
    assert up.stdout is not None
    while not up.stdout.readline().startswith("running"):  # until then the sample is not whole
        assert up.poll() is None
    eventually(lambda: rledger("show", "customer/kestrel-garden").returncode == 0)
    up.send_signal(2)
    up.communicate(timeout=20)
    return rledger


def test_what_the_readme_shows_is_what_is_printed(sample: Rledger) -> None:
    shown = {command: text for command, text in blocks().items() if command.startswith("rledger ") and text.strip()}
    assert {command.split()[1] for command in shown} == {"list", "show", "explain"}
    for command, text in shown.items():
        done = sample(*shlex.split(command)[1:])
        assert done.returncode == 0, done.stderr
        assert labels(text) <= labels(done.stdout), command
        header = text.strip().splitlines()[0].split()
        if command.startswith("rledger list"):
            assert done.stdout.splitlines()[0].split() == header


def test_the_touchpoint_that_the_readme_publishes_is_accepted(rledger: Rledger) -> None:
    match = next(match for match in COMMAND.finditer(README) if match[1].startswith("kcat"))
    (told,) = rledger.json("append", "-", stdin=match[2])
    assert told == {"appended": 1, "duplicates": 0, "refused": 0, "position": 1}
    assert json.loads(match[2])["subject"] in match[1]


def test_every_command_that_the_readme_names_is_there(rledger: Rledger) -> None:
    named = set(re.findall(r"rledger ([a-z]+)", README)) - {"ledger"}
    listed = set(re.findall(r"^  ([a-z]+)  ", rledger("--help").stdout, re.MULTILINE))
    assert named <= listed
