"""The policy on the command line: tried, adopted by somebody, followed by views, workers and questions, and kept for the past."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from projections.policies import Policies
from projections.scoring.policy_file import numbers, read, replaced, shipped, shipped_text, written
from service import settings
from service.stores import open_ledger
from tests.service.commands import Rledger, eventually
from tests.service.test_putting import purchase

HARSH = {"version": "harsh", "customer.commitment.weight": 0.4, "customer.trust.weight": 0.15, "standing.customer.grow": 60.0}


def text(**changes: Any) -> str:  # whatever a policy holds
    """The shipped policy with other numbers."""
    return written(replaced(shipped(), HARSH | changes), shipped_text())


@pytest.fixture
def harsh(tmp_path: Path) -> str:
    path = tmp_path / "harsh.toml"
    path.write_text(text())
    return str(path)


def adopted(rledger: Rledger, path: str) -> dict[str, Any]:
    return rledger.json("policy", "adopt", path, "--why", "to see")[0]  # type: ignore[no-any-return]


def table(rledger: Rledger) -> dict[str, tuple[str, float | None]]:
    """Standing and quality of every relationship, as they stand in the views."""
    with sqlite3.connect(Path(rledger.environ["RLEDGER_DATA"], "views.db")) as views:
        rows = views.execute("SELECT relationship, standing, quality FROM relationships").fetchall()
    views.close()
    return {relationship: (standing, quality) for relationship, standing, quality in rows}


def test_a_policy_is_adopted_by_somebody_for_a_reason_and_shown_with_both(either: Rledger, harsh: str) -> None:
    either("append", "-", stdin=purchase(1))
    either.environ["RLEDGER_ACTOR"] = "ada"
    assert adopted(either, harsh)["position"] == 2
    (found,) = either.json("policy", "show")
    assert (found["version"], found["by"], found["reason"], found["position"]) == ("harsh", "ada", "to see", 2)
    assert found["numbers"]["customer.trust.weight"] == 0.15
    assert either("policy", "show").stdout == text()
    assert either("policy", "show", "--shipped").stdout == shipped_text()
    assert [(one["version"], one["by"]) for one in either.json("policy", "history")] == [("harsh", "ada"), (shipped().version, None)]
    assert "harsh" in either("policy", "history").stdout
    assert "policy" in either("doctor").stdout
    assert "harsh, adopted" in either("doctor").stdout


def test_adopting_what_is_in_force_changes_nothing(rledger: Rledger, harsh: str) -> None:
    rledger("append", "-", stdin=purchase(1))
    first = adopted(rledger, harsh)
    assert adopted(rledger, harsh) == first
    assert "in force already" in rledger("policy", "adopt", harsh, "--why", "again").stdout
    assert rledger.head() == first["position"]


def test_a_version_means_one_policy(rledger: Rledger, harsh: str, tmp_path: Path) -> None:
    rledger("append", "-", stdin=purchase(1))
    adopted(rledger, harsh)
    for version, changes in (("harsh", {"dispute.weight": 0.8}), (shipped().version, {})):
        (tmp_path / "other.toml").write_text(text(version=version, **changes))
        done = rledger("policy", "adopt", str(tmp_path / "other.toml"), "--why", "to see")
        assert done.returncode == 1
        assert f"version '{version}' is taken by other numbers" in done.stderr
    (tmp_path / "shipped.toml").write_text(shipped_text())
    assert adopted(rledger, str(tmp_path / "shipped.toml"))["digest"] == shipped().digest


def test_what_is_recorded_is_whole_though_the_file_was_not(rledger: Rledger, tmp_path: Path) -> None:
    rledger("append", "-", stdin=purchase(1))
    old = tmp_path / "old.toml"
    old.write_text(text().partition("[leaks]")[0] + "[leaks]" + text().partition("[leaks]")[2].replace("rush_hours", "# rush_hours"))
    assert rledger.json("policy", "check", str(old))[0]["missing"] == ["leaks.rush_hours"]
    assert "taken from the shipped policy: leaks.rush_hours" in rledger("policy", "check", str(old)).stdout
    adopted(rledger, str(old))
    with open_ledger(settings.read(rledger.environ), read_only=True) as ledger:
        (one,) = Policies(ledger).adopted
    assert one.read.missing == ()
    assert numbers(one.read.policy) == numbers(read(text(), where="").policy)


def test_a_wrong_file_is_refused_with_all_that_is_wrong(rledger: Rledger, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(text().replace("trend_days = 90", "trend_days = 0\nwrong = 1"))
    done = rledger("policy", "check", str(bad), "--json")
    assert done.returncode == 1
    assert [problem.partition(" ")[0] for problem in json.loads(done.stdout)["problems"]] == ["model.wrong", "model.trend_days:"]
    assert "error: policy" in rledger("policy", "check", str(bad)).stderr
    rledger("append", "-", stdin=purchase(1))
    assert rledger("policy", "adopt", str(bad), "--why", "to see").returncode == 1
    bad.write_bytes(b"\xff")
    assert "no UTF-8 text" in rledger("policy", "check", str(bad)).stderr
    assert rledger.head() == 1


def test_the_difference_is_told_a_number_a_line(rledger: Rledger, harsh: str) -> None:
    rledger("append", "-", stdin=purchase(1))
    assert rledger.json("policy", "diff") == []
    found = rledger.json("policy", "diff", harsh)
    assert found[0] == {"number": "customer.trust.weight", "before": 0.25, "after": 0.15}
    assert len(found) == 3
    adopted(rledger, harsh)
    assert rledger.json("policy", "diff") == found
    assert "standing.customer.grow" in rledger("policy", "diff").stdout
    assert "the same numbers" in rledger("policy", "diff", harsh).stdout


def test_what_is_simulated_is_what_adopting_does(rledger: Rledger, sampled: Rledger, harsh: str) -> None:
    Path(rledger.environ["RLEDGER_DATA"]).mkdir()
    source, target = (Path(one.environ["RLEDGER_DATA"], "ledger.db") for one in (sampled, rledger))
    with sqlite3.connect(source) as given_, sqlite3.connect(target) as taken:
        given_.backup(taken)
    given_.close()
    taken.close()
    shutil.copytree(source.parent / "keys", target.parent / "keys")  # personal data is wrapped by the master key in it
    head, *rows = rledger.json("policy", "simulate", harsh, "--all")
    rledger("project", "--once")
    assert table(rledger) == {row["relationship"]: (row["standing_before"], row["quality_before"]) for row in rows}
    moved = [row for row in rows if row["standing_before"] != row["standing_after"]]
    assert (head["before"], head["after"], head["relationships"], head["moved"]) == (shipped().version, "harsh", len(rows), len(moved))
    assert 0 < len(moved) == sum(move["relationships"] for move in head["moves"])
    assert rows[: len(moved)] == moved
    assert f"{len(moved)} of {len(rows)} relationships" in rledger("policy", "simulate", harsh, "--limit", "1").stdout
    adopted(rledger, harsh)
    rledger("project", "--once")
    assert table(rledger) == {row["relationship"]: (row["standing_after"], row["quality_after"]) for row in rows}


def test_a_question_follows_an_adoption_and_the_past_does_not(either: Rledger, harsh: str) -> None:
    either("append", "-", stdin=purchase(1))
    before = either.json("explain", "customer/acme")[0]
    moment = eventually(lambda: either.json("show", "customer/acme")[0]["as_of"])
    adopted(either, harsh)
    after = either.json("explain", "customer/acme")[0]
    assert (before["policy"], after["policy"]) == (shipped().version, "harsh")
    assert after["base"] != before["base"]
    assert either.json("explain", "customer/acme", "--as-of", moment)[0]["policy"] == shipped().version
    assert either.json("show", "customer/acme", "--known-at", moment)[0]["quality"] == pytest.approx(before["quality"], abs=0.05)
    assert either.json("policy", "show", "--as-of", moment)[0]["version"] == shipped().version


def test_a_worker_follows_an_adoption_by_itself_and_goes_on(rledger: Rledger, harsh: str, tmp_path: Path) -> None:
    rledger("append", "-", stdin=purchase(1))
    rledger("project", "--once")
    worker = rledger.start("project")
    assert worker.stdout is not None
    assert "worker.started" in worker.stdout.readline()
    adopted(rledger, harsh)
    eventually(lambda: rledger.json("explain", "customer/acme")[0]["policy"] == "harsh")
    (tmp_path / "second.toml").write_text(text(version="second", **{"dispute.weight": 0.8}))
    adopted(rledger, str(tmp_path / "second.toml"))
    eventually(lambda: rledger("rebuild", "--all").returncode == 0)  # before the worker has seen it, or after
    rledger("append", "-", stdin=purchase(2))
    eventually(lambda: rledger.json("show", "customer/acme")[0]["events"] == 2)
    assert rledger.json("explain", "customer/acme")[0]["policy"] == "second"
    assert worker.poll() is None


def test_what_is_calibrated_can_be_adopted_as_it_is_written(rledger: Rledger, sampled: Rledger, tmp_path: Path) -> None:
    path = tmp_path / "calibrated.toml"
    (found,) = sampled.json("calibrate", "--write", str(path))
    assert found["proposed"] == f"{shipped().version}-calibrated-{found['until']}"
    plain = ["recency", "frequency", "past mean"]
    for kind, predictors in (("customers", [*plain[:2], "RFM", plain[2]]), ("partners", plain)):
        assert [one["name"] for one in found[kind]["predictors"]] == ["calibrated", "in force", *predictors]
    assert rledger.json("policy", "check", str(path))[0]["missing"] == []
    rledger("append", "-", stdin=purchase(1))
    assert adopted(rledger, str(path))["version"] == found["proposed"]
    changes = [{"number": one["number"], "before": one["before"], "after": one["after"]} for one in found["changes"]]
    assert sorted(rledger.json("policy", "diff"), key=str) == sorted(changes, key=str)


def test_calibration_says_that_there_is_too_little(rledger: Rledger, tmp_path: Path) -> None:
    rledger("append", "-", stdin=purchase(1))
    done = rledger("calibrate")
    assert done.returncode == 1
    assert "either part must be longer than the 90 days" in done.stderr
    rledger("append", "-", stdin=purchase(2, time="2025-01-01T00:00:00Z"))
    done = rledger("calibrate", "--until", "2025-10-31", "--write", str(tmp_path / "none.toml"))
    assert done.returncode == 0, done.stderr
    assert "1 customers with a purchase before the split, 50 needed" in done.stdout
    assert "nothing was written" in done.stdout
    assert not (tmp_path / "none.toml").exists()
