"""Notices for others, published to a Kafka topic by an idempotent producer: all of them are there when ``publish`` returns.

Whoever calls remembers what was published; after a crash in between some may come twice, with the same id in the header ``ledger.alert``.
"""

from collections.abc import Sequence

import msgspec

from consumers.producing import DELIVERY_MS, Destination, producing

ID = "ledger.alert"
CONTENT_TYPE = ("content-type", b"application/json; charset=UTF-8")


class Notice(msgspec.Struct, frozen=True):
    """What is told. id: readers go by it. relationship: the record's key. body: JSON."""

    id: str
    relationship: str
    body: bytes


def publish(to: Destination, notices: Sequence[Notice]) -> None:
    """Publish them in order.

    Raises:
        KafkaError: not all of them are there; publish them again.
    """
    with producing(to) as producer:
        for sent in [producer.send(to.topic, **message(notice)) for notice in notices]:
            sent.get(timeout=DELIVERY_MS / 1_000)


def message(notice: Notice) -> dict[str, object]:
    """The Kafka record of a notice."""
    return {"key": notice.relationship.encode(), "value": notice.body, "headers": [CONTENT_TYPE, (ID, notice.id.encode())]}
