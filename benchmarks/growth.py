"""What an event costs, in the ledger and in the views, when the log is long; beside what it cost when the log was short.

A relationship has ten events on average, early and late: a log of 10 million is one of a million relationships. Cost is CPU time, which a
busy machine changes less than speed.

The views of what comes before a stretch are built, which is told apart; the stretch they follow in small commits, in which a relationship
seldom comes twice, as when they are live. So the first stretch of the views is the second of the log.
"""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, cast

import msgspec

from benchmarks.measure import Figures, Work, per_100k
from benchmarks.place import Place
from benchmarks.touchpoints import batches, touchpoints
from ledger.interface import Head
from ledger.ledger import Ledger
from projections.keeper import Keeper
from projections.policies import Policies
from projections.rebuild import rebuild
from projections.registry import projections
from service.clock import now_us
from service.stores import open_ledger, open_views

STRETCH = 200_000  # events that are measured at either end
EACH = 10  # events of a relationship
COMMIT = 500  # events a commit of the views that follow


class Cost(msgspec.Struct):
    """What a stretch of events took. ``wall_s`` and ``cpu_s`` are seconds."""

    events: int
    wall_s: float
    cpu_s: float


def growth(here: Place, events: int) -> Figures:
    """The first stretch of a long log against the last."""
    stretch = min(STRETCH, events // 4)
    (ledger_first, ledger_last), ledger_usage = Work(_append, here, events, stretch).result()
    (_, views_first), _ = Work(_project, here, 2 * stretch, stretch).result()
    (built, views_last), views_usage = Work(_project, here, events, stretch).result()
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
        "views": _told(views_first, views_last, views_usage.peak_rss_mb) | {"build_cpu_s_per_100k": per_100k(built.cpu_s, built.events)},
    }


def _told(first: Cost, last: Cost, peak_rss_mb: float) -> Figures:
    first_100k, last_100k = per_100k(first.cpu_s, first.events), per_100k(last.cpu_s, last.events)
    return {
        "first_cpu_s_per_100k": first_100k,
        "last_cpu_s_per_100k": last_100k,
        "cost_growth": round(last_100k / first_100k, 3),
        "peak_rss_mb": round(peak_rss_mb),
    }


def _append(here: Place, events: int, stretch: int) -> tuple[Cost, Cost]:
    first, last, done = Cost(0, 0.0, 0.0), Cost(0, 0.0, 0.0), 0
    with open_ledger(here.settings) as ledger:
        for batch in batches(touchpoints(events, each=EACH)):
            with _counted(first if done < stretch else last if done >= events - stretch else Cost(0, 0.0, 0.0), len(batch)):
                ledger.append(batch)
            done += len(batch)
    return first, last


def _project(here: Place, upto: int, stretch: int) -> tuple[Cost, Cost]:
    """What it took to make the views of all but the last stretch of the log up to ``upto``, and to follow that stretch."""
    made, followed = Cost(0, 0.0, 0.0), Cost(0, 0.0, 0.0)
    with open_ledger(here.settings) as ledger, closing(open_views(here.settings)) as views:
        kept = projections(Policies(ledger).in_force)
        with closing(views.writer()) as writer, writer.transaction():
            for name in writer.progress():
                writer.drop(name)
        begin = upto - stretch
        with _counted(made, begin):
            rebuild(cast("Ledger", _Begun(ledger, begin)), views, kept, names=[one.name for one in kept], clock=now_us)
        with closing(Keeper(ledger, views, kept, clock=now_us)) as keeper:
            while (before := max(begin, keeper.position)) < upto:
                with _counted(followed, min(COMMIT, upto - before)):
                    keeper.advance(min(upto, before + COMMIT))
    return made, followed


class _Begun:
    """A ledger as it was when it ended at a position."""

    def __init__(self, ledger: Ledger, end: int) -> None:
        self._ledger, self._end = ledger, end

    def head(self) -> Head:
        return Head(self._end, self._ledger.read_sealed(after=self._end - 1, limit=1)[0].recorded_us)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever a ledger has
        return getattr(self._ledger, name)


@contextmanager
def _counted(cost: Cost, events: int) -> Iterator[None]:
    began_s, cpu_s = time.perf_counter(), time.process_time()
    yield
    cost.events += events
    cost.wall_s += time.perf_counter() - began_s
    cost.cpu_s += time.process_time() - cpu_s
