"""What ``rledger up`` promises: parts that die are started again, nothing is lost, and no part outlives it."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from service.supervisor import consumers_here, workers_here
from tests.service.commands import PATIENCE_S, Rledger, alive, eventually, family, part
from tests.service.test_putting import purchase

STOP_S = 5.0  # a stop takes at most that long


def supervise(tmp_path: Path, *scripts: str, heeding: bool = False) -> subprocess.Popen[str]:
    """A supervisor of a part for each script, which exits with 9 where one failed."""
    program = f"""
import sys
from service.supervisor import Part, Supervisor
parts = [Part("part", (sys.executable, "-c", script), number=number) for number, script in enumerate({scripts!r}, 1)]
sys.exit(0 if Supervisor(parts, heeding={heeding}).run() else 9)
"""
    with (tmp_path / "log").open("w") as log:
        return subprocess.Popen([sys.executable, "-c", program], stdout=log, stderr=log, text=True, start_new_session=True)


def test_ctrl_c_stops_everything_within_seconds_and_leaves_no_process(rledger: Rledger) -> None:
    up = rledger.start("up", "--sample")
    eventually(lambda: part(up, "project") and part(up, "trickle"))
    parts = family(up.pid)
    asked_s = time.monotonic()
    up.send_signal(signal.SIGINT)
    said, _ = up.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - asked_s < STOP_S
    assert up.returncode == 0
    assert said.rstrip().endswith("stopped")
    assert not any(map(alive, parts))


def test_a_killed_part_is_started_again_and_nothing_is_lost_or_repeated(rledger: Rledger) -> None:
    up = rledger.start("up", "--sample", "--workers", "2")
    for name, count in (("trickle", 1), ("project", 2)):
        victim = eventually(partial(part, up, name))
        position = rledger.head()
        victim.kill()
        victim.wait()
        eventually(lambda name=name, count=count: sum(name in one.cmdline() for one in family(up.pid)) == count)  # type: ignore[misc]
    eventually(lambda: rledger("doctor").returncode == 0)
    up.terminate()
    said, _ = up.communicate(timeout=PATIENCE_S)
    assert "running  project (2 workers), trickle; Ctrl-C stops" in said
    assert said.count("killed by SIGKILL") == 2
    rebuilt = rledger.json("rebuild", "--all")
    assert all(one["comparison"]["changed"] == one["comparison"]["added"] == one["comparison"]["removed"] == 0 for one in rebuilt)
    assert rebuilt[0]["position"] >= position


@pytest.mark.parametrize(("cores", "ledgers", "workers"), [(1, 1, 1), (2, 1, 2), (16, 1, 4), (2, 2, 1), (8, 3, 2), (2, 5, 1)])
def test_a_worker_a_core_four_at_most_and_one_at_least(monkeypatch: pytest.MonkeyPatch, cores: int, ledgers: int, workers: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(sys, "platform", "linux")
    assert workers_here(ledgers) == workers
    assert consumers_here() == min(cores, 2)


def test_parts_are_ours_whatever_stands_in_the_folder_they_are_started_from(rledger: Rledger, tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text("raise SystemExit('not ours')")
    up = rledger.start("up", cwd=tmp_path)
    eventually(lambda: part(up, "project"))
    eventually(lambda: rledger("append", "-", stdin=purchase(1)).returncode == 0 and rledger("doctor").returncode == 0)
    up.terminate()
    assert "not ours" not in up.communicate(timeout=PATIENCE_S)[0]


def test_no_part_outlives_a_supervisor_that_is_killed(rledger: Rledger) -> None:
    up = rledger.start("up", "--sample")
    eventually(lambda: part(up, "project") and part(up, "trickle"))
    parts = family(up.pid)
    up.kill()
    eventually(lambda: not any(map(alive, parts)), patience_s=STOP_S)


def test_a_second_ctrl_c_kills_what_will_not_end(tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    supervisor = supervise(tmp_path, stubborn)
    try:
        eventually(lambda: "deaf" in (tmp_path / "log").read_text())
        (child,) = family(supervisor.pid)
        supervisor.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert alive(child)
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(timeout=STOP_S) == 0
        assert not alive(child)
    finally:
        supervisor.kill()


def test_a_part_that_keeps_dying_is_started_less_and_less_often(tmp_path: Path) -> None:
    supervisor = supervise(tmp_path, "import sys; sys.exit(3)")
    try:
        eventually(lambda: (tmp_path / "log").read_text().count("exit code 3") >= 3)
    finally:
        supervisor.terminate()
        supervisor.wait(timeout=STOP_S)
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if "part.ended" in line]
    assert [pause for line in lines for pause in ("0.5", "1.0", "2.0") if f"start_again_in_s={pause}" in line][:3] == ["0.5", "1.0", "2.0"]


@pytest.mark.parametrize(("dies", "again"), [("sys.exit(1)", False), ("os._exit(70)", True), ("os.kill(os.getpid(), 9)", True)])
def test_a_part_that_fails_ends_all_where_that_is_heeded_and_one_that_is_killed_is_started_again(
    tmp_path: Path, dies: str, again: bool
) -> None:
    supervisor = supervise(tmp_path, "import time; time.sleep(60)", f"import os, sys; print('dies', flush=True); {dies}", heeding=True)
    try:
        if again:
            eventually(lambda: (tmp_path / "log").read_text().count("dies") > 1)
            supervisor.terminate()
        assert supervisor.wait(timeout=PATIENCE_S) == (0 if again else 9)
        assert ("part.failed" in (tmp_path / "log").read_text()) is not again
    finally:
        supervisor.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_part_asked_to_stop_finishes_what_it_does(number: signal.Signals) -> None:
    program = """
import time
from service.stopping import Stop
stop = Stop()
print("works", flush=True)
while not stop():
    time.sleep(0.01)
print("finished", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "works\n"
    process.send_signal(number)
    said, _ = process.communicate(timeout=STOP_S)
    assert (said, process.returncode) == ("finished\n", 0)


def test_a_part_that_hangs_after_it_was_asked_to_stop_is_ended() -> None:
    program = """
import time
from service.stopping import Stop
Stop(limit_s=1)
print("works", flush=True)
while True:
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "works\n"
    process.terminate()
    process.communicate(timeout=STOP_S)
    assert process.returncode == -signal.SIGALRM
