"""Single appends from 64 threads at once, each durable before it returns; beside bare rows, 64 a commit, by one thread."""

import time
from collections.abc import Sequence
from contextlib import closing
from itertools import islice

from benchmarks import parts, raw
from benchmarks.measure import Figures, Work, figures, per_100k, percentiles
from benchmarks.place import Place
from benchmarks.touchpoints import touchpoints

CLIENTS = 64


def append(here: Place, events: int) -> Figures:
    """Single appends from many clients."""
    raw_s, raw_usage = Work(_raw, here, events).result()
    (took_s, times), usage = Work(parts.append_alone, here, events, CLIENTS).result()
    return figures(
        events,
        took_s,
        events / raw_s,
        [usage],
        **percentiles(times),
        clients=CLIENTS,
        raw_cpu_s_per_100k=per_100k(raw_usage.cpu_s, events),
    )


def _raw(here: Place, events: int) -> float:
    """Rows in commits of as many as there are clients. Returns: seconds."""
    bodies: Sequence[bytes] = [event for _, event in touchpoints(events)]
    with closing(raw.table(here)) as bare:
        began = time.perf_counter()
        left = iter(bodies)
        while rows := [raw.row(body) for body in islice(left, CLIENTS)]:
            bare.write(rows)
        return time.perf_counter() - began
