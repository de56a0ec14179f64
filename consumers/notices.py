"""Notices for others, published to a Kafka topic or posted to a webhook: all of them are there when ``publish`` or ``post`` returns.

Whoever calls remembers what was told; after a crash in between some may come twice, with the same id in the header ``ledger.alert``, or
``Ledger-Alert`` in HTTP.
"""

from collections.abc import Sequence
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec

from consumers.producing import DELIVERY_MS, Destination, producing

ID = "ledger.alert"
CONTENT_TYPE = ("content-type", b"application/json; charset=UTF-8")
POST_S = 5.0  # how long a webhook may take to answer


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


def post(url: str, notices: Sequence[Notice]) -> None:
    """POST them in order, each its JSON; whatever is answered with 2xx was taken. Nobody is followed to another address.

    Raises:
        OSError: not all of them were taken; post them again.
    """
    opener = build_opener(_Stay)
    for notice in notices:
        headers = {"Content-Type": "application/json; charset=UTF-8", "Ledger-Alert": notice.id, "User-Agent": "rledger"}
        try:
            opener.open(Request(url, notice.body, headers), timeout=POST_S).close()  # noqa: S310  # the settings admit http and https alone
        except HTTPException as error:
            raise OSError(f"no answer in HTTP: {error!r}") from error


class _Stay(HTTPRedirectHandler):
    """A redirect would turn the POST into a GET, and an alert into nothing."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str) -> None:  # noqa: ARG002, PLR0917  # as it is called
        return None
