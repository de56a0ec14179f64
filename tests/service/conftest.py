"""A data folder of its own for every test, and nothing else set."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service import feed, settings, worker
from service.stores import open_ledger
from tests.service.commands import Rledger, bare


@pytest.fixture
def rledger(tmp_path: Path) -> Iterator[Rledger]:
    """The command line on an empty data folder."""
    command = Rledger(bare(tmp_path / "data"))
    yield command
    command.end()


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest, rledger: Rledger) -> Rledger:
    """The command line on an empty ledger, on each store."""
    if request.param == "postgres":
        rledger.environ["RLEDGER_STORE"] = request.getfixturevalue("postgres_url")
    return rledger


@pytest.fixture(scope="session")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Rledger:
    """The command line on the sample, its views up to date; tests only look at it."""
    command = Rledger(bare(tmp_path_factory.mktemp("sample")))
    found = settings.read(command.environ)
    with open_ledger(found) as ledger:
        feed.load_sample(ledger)
    worker.project_once(found)
    return command
