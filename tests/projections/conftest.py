"""Views over a log in memory, on both stores."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from projections import keeper
from tests.projections.chains import House, Place


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where there are no views yet."""
    if request.param == "sqlite":
        return tmp_path / "views.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def house(place: Place) -> Iterator[House]:
    house = House(place)
    yield house
    house.views.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make reads, commits and sweeps so small that a short log has many."""
    for name, value in {"READ_EVENTS": 7, "FOLD_EVENTS": 7, "COMMIT_EVENTS": 21, "BUILD_ROWS": 4, "SWEEP_ROWS": 3}.items():
        monkeypatch.setattr(keeper, name, value)
