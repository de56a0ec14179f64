"""The watchdog barks at a call that never returns, and only then."""

import subprocess
import sys
import threading
import time

from consumers.watchdog import EXIT_CODE, Watchdog


def test_a_call_that_never_returns_is_noticed() -> None:
    noticed = threading.Event()
    watchdog = Watchdog("poll", limit_s=0.3, tick_s=0.05, act=lambda what, _limit_s: noticed.set() if what == "poll" else None)
    with watchdog:
        assert noticed.wait(5)


def test_calls_that_return_are_left_alone_however_many_and_so_is_the_time_between() -> None:
    noticed = threading.Event()
    watchdog = Watchdog("poll", limit_s=0.3, tick_s=0.01, act=lambda *_: noticed.set())
    until = time.monotonic() + 0.6
    while time.monotonic() < until:
        with watchdog:
            time.sleep(0.005)
    time.sleep(0.6)
    watchdog.close()
    assert not noticed.is_set()


def test_the_process_ends_with_its_own_code_even_while_it_spins() -> None:
    program = """
from consumers.watchdog import Watchdog
with Watchdog("poll", limit_s=0.3, tick_s=0.1):
    while True:
        pass
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == EXIT_CODE
    assert "call.stuck" in ended.stdout
    assert "most recent call first" in ended.stderr
