"""A data folder of its own for every test, and nothing else set."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.commands import Rledger


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has set nothing but where the data goes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RLEDGER_")}
    return kept | {"RLEDGER_DATA": str(tmp_path / "data")}


@pytest.fixture
def rledger(environ: dict[str, str]) -> Iterator[Rledger]:
    command = Rledger(environ)
    yield command
    command.end()
