"""What every benchmark needs: work in processes of its own, with what it cost, and figures of several runs made one."""

import logging
import multiprocessing
import os
import resource
import statistics
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import msgspec
import structlog

Figures = dict[str, Any]
"""What is printed: names and figures, perhaps more of them under a name."""

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_started: list[Event] = []  # of this process, where it is a Work's
_go: list[Event] = []  # likewise
_before_s: list[float] = []  # CPU time it had taken when its work began
PER = 100_000  # events that ``cpu_s_per_100k`` is for


def under_way() -> None:
    """Tell whoever waits for this process that its work proper has begun; what it took until then counts for nobody."""
    for started in _started:
        if not started.is_set():
            _before_s.append(time.process_time())
            started.set()


def told_to_go() -> bool:
    """Whether whoever started this process has told it to ``go``; true where it was started by nobody."""
    return all(go.is_set() for go in _go)


class Usage(msgspec.Struct):
    """What a process took. ``peak_rss_mb``: the most memory it held at once, in 10^6 bytes."""

    cpu_s: float
    peak_rss_mb: float


class Work:
    """``run(*arguments, **named)`` in a fresh process (spawned, not forked: Kafka's client does not survive a fork)."""

    def __init__(self, run: Callable[..., Any], *arguments: object, **named: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._answers, theirs = context.Pipe(duplex=False)
        self._under_way, self._go = context.Event(), context.Event()
        self._process = context.Process(target=_work, args=(theirs, self._under_way, self._go, partial(run, *arguments, **named)))
        self._process.start()
        theirs.close()

    def wait(self) -> None:
        """Return once the work says that it is ``under_way``, or has ended."""
        while self._process.is_alive() and not self._under_way.wait(0.1):
            pass

    def go(self) -> None:
        """Tell the work, where it asks whether it is ``told_to_go``."""
        self._go.set()

    @property
    def rss_mb(self) -> float:
        """The memory it holds now, in 10^6 bytes; 0 once it has ended."""
        try:
            return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6
        except OSError:
            return 0.0

    def result(self) -> tuple[Any, Usage]:
        """What ``run`` returned and what it took. Raises: RuntimeError with its traceback where it failed."""
        try:
            result, usage, failure = self._answers.recv()
        except EOFError:
            result, usage, failure = None, None, "the process died"
        self._process.join()
        if failure:
            raise RuntimeError(failure)
        return result, usage


def _work(answers: Connection, started: Event, go: Event, run: Callable[[], Any]) -> None:
    _started.append(started)
    _go.append(go)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    _before_s.append(time.process_time())  # what it took to start and import counts for nobody
    try:
        result, failure = run(), ""
    except BaseException:  # noqa: BLE001  # told to whoever waits
        result, failure = None, traceback.format_exc()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers.send((result, Usage(time.process_time() - _before_s[-1], peak_kib * 1024 / 1e6), failure))


def figures(events: int, took_s: float, raw_per_s: float, usages: Sequence[Usage], **more: object) -> Figures:
    """What every benchmark tells. ``usages``: of our processes; a database or broker of its own is not among them."""
    per_s = events / took_s
    return {
        "events": events,
        "events_per_s": round(per_s),
        "raw_per_s": round(raw_per_s),
        "ratio": round(per_s / raw_per_s, 3),
        "cpu_s_per_100k": per_100k(sum(usage.cpu_s for usage in usages), events),
        "peak_rss_mb": round(sum(usage.peak_rss_mb for usage in usages)),
        **more,
    }


def per_100k(cpu_s: float, events: int) -> float:
    return round(cpu_s * PER / events, 2)


def percentiles(seconds: Sequence[float], prefix: str = "") -> Figures:
    """The median and the 99th percentile of some times, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return {f"{prefix}p50_ms": round(cuts[49] * 1e3, 3), f"{prefix}p99_ms": round(cuts[98] * 1e3, 3)}


def medians(runs: Sequence[Figures]) -> Figures:
    """The median of each figure over several runs; what is no figure is that of the first."""
    made: Figures = {}
    for name, first in runs[0].items():
        values = [run[name] for run in runs]
        if isinstance(first, Mapping):
            made[name] = medians(values)
        elif isinstance(first, int | float):
            made[name] = statistics.median_low(values)  # one that was measured, so that counts stay whole
        else:
            made[name] = first
    return made
