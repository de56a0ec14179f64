"""bin/setup, in a copy of the project."""

import os
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy() -> Iterator[Path]:
    """On a disk, where packages are linked, not copied: they are half a GB."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        folder = Path(scratch)
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        for package in project["tool"]["uv"]["build-backend"]["module-name"]:
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("bin/setup", "pyproject.toml", "requirements.lock"):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        yield folder


def setup(folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen([folder / "bin/setup"], env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)


def test_two_at_once_make_one_environment_and_a_third_has_nothing_to_do(copy: Path) -> None:
    both = [setup(copy), setup(copy)]
    said = [each.communicate()[1] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert sorted(said) == ["", "Setting up .venv ...\n"]
    subprocess.run([copy / ".venv/bin/python", "-c", "import service, scipy, kafka"], check=True)
    before = (copy / ".venv").stat().st_mtime_ns
    third = setup(copy)
    assert (third.communicate()[1], third.returncode) == ("", 0)
    assert (copy / ".venv").stat().st_mtime_ns == before


def test_without_a_python_that_is_new_enough_it_says_what_to_do(copy: Path) -> None:
    attempt = setup(copy, PYTHON="/no/such/python")
    assert attempt.communicate()[1] == (
        "error: no Python 3.11 or newer among: /no/such/python; install one, or name one with PYTHON=/path/to/python\n"
    )
    assert attempt.returncode == 1
