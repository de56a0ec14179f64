"""What an append supposes of the log is right, or the database refuses it, and it is looked up."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import newest
from ledger.interface import Appended, Refused
from ledger.ledger import Ledger
from schemas.errors import StoreUnavailableError
from tests.ledger.events import assert_orderly, everything, positions, touchpoint, touchpoints

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.fixture
def path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_a_repeat_is_known_also_where_somebody_took_the_trigger_away_meanwhile(ledger: Ledger, path: Path) -> None:
    ledger.append(touchpoints(10))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DROP TRIGGER stored_events_only_next")
    connection.close()
    assert positions(ledger.append(touchpoints(12))) == [*range(1, 11), 11, 12]
    assert positions(ledger.append(touchpoints(3, start=100))) == [13, 14, 15]
    assert positions(ledger.append(touchpoints(3, start=100))) == [13, 14, 15]
    assert_orderly(everything(ledger))


def test_two_who_remember_versions_never_give_one_twice(ledger: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    other = open_ledger()
    for turn in range(6):
        (ledger if turn % 2 else other).append(touchpoints(20, start=turn * 20))
        ledger.append(touchpoints(3, start=1_000 + turn * 3))
    assert_orderly(everything(ledger))


def statements(ledger: Ledger, beginning: str) -> list[str]:
    """What the ledger's writer executes from now on that begins so."""
    seen: list[str] = []
    writer = ledger.recorder._writer  # type: ignore[attr-defined]  # noqa: SLF001
    writer.set_trace_callback(lambda statement: seen.append(statement) if statement.strip().startswith(beginning) else None)
    return seen


def test_writers_of_other_relationships_look_up_no_version_they_left(ledger: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    other = open_ledger()
    questions = [statements(one, "SELECT json_group_object") for one in (ledger, other)]
    for turn in range(20):
        ledger.append([touchpoint(2 * turn, "customer/ada")])
        other.append([touchpoint(2 * turn + 1, "customer/bob")])
    assert [len(asked) for asked in questions] == [1, 1]
    assert_orderly(everything(ledger))


def test_writers_who_share_relationships_are_refused_ever_less_often(ledger: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    other = open_ledger()
    tries = statements(ledger, "BEGIN IMMEDIATE")
    for turn in range(60):
        ledger.append([touchpoint(2 * turn)])
        other.append([touchpoint(2 * turn + 1)])
    assert 60 < len(tries) < 70
    assert_orderly(everything(ledger))


def test_what_is_remembered_of_versions_is_bounded_and_forgotten_with_an_append_that_failed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "REMEMBERED", 5)
    writer = ledger.recorder._writer  # type: ignore[attr-defined]  # noqa: SLF001
    for turn in range(4):
        ledger.append(touchpoints(20, start=turn * 20))
        writer.execute("PRAGMA max_page_count = 1")  # as many as there are
        with pytest.raises(StoreUnavailableError):
            ledger.append(touchpoints(2_000, start=10_000))
        writer.execute("PRAGMA max_page_count = 1000000")
    assert_orderly(everything(ledger))
    assert len(ledger.recorder._newest.at(80, supposing=True)) <= 7  # type: ignore[attr-defined]  # noqa: SLF001


def test_a_repeat_among_many_new_ones_is_told_and_the_others_are_appended(ledger: Ledger) -> None:
    ledger.append(touchpoints(10))
    for turn in range(3):
        answer = ledger.append(
            [*touchpoints(5, start=100 + turn * 5), touchpoint(3, "customer/3"), touchpoint(4, "customer/4", note="other")]
        )
        assert answer[:6] == [*(Appended(11 + turn * 5 + at, duplicate=False) for at in range(5)), Appended(3, duplicate=True)]
        assert isinstance(answer[6], Refused)
        assert answer[6].code == "id_reused"
    assert_orderly(everything(ledger))
