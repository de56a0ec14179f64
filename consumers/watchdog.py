"""End the process when a call into a library never returns, so that the supervisor can start it anew.

kafka-python's ``poll`` may spin for ever at full CPU, deaf to its timeout; only another thread can notice.
"""

import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType

import structlog

LIMIT_S = 60
TICK_S = 1.0
EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h

log = structlog.get_logger()


def end_process(what: str, limit_s: float) -> None:
    """Say what hangs and where, and end the process at once; nothing needs to be saved."""
    log.critical("call.stuck", call=what, limit_s=limit_s)
    faulthandler.dump_traceback(sys.stderr)
    os._exit(EXIT_CODE)


class Watchdog:
    """``with watchdog:`` around each call that must return. It counts its own ticks: a stopped process (SIGSTOP) does not age."""

    def __init__(
        self, what: str, *, limit_s: float = LIMIT_S, tick_s: float = TICK_S, act: Callable[[str, float], None] = end_process
    ) -> None:
        self._what, self._limit_s, self._tick_s, self._act = what, limit_s, tick_s, act
        self._calls = 0  # odd while inside a call
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name=f"watchdog of {what}", daemon=True).start()

    def __enter__(self) -> None:
        self._calls += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._calls += 1

    def close(self) -> None:
        self._closed.set()

    def _watch(self) -> None:
        seen, ticks = 0, 0
        while not self._closed.wait(self._tick_s):
            ticks = ticks + 1 if self._calls == seen and seen % 2 else 0
            seen = self._calls
            if ticks * self._tick_s >= self._limit_s:
                self._act(self._what, self._limit_s)
                return
