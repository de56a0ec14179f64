"""What an event costs, in the ledger and in the views, when the log is long; beside what it cost when the log was short.

A relationship has ten events on average, early and late: a log of 10 million is one of a million relationships. Cost is CPU time, which a
busy machine changes less than speed.
"""

import time

import msgspec

from benchmarks import parts
from benchmarks.measure import Figures, Work, per_100k
from benchmarks.place import Place
from benchmarks.touchpoints import batches, touchpoints
from service.stores import open_ledger

STRETCH = 200_000  # events that are measured at either end
EACH = 10  # events of a relationship


class Cost(msgspec.Struct):
    """What a stretch of events took. ``wall_s`` and ``cpu_s`` are seconds."""

    events: int
    wall_s: float
    cpu_s: float


def growth(here: Place, events: int) -> Figures:
    """The first stretch of a long log against the last."""
    stretch = min(STRETCH, events // 4)
    (ledger_first, ledger_last), ledger_usage = Work(_append, here, events, stretch).result()
    (views_first, views_last), views_usage = Work(_project, here, events, stretch).result()
    first_cpu_s, last_cpu_s = (
        one.cpu_s / one.events + other.cpu_s / other.events for one, other in ((ledger_first, views_first), (ledger_last, views_last))
    )
    per_s, first_per_s = (
        1 / (one.wall_s / one.events + other.wall_s / other.events)
        for one, other in ((ledger_last, views_last), (ledger_first, views_first))
    )
    return {
        "events": events,
        "events_per_s": round(per_s),
        "raw_per_s": round(first_per_s),
        "ratio": round(per_s / first_per_s, 3),
        "cpu_s_per_100k": per_100k(last_cpu_s, 1),
        "peak_rss_mb": round(max(ledger_usage.peak_rss_mb, views_usage.peak_rss_mb)),
        "cost_growth": round(last_cpu_s / first_cpu_s, 3),
        "ledger": _told(ledger_first, ledger_last, ledger_usage.peak_rss_mb),
        "views": _told(views_first, views_last, views_usage.peak_rss_mb),
    }


def _told(first: Cost, last: Cost, peak_rss_mb: float) -> Figures:
    first_100k, last_100k = per_100k(first.cpu_s, first.events), per_100k(last.cpu_s, last.events)
    return {
        "first_cpu_s_per_100k": first_100k,
        "last_cpu_s_per_100k": last_100k,
        "cost_growth": round(last_100k / first_100k, 3),
        "peak_rss_mb": round(peak_rss_mb),
    }


class _Watch:
    """Adds up what happens between ``start`` and ``stop``, for the first stretch of events and for the last."""

    def __init__(self, events: int, stretch: int) -> None:
        self._events, self._stretch = events, stretch
        self._done = 0
        self.first, self.last = Cost(0, 0.0, 0.0), Cost(0, 0.0, 0.0)

    def start(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def stop(self, position: int) -> None:
        """``position``: up to which event that was."""
        wall_s, cpu_s = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
        for cost, within in ((self.first, self._done < self._stretch), (self.last, position > self._events - self._stretch)):
            if within:
                cost.events += position - self._done
                cost.wall_s += wall_s
                cost.cpu_s += cpu_s
        self._done = position


def _append(here: Place, events: int, stretch: int) -> tuple[Cost, Cost]:
    watch, done = _Watch(events, stretch), 0
    with open_ledger(here.settings) as ledger:
        for batch in batches(touchpoints(events, each=EACH)):
            watch.start()
            ledger.append(batch)
            done += len(batch)
            watch.stop(done)
    return watch.first, watch.last


def _project(here: Place, events: int, stretch: int) -> tuple[Cost, Cost]:
    watch = _Watch(events, stretch)
    with parts.worker(here) as (_, runner):
        while runner.position < events:
            watch.start()
            runner.run_once()
            watch.stop(runner.position)
    return watch.first, watch.last
