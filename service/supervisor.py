"""Run the parts of the service as child processes, and keep them running.

A part that dies is started again, after a pause that doubles while it keeps dying. SIGINT or SIGTERM stops all parts cleanly, a
second one at once. No part outlives the supervisor, even when that is killed: on Linux the kernel then asks each part to stop.

Here stands, too, how many of a kind there are on a machine unless it is said: projection workers, and consumers.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

import msgspec
import structlog

from service.stopping import STOP_LIMIT_S, STOP_SIGNALS

LOOK_S = 0.1  # between two looks at the parts
PAUSE_MIN_S, PAUSE_MAX_S = 0.5, 30.0  # before a part that died is started again
STEADY_S = 60.0  # a part that ran so long before it died starts over with the shortest pause
WORKERS_MAX = 4  # projection workers side by side, by default: they keep up with what one intake appends
CONSUMERS_MAX = 2  # of a ledger, by default: its appends follow each other, and two consumers hardly leave it waiting
ERROR = 1  # the exit code of a part that told an error, or of a bug: it would end so again
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>

log = structlog.get_logger()


def workers_here(ledgers: int = 1) -> int:
    """How many workers share the views of each of some ledgers on this machine, unless it is said: one a core, a few at most."""
    return max(1, min(WORKERS_MAX, _cores() // ledgers))


def consumers_here() -> int:
    """How many consumers ``rledger consume`` runs on this machine, unless it is said: one a core, two at most."""
    return min(CONSUMERS_MAX, _cores())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class Part(msgspec.Struct, frozen=True):
    """A part of the service.

    name: in logs; parts that are alike have the same one.
    command: runs it until it is asked to stop.
    environ: variables it has of its own.
    number: which of those that are alike, from 1, where logs tell them apart.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = {}
    number: int | None = None


def part(name: str, *arguments: str, ledger: int | None = None, number: int | None = None) -> Part:
    """The part that runs ``rledger`` with ``arguments``, for one of several ledgers where ``ledger`` says which."""
    # -P: a folder that happens to hold something called service must not be taken for ours.
    command = (sys.executable, "-P", "-m", "service", *arguments)
    if ledger is None:
        return Part(name, command, number=number)
    return Part(f"{name} {ledger}", command, {"RLEDGER_LEDGER": str(ledger)}, number)


def consumer_parts(count: int, *options: str, instance: str | None = None, ledger: int | None = None) -> list[Part]:
    """The parts that are ``count`` consumers of one group, which share the partitions.

    Args:
        count: how many.
        *options: of ``rledger consume``, the same for each.
        instance: the name that survives restarts, of which each is given its own where there are several.
        ledger: as in ``part``.
    """
    made = []
    for number in range(1, count + 1):
        named = ("--instance", instance if count == 1 else f"{instance}-{number}") if instance else ()
        told = ("--number", str(number)) if count > 1 else ()
        made.append(part("intake", "consume", "--consumers", "1", *options, *named, *told, ledger=ledger, number=number if told else None))
    return made


class _Running:
    """One part's process, and when to start it (again), in seconds of the monotonic clock."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.process: subprocess.Popen[bytes] | None = None
        self.started_s = 0.0
        self.start_at_s = 0.0
        self.pause_s = PAUSE_MIN_S


class Supervisor:
    """Runs ``parts`` until asked to stop. ``heeding``: also until one of them ends with an error, as it would alone."""

    def __init__(self, parts: Sequence[Part], *, heeding: bool = False) -> None:
        self._running = [_Running(part) for part in parts]
        self._heeding = heeding
        self._failed = False
        self._asked = 0  # times we were asked to stop

    def run(self) -> bool:
        """Start all parts, watch them, and return once all have ended. Returns: whether they were asked to stop, and none failed."""
        before = {number: signal.signal(number, self._ask) for number in STOP_SIGNALS}
        try:
            while not self._asked and not self._failed:
                for one in self._running:
                    self._look(one)
                time.sleep(LOOK_S)
            self._stop()
            return not self._failed
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked += 1

    def _look(self, one: _Running) -> None:
        now_s = time.monotonic()
        if one.process is None:
            if now_s >= one.start_at_s:
                one.process, one.started_s = _start(one.part), now_s
                log.debug("part.started", **_named(one.part), pid=one.process.pid)
        elif (code := one.process.poll()) is not None:
            if self._heeding and code == ERROR:
                log.error("part.failed", **_named(one.part))  # it has told why
                one.process, self._failed = None, True
                return
            if now_s - one.started_s >= STEADY_S:
                one.pause_s = PAUSE_MIN_S
            log.warning("part.ended", **_named(one.part), how=_how(code), start_again_in_s=one.pause_s)
            one.process, one.start_at_s = None, now_s + one.pause_s
            one.pause_s = min(one.pause_s * 2, PAUSE_MAX_S)

    def _stop(self) -> None:
        """Ask every part to end; kill what is left after the limit, or when we are asked again."""
        left = [one.process for one in self._running if one.process is not None]
        for process in left:
            process.terminate()
        limit_s = time.monotonic() + STOP_LIMIT_S + 1  # a part that hangs is ended by its own alarm first
        while left := [process for process in left if process.poll() is None]:
            if self._asked > 1 or time.monotonic() > limit_s:
                for process in left:
                    process.kill()
                    process.wait()
            time.sleep(LOOK_S)


def _named(part: Part) -> dict[str, str | int]:
    return {"part": part.name} if part.number is None else {"part": part.name, "number": part.number}


def _start(part: Part) -> subprocess.Popen[bytes]:
    # A process group of its own keeps the terminal's Ctrl-C from the part: the supervisor alone decides the order of the end.
    return subprocess.Popen(  # noqa: S603  # our own command
        part.command,
        env={**os.environ, **part.environ},
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=_die_with_parent(os.getpid()),  # noqa: PLW1509  # we have one thread
    )


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """What a child runs before its program, so that the kernel sends it SIGTERM when its parent is gone."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # loaded before the fork: the child must do next to nothing

    def before_exec() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the call
            os._exit(1)

    return before_exec


def _how(code: int) -> str:
    """A process's return code in words."""
    names = {one.value: one.name for one in signal.Signals}
    return f"killed by {names.get(-code, f'signal {-code}')}" if code < 0 else f"exit code {code}"
