"""How long after it was published a touchpoint is visible in the views, at a steady rate, and for how long that holds.

``latency``: at 2,000 a second, beside the raw limit (poll, decode, write, commit) at the same rate. ``soak``: at half that rate, for
longer; beside the rate it was published at, with latency and memory of the first third and of the last.
"""

import time
from collections.abc import Callable, Sequence

from benchmarks import parts, raw
from benchmarks.measure import Figures, Work, figures, percentiles
from benchmarks.place import Place
from service.stores import open_ledger

RATE, SOAK_RATE = 2_000, 1_000  # touchpoints a second

LOOKS = 30  # at the memory
WARM = 0.1  # of all touchpoints, the first, that are not counted: a rebalance and first statements are of the start, not of the way

Commits = Sequence[tuple[float, int]]


def latency(here: Place, events: int) -> Figures:
    """From publishing to the views, at ``RATE``."""
    with here.topic() as topic:
        bare = Work(raw.from_kafka, here, topic, events, tell=True)
        raw_published = _publish(here, topic, events, RATE, follower=bare)
        (_, raw_commits, raw_numbers), _ = bare.result()
    with here.topic() as topic:
        works = [Work(parts.consume, here, topic, events), Work(parts.project, here, events, tell=True)]
        published = _publish(here, topic, events, RATE, follower=works[-1])
        (_, usage), ((commits, numbers), views_usage) = (work.result() for work in works)
    return figures(
        events,
        commits[-1][0] - published[1],
        events / (raw_commits[-1][0] - raw_published[1]),
        [usage, views_usage],
        **percentiles(_times(published, commits, numbers)),
        **percentiles(_times(raw_published, raw_commits, raw_numbers), "raw_"),
    )


def soak(here: Place, events: int) -> Figures:
    """From publishing to the views, at ``SOAK_RATE``, until the end; then the ledger is checked."""
    with here.topic() as topic:
        works = [Work(parts.consume, here, topic, events), Work(parts.project, here, events, tell=True)]
        memory: list[int] = []

        def look() -> None:
            memory.append(round(sum(work.rss_mb for work in works)))

        published = _publish(here, topic, events, SOAK_RATE, follower=works[-1], look=look)
        (_, usage), ((commits, numbers), views_usage) = (work.result() for work in works)
    times, third = _times(published, commits, numbers), LOOKS // 3
    with open_ledger(here.settings, read_only=True) as ledger:
        problems = [f"{problem.what}: {problem.do}" for problem in ledger.check()]
    return figures(
        events,
        commits[-1][0] - published[1],
        SOAK_RATE,
        [usage, views_usage],
        **percentiles(times),
        first_third={**percentiles(times[: len(times) // 3]), "rss_mb": max(memory[:third])},
        last_third={**percentiles(times[-len(times) // 3 :]), "rss_mb": max(memory[-third:])},
        problems=problems,
    )


def _publish(here: Place, topic: str, events: int, rate: float, *, follower: Work, look: Callable[[], None] | None = None) -> list[float]:
    """Publish one touchpoint, and the others at ``rate`` once ``follower`` has it. ``look`` is called ``LOOKS`` times meanwhile.

    Returns: when each was published.
    """
    (first,), _ = Work(parts.publish, here.kafka, topic, 1).result()
    follower.wait()
    publisher = Work(parts.publish, here.kafka, topic, events - 1, among=events, rate=rate)
    for _ in range(LOOKS):
        time.sleep(events / rate / LOOKS)
        if look is not None:
            look()
    others, _ = publisher.result()
    return [first, *others]


def _times(published: Sequence[float], commits: Commits, numbers: Sequence[int]) -> list[float]:
    """Seconds from publishing to the commit that has it, of each touchpoint in the log's order but the first ones."""
    times: list[float] = []
    position = 0
    for moment, upto in commits:
        times += [moment - published[number] for number in numbers[position:upto]]
        position = upto
    return times[int(len(times) * WARM) :]
