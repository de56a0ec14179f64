"""The stores that every test of the contract runs on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.ledger import Ledger
from ledger.vault import Vault
from tests.ledger.events import Clock


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that holds no ledger yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    store: str = request.getfixturevalue("postgres_url")
    return store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_ledger(url: str, clock: Clock) -> Iterator[Callable[..., Ledger]]:
    """Opens the same ledger again and again; all are closed at the end."""
    opened: list[Ledger] = []

    def open_again(vault: Vault | None = None) -> Ledger:
        opened.append(Ledger.open(url, clock=clock, vault=vault))
        return opened[-1]

    yield open_again
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Callable[[], Ledger]) -> Ledger:
    return open_ledger()
