"""What every benchmark needs: work in processes of its own, with what it cost, and touchpoints to work on."""

import multiprocessing
import resource
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from schemas.touchpoint import moment

RELATIONSHIPS = 5_000
FIRST_US = 1_767_225_600_000_000  # 2026-01-01
SPREAD_US = 250 * 86_400_000_000  # over so many days


class Usage(msgspec.Struct):
    """What a process took. ``peak_rss_mb``: the most memory it held at once, in 10^6 bytes."""

    cpu_s: float
    peak_rss_mb: float


class Work:
    """``run(*arguments)`` in a fresh process (spawned, not forked: Kafka's client does not survive a fork)."""

    def __init__(self, run: Callable[..., Any], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._answers, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(theirs, run, arguments))
        self._process.start()
        theirs.close()

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


def _work(answers: Connection, run: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    before_s = _cpu_s()  # what it took to start and import counts for nobody
    try:
        result, failure = run(*arguments), ""
    except BaseException:  # noqa: BLE001  # told to whoever waits
        result, failure = None, traceback.format_exc()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers.send((result, Usage(_cpu_s() - before_s, peak_kib * 1024 / 1e6), failure))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def touchpoints(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Subject and CloudEvent of ``count`` touchpoints, about 350 bytes each, over ``RELATIONSHIPS`` relationships, in order of time."""
    for number in range(count):
        who = number * 7_919 % RELATIONSHIPS  # a prime: neighbours in time are strangers
        subject, kinds = (b"partner/p%05d" % who, PARTNER) if who % 4 == 0 else (b"customer/c%05d" % who, CUSTOMER)
        kind, data = kinds[number // RELATIONSHIPS % len(kinds)]
        time = moment(FIRST_US + number * SPREAD_US // count).isoformat().encode()
        yield subject, EVENT % (number, kind, subject, time, data.replace(b"#", b"%d" % number))


EVENT = (
    b'{"specversion":"1.0","id":"%012d-5f3c-4a1e-9c07-2b6d8e01a4f5","source":"/shop/europe","type":"relationship.%b.v1","subject":"%b",'
    b'"time":"%b","datacontenttype":"application/json","data":%b}'
)
CUSTOMER = (
    (b"purchase", b'{"order_id":"o-#","amount":{"amount":"129.90","currency":"EUR"},"margin":{"amount":"31.20","currency":"EUR"}}'),
    (b"delivery", b'{"order_id":"o-#","by":"us","promised_at":"2026-03-01T12:00:00Z","delivered_at":"2026-03-01T10:30:00Z"}'),
    (b"feedback", b'{"scale":"nps","value":8,"about":"o-#","comment":"arrived in time, well packed, thank you"}'),
    (b"contact", b'{"channel":"phone","direction":"inbound","response_hours":1.5,"sentiment":0.25}'),
    (
        b"payment",
        b'{"invoice_id":"i-#","by":"them","amount":{"amount":"9.90","currency":"EUR"},"due_on":"2026-03-15","paid_on":"2026-03-12"}',
    ),
    (b"complaint", b'{"complaint_id":"k-#","by":"them","severity":"minor","topic":"packaging"}'),
    (b"purchase", b'{"order_id":"p-#","amount":{"amount":"19.90","currency":"EUR"},"channel":"web","items":[{"sku":"A1","quantity":2}]}'),
)
PARTNER = (
    (b"order-placed", b'{"order_id":"o-#","amount":{"amount":"2400.00","currency":"EUR"},"category":"steel"}'),
    (b"delivery", b'{"order_id":"o-#","by":"them","promised_at":"2026-03-01T12:00:00Z","delivered_at":"2026-03-02T10:30:00Z"}'),
    (b"inspection", b'{"lot_id":"l-#","inspected":200,"defective":3}'),
    (b"rate", b'{"item":"steel-4","unit":"t","rate":{"amount":"480.00","currency":"EUR"},"effective_on":"2026-03-01"}'),
    (b"request-answered", b'{"request_id":"r-#","by":"them","asked_at":"2026-03-01T08:00:00Z","answered_at":"2026-03-01T15:00:00Z"}'),
)
