"""Views over a log in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from projections import keeper
from tests.projections.chains import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.views.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make reads, commits and sweeps so small that a short log has many."""
    for name, value in {"READ_EVENTS": 7, "COMMIT_EVENTS": 21, "SWEEP_ROWS": 3}.items():
        monkeypatch.setattr(keeper, name, value)
