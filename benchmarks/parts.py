"""The service's own parts, each as a process runs it, with the moments at which something became durable or visible."""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

from confluent_kafka import Producer

from benchmarks import measure
from benchmarks.place import PARTITIONS, Place
from benchmarks.touchpoints import batches, number_of, touchpoints
from consumers import intake
from consumers.connection import KafkaSettings
from consumers.kafka import KafkaSource
from consumers.records import Record
from consumers.source import Batch
from ledger.ledger import READ_LIMIT_MAX, Ledger
from projections.policies import Policies
from projections.rebuild import RebuildUnderWayError
from projections.runner import Runner
from service.clock import now_us
from service.reading import open_runner
from service.stores import open_ledger, open_views

LOOK_S = 0.02
WAIT_MS = 20  # between two looks at whether the group is whole
HEADERS = (("content-type", b"application/cloudevents+json"),)


def publish(brokers: str, topic: str, count: int, *, among: int | None = None, rate: float | None = None) -> list[float]:
    """Publish touchpoints with librdkafka, the last ``count`` of ``among``, as they happen, ``rate`` a second; None: old ones, at once.

    Returns: when each was handed over, on the machine's monotonic clock.
    """
    among = among or count
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 1 if rate else 20, "queue.buffering.max.messages": 200_000})
    moments: list[float] = []
    began = time.monotonic()
    for subject, event in islice(touchpoints(among, clock=now_us if rate else None), among - count, None):
        while rate and (ahead_s := began + len(moments) / rate - time.monotonic()) > 0:
            time.sleep(ahead_s)
        moments.append(time.monotonic())
        while True:
            try:
                producer.produce(topic, event, subject, headers=list(HEADERS))
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush()
    return moments


class _Timed(KafkaSource):
    """Notes when the poll began that brought the first record."""

    started = 0.0

    def await_share(self, consumers: int) -> None:
        """Join the group, and take nothing before it has ``consumers`` and this process is told to go."""
        while self._connection is None or len(self._connection.consumer.assignment()) != PARTITIONS // consumers:
            self.idle(WAIT_MS)
        measure.under_way()
        while not measure.told_to_go():
            self.idle(WAIT_MS)

    def poll(self, timeout_ms: int, limit: int) -> Batch[Record]:
        polling = time.monotonic()
        batch = super().poll(timeout_ms, limit)
        self.started = self.started or (polling if batch else 0.0)
        return batch


def consume(place: Place, topic: str, count: int, *, consumers: int | None = None) -> tuple[float, float]:
    """Intake until the log has ``count`` events. ``consumers``: as one of so many that divide the partitions evenly, once told to go.

    Returns: when the poll began that brought this one's first record, and when all were durable.
    """
    with open_ledger(place.settings) as ledger, closing(_Timed(KafkaSettings(place.kafka, topic, topic), ledger)) as source:
        if consumers is not None:
            source.await_share(consumers)
        intake.run(source, ledger, clock=now_us, stopped=lambda: ledger.head().position >= count)
        return source.started, time.monotonic()


@contextlib.contextmanager
def worker(place: Place) -> Iterator[tuple[Ledger, Runner]]:
    """The ledger, and what keeps all its views."""
    with open_ledger(place.settings) as ledger, closing(open_views(place.settings)) as views:
        lock = views.try_lock()
        assert lock is not None, "nobody else keeps views that are just being made"
        with lock, open_runner(ledger, views, Policies(ledger).in_force, lock.look()) as runner:
            yield ledger, runner


def project(place: Place, count: int, *, tell: bool = False) -> tuple[list[tuple[float, int]], list[int]]:
    """Keep all views until they have ``count`` events.

    Returns: when each commit was done, and up to which position; with ``tell``, which touchpoint stands at each position.
    """
    commits: list[tuple[float, int]] = []
    with worker(place) as (ledger, runner):
        while runner.position < count:
            before = runner.position
            worked = runner.run_once()
            if runner.position > before:  # by a commit, or by views built anew for the policy in force
                commits.append((time.monotonic(), runner.position))
                measure.under_way()
            elif not worked:
                ledger.wait(runner.position, 1.0)
        return commits, list(_numbers(ledger)) if tell else []


def share(place: Place, count: int, workers: int) -> float:
    """Be one of ``workers`` that share all views, until these have ``count`` events; under way once each has its slices.

    Returns: when the last event stood in the slices that are this worker's own.
    """
    with open_ledger(place.settings) as ledger, closing(open_views(place.settings)) as views, views.join() as part:
        while len(held := {one.worker for one in views.holdings()}) < workers or None in held:
            time.sleep(LOOK_S)
            part.look()
        with open_runner(ledger, views, Policies(ledger).in_force, part.look()) as runner:
            _prepare(runner)
            measure.under_way()
            while runner.position < count:
                if not runner.run_once():
                    ledger.wait(runner.position, 1.0)
        return time.monotonic()


def _prepare(runner: Runner) -> None:
    """Make the views, unless another worker is at it."""
    while True:
        try:
            return runner.prepare()
        except RebuildUnderWayError:
            time.sleep(LOOK_S)


def _numbers(ledger: Ledger) -> Iterator[int]:
    after = 0
    while batch := ledger.read(after=after, limit=READ_LIMIT_MAX):
        yield from (number_of(one.event) for one in batch)
        after = batch[-1].position


def fill(place: Place, count: int, relationships: int) -> None:
    """Append ``count`` touchpoints without Kafka."""
    with open_ledger(place.settings) as ledger:
        for batch in batches(touchpoints(count, relationships=relationships)):
            ledger.append(batch)


def append_alone(place: Place, count: int, clients: int) -> tuple[float, list[float]]:
    """``count`` appends of one touchpoint each, from ``clients`` threads. Returns: seconds in all, and of each append."""
    events = [event for batch in batches(touchpoints(count)) for event in batch]
    times: list[float] = []

    def client(number: int) -> None:
        mine: list[float] = []
        for event in events[number::clients]:
            began = time.perf_counter()
            ledger.append([event])
            mine.append(time.perf_counter() - began)
        times.extend(mine)

    with open_ledger(place.settings) as ledger:
        threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began, times
