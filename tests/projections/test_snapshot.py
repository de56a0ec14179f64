"""The views of the fixture log stand written down: a fold cannot change without its version, and so without a rebuild, unnoticed.

``python -m tests.projections.test_snapshot`` writes them anew.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from projections.registry import projections
from projections.runner import Runner
from projections.scoring.policy_file import shipped
from projections.views import Views
from schemas.touchpoint import EPOCH, microseconds
from tests.projections.chains import Log

FIXTURES = Path(__file__).parents[1] / "fixtures"
SNAPSHOT = FIXTURES / "views-v1.json"
DIGITS = 9  # significant ones of a float: the last few are the processor's
PROJECTIONS = projections(shipped())


class Snapshot(msgspec.Struct):
    """A view: of every row its public columns and its state."""

    version: int
    rows: list[dict[str, Any]]


def fixture_log() -> Log:
    """The fixture log, each event recorded an hour after it happened or after the one before."""
    log, recorded_us = Log(), 0
    for line in (FIXTURES / "log-v1.jsonl").read_bytes().splitlines():
        event = msgspec.json.decode(line)
        log.add(event["subject"], "", type_=event["type"], event=line)
        occurred_us = microseconds(msgspec.convert(event["time"], type(EPOCH)))
        recorded_us = max(recorded_us, occurred_us) + 3_600_000_000
        log.events[-1] = msgspec.structs.replace(log.events[-1], recorded_us=recorded_us)
    return log


def taken() -> dict[str, Snapshot]:
    """The views as they come out now."""
    with TemporaryDirectory() as folder:
        views = Views.open(Path(folder) / "views.db")
        runner = Runner(fixture_log().ledger, views, PROJECTIONS, clock=lambda: 0)
        runner.catch_up()
        found = {
            one.name: Snapshot(one.version, [rounded({"row": row.row, "state": row.state}) for row in views.select(one, state=True)])
            for one in PROJECTIONS
        }
        runner.close()
        views.close()
    return found


def rounded(value: Any) -> Any:
    """Plain JSON, with floats to ``DIGITS``."""

    def plain(value: Any) -> Any:
        match value:
            case float():
                return float(f"{value:.{DIGITS}g}")
            case dict():
                return {key: plain(one) for key, one in value.items()}
            case list():
                return [plain(one) for one in value]
        return value

    return plain(msgspec.json.decode(msgspec.json.encode(value)))


@pytest.fixture(scope="module")
def now() -> dict[str, Snapshot]:
    return taken()


@pytest.mark.parametrize("name", [one.name for one in PROJECTIONS])
def test_a_view_changes_only_with_its_version(name: str, now: dict[str, Snapshot]) -> None:
    written = msgspec.json.decode(SNAPSHOT.read_bytes(), type=dict[str, Snapshot]).get(name, Snapshot(0, []))
    again = "write it anew: python -m tests.projections.test_snapshot"
    assert written.version == now[name].version, f"view {name} has another version than its snapshot; when its rows are right, {again}"
    assert written.rows == now[name].rows, (
        f"view {name} comes out otherwise than its snapshot, and its version is still {written.version}: "
        f"raise `version` in the projection, so that stored views are rebuilt, and {again}"
    )


def test_the_fixture_log_gives_every_view_rows(now: dict[str, Snapshot]) -> None:
    assert all(snapshot.rows for snapshot in now.values())


def test_every_view_that_follows_the_policy_carries_its_digest() -> None:
    policy = shipped()
    for one in projections(policy):
        follows = isinstance(one.fold, partial) or isinstance(one.publish, partial)
        digest = policy.digest if follows else ""
        assert one.policy == digest, f"view {one.name} carries no digest: an adopted policy would leave its rows as they are"


def main(arguments: Sequence[str]) -> None:
    if arguments:
        raise SystemExit("usage: python -m tests.projections.test_snapshot")
    SNAPSHOT.write_bytes(msgspec.json.format(msgspec.json.encode(taken()), indent=1) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
