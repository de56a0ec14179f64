"""Every benchmark there is, run several times on places of its own; of each figure the median is told."""

from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module

import msgspec

from benchmarks.measure import Figures, medians
from benchmarks.place import Place, broker, place, server
from schemas.errors import SettingsError

RUNS = 3
EVENTS_MIN = 1_000
WARM_EVENTS = 20_000


class Benchmark(msgspec.Struct, frozen=True):
    """``events`` and ``runs`` are those where none are asked for."""

    module: str
    kafka: bool
    events: int
    runs: int = RUNS


BENCHMARKS = {
    "ingest": Benchmark("ingest", kafka=True, events=200_000),
    "live": Benchmark("ingest", kafka=True, events=200_000),
    "rebuild": Benchmark("rebuild", kafka=False, events=1_000_000),
    "latency": Benchmark("latency", kafka=True, events=20_000),
    "append": Benchmark("append", kafka=False, events=50_000),
    "growth": Benchmark("growth", kafka=False, events=10_000_000, runs=1),
    "query": Benchmark("query", kafka=False, events=1_000_000, runs=1),
    "soak": Benchmark("latency", kafka=True, events=300_000, runs=1),
}


def run(name: str, *, events: int | None = None, runs: int | None = None, store: str | None = None, kafka: str | None = None) -> Figures:
    """Run a benchmark.

    Args:
        name: of ``BENCHMARKS``.
        events: how many touchpoints.
        runs: how often.
        store: the URL of an empty store; ``sqlite`` or None: a file that is thrown away; ``postgresql``: a server of our own.
        kafka: HOST:PORT of a broker; None: one of our own.

    Raises:
        SettingsError: the store is not empty, or what is needed was not given and cannot be started here.
    """
    asked = BENCHMARKS[name]
    events, runs = events or asked.events, runs or asked.runs
    if events < EVENTS_MIN:
        raise SettingsError(f"{events} events are too few to measure: {EVENTS_MIN} or more")
    measured: Callable[[Place, int], Figures] = getattr(import_module(f"benchmarks.{asked.module}"), name)
    with ExitStack() as stack:
        url = stack.enter_context(server(store))
        brokers = stack.enter_context(broker(kafka)) if asked.kafka else ""
        if asked.kafka and kafka is None:
            with place(url, brokers) as here:
                measured(here, min(events, WARM_EVENTS))  # counts for nothing: a broker compiles itself while it is young
        several = []
        for _ in range(runs):
            with place(url, brokers) as here:
                several.append(measured(here, events))
    kind = "postgresql" if url and url.startswith("postgres") else "sqlite"
    return {"name": name, **medians(several), "store": kind, "runs": runs}
