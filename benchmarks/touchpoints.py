"""Touchpoints to work on: about 350 bytes each, of twelve types."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from schemas.cloudevents import decode_json
from schemas.touchpoint import Touchpoint, moment
from service.clock import now_us

RELATIONSHIPS = 5_000
PRIME, GOLDEN, WORD = 7_919, 2_654_435_761, 0xFFFF_FFFF  # Knuth's multiplicative hash of 32 bits
BATCH = 5_000  # events an append where a log is only filled
FIRST_US = 1_767_225_600_000_000  # 2026-01-01
SPREAD_US = 250 * 86_400_000_000  # over so many days


def touchpoints(
    count: int, *, relationships: int = RELATIONSHIPS, each: int = 0, series: bytes = b"", clock: Callable[[], int] | None = None
) -> Iterator[tuple[bytes, bytes]]:
    """Subject and CloudEvent of ``count`` touchpoints, in order of time. The id begins with the number, from 0.

    Args:
        count: how many.
        relationships: over so many, in turn.
        each: not 0: over more and more instead, one for so many touchpoints, old ones as likely as new ones.
        series: another one has other touchpoints of other relationships.
        clock: they happen when they are taken, as it says (microseconds since 1970 UTC); None: in 2026, the same ones every time.
    """
    for number in range(count):
        # Neighbours in time are strangers, by a prime or by a hash.
        who = (number * GOLDEN & WORD) % (number // each + 1) if each else number * PRIME % relationships
        turn = number // relationships + who
        if who % 4 == 0:
            subject, (kind, data) = b"partner/%bp%07d" % (series, who), PARTNER[turn % len(PARTNER)]
        else:
            subject, (kind, data) = b"customer/%bc%07d" % (series, who), CUSTOMER[turn % len(CUSTOMER)]
        time = moment(clock() if clock else FIRST_US + number * SPREAD_US // count).isoformat().encode()
        yield subject, EVENT % (number, series, kind, subject, time, data.replace(b"#", b"%d" % number))


def number_of(event: bytes) -> int:
    """Which of the touchpoints an event is, from 0."""
    return int(event[ID_AT : ID_AT + ID_DIGITS])


def batches(events: Iterator[tuple[bytes, bytes]]) -> Iterator[Sequence[Touchpoint]]:
    """The touchpoints decoded, ``BATCH`` at a time."""
    at_us = now_us()
    while batch := [decode_json(event, now_us=at_us) for _, event in islice(events, BATCH)]:
        yield batch


EVENT = (
    b'{"specversion":"1.0","id":"%012d-5f3c-4a1e-9c07-2b6d8e01a4f5","source":"/shop/europe%b","type":"relationship.%b.v1","subject":"%b",'
    b'"time":"%b","datacontenttype":"application/json","data":%b}'
)
ID_AT, ID_DIGITS = EVENT.index(b"%012d"), 12
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
