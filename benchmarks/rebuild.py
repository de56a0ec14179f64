"""All views made anew from the log, by one process; beside a bare loop over the same log: read, decode, add one up."""

import time

import msgspec

from benchmarks import parts
from benchmarks.measure import Figures, Work, figures, per_100k
from benchmarks.place import Place
from ledger.ledger import READ_LIMIT_MAX
from projections.registry import projections
from projections.scoring.policy_file import shipped
from service.stores import open_ledger

EACH = 40  # events of a relationship


class _Envelope(msgspec.Struct, gc=False):
    time: str


def rebuild(here: Place, events: int) -> Figures:
    """The log into all views, from nothing."""
    Work(parts.fill, here, events, max(events // EACH, 1)).result()
    (made_s, views), usage = Work(_rebuild, here, events).result()
    raw_s, raw_usage = Work(_raw, here).result()
    return figures(events, made_s, events / raw_s, [usage], views=views, raw_cpu_s_per_100k=per_100k(raw_usage.cpu_s, events))


def _rebuild(here: Place, events: int) -> tuple[float, int]:
    """Returns: seconds, and how many views there are."""
    with parts.worker(here) as (_, runner):
        began = time.perf_counter()
        rebuilt = runner.rebuild([one.name for one in projections(shipped())])
        took_s = time.perf_counter() - began
    assert {one.position for one in rebuilt} == {events}, rebuilt
    return took_s, len(rebuilt)


def _raw(here: Place) -> float:
    """Events a relationship, counted in a loop. Returns: seconds."""
    decode = msgspec.json.Decoder(_Envelope).decode
    counts: dict[str, int] = {}
    latest, after = "", 0
    with open_ledger(here.settings, read_only=True) as ledger:
        began = time.perf_counter()
        while batch := ledger.read(after=after, limit=READ_LIMIT_MAX):
            for one in batch:
                counts[one.relationship] = counts.get(one.relationship, 0) + 1
                latest = max(latest, decode(one.event).time)
            after = batch[-1].position
        return time.perf_counter() - began
