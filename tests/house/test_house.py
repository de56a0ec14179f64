"""The files that are not Python keep what they promise."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.services import kafka

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>.+?))? \\$", re.MULTILINE)
# In two parts, or this file would name them.
REGISTRIES = [
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("repo1.maven", "org"), ("npmjs", "org"), ("deb.debian", "org"))
]


def compose_config(**environment: str) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("RLEDGER_")}
    command = ["docker-compose", "config", "--quiet"]
    return subprocess.run(command, cwd=ROOT, env={**bare, **environment}, capture_output=True, text=True, check=False)


def test_the_compose_file_is_valid() -> None:
    checked = compose_config(RLEDGER_POSTGRES_PASSWORD="secret", RLEDGER_MASTER_KEY="a key")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("given", "asked"),
    [({"RLEDGER_MASTER_KEY": "a key"}, "choose a password"), ({"RLEDGER_POSTGRES_PASSWORD": "secret"}, "make one")],
)
def test_the_compose_file_has_no_secrets_of_its_own(given: dict[str, str], asked: str) -> None:
    checked = compose_config(**given)
    assert checked.returncode != 0
    assert asked in checked.stderr


def test_tests_and_compose_file_run_the_same_kafka() -> None:
    assert f"<version>{kafka.IMAGE.partition(':')[2]}</version>" in kafka.POM.read_text()
    assert set(re.findall(r"apache/kafka:\S+", (ROOT / "docker-compose.yml").read_text())) == {kafka.IMAGE}


def test_the_lock_pins_what_the_project_asks_for_and_each_pin_has_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [Requirement(line) for line in project["project"]["dependencies"] + project["dependency-groups"]["dev"]]
    lock = (ROOT / "requirements.lock").read_text()
    pins = [(match["name"], match["version"]) for match in PIN.finditer(lock)]
    for requirement in asked:
        versions = [version for name, version in pins if name == requirement.name]
        assert versions, f"{requirement} is not in requirements.lock: make it anew with the command in its head"
        assert all(version in requirement.specifier for version in versions), f"{requirement} is locked at {versions}"
    entries = re.split(r"^(?=[a-z])", lock, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pins)
    assert all("--hash=sha256:" in entry for entry in entries)


def test_no_file_names_a_package_registry() -> None:
    """Whoever sets it up decides where packages come from."""
    search = ["git", "grep", "--files-with-matches", "--fixed-strings", *(part for host in REGISTRIES for part in ("-e", host))]
    found = subprocess.run(search, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.stdout, found.returncode) == ("", 1)  # 1: no match
