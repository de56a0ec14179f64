"""Touchpoints and ledgers to test with."""

import itertools
from typing import Any

from ledger.interface import Appended, DeadLetter
from ledger.ledger import READ_LIMIT_MAX, Ledger
from ledger.vault import MasterKey, Vault
from schemas import cloudevents
from schemas.touchpoint import Stored, Touchpoint

DAY_US = 86_400_000_000
NOON_US = 20_000 * DAY_US + DAY_US // 2


class Clock:
    """Tells ``now_us``, which a test sets."""

    def __init__(self, now_us: int = NOON_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


def touchpoint(id: int | str, subject: str = "customer/ada", *, source: str = "crm", **data: Any) -> Touchpoint:  # noqa: A002
    return cloudevents.touchpoint(
        source, str(id), "relationship.contact.v1", subject, NOON_US, {"channel": "mail", "direction": "inbound"} | data
    )


def touchpoints(count: int, *, source: str = "crm", start: int = 1) -> list[Touchpoint]:
    """``count`` of them, over seven relationships."""
    return [touchpoint(id_, f"customer/{id_ % 7}", source=source) for id_ in range(start, start + count)]


def personal(id: int | str, subject: str = "customer/ada", **data: Any) -> Touchpoint:  # noqa: A002
    """What customer/ada said, and who looks after her."""
    opened = {"name": "Ada Lovelace", "owner": "b.king", "segment": "engines"} | data
    return cloudevents.touchpoint("crm", str(id), "relationship.opened.v1", subject, NOON_US, opened)


def erasure(subject: str, reason: str = "article 17") -> Touchpoint:
    return cloudevents.touchpoint("rledger", f"erased/{subject}", "ledger.subject-erased.v1", subject, NOON_US, {"reason": reason})


def vault(*numbers: int) -> Vault:
    """With master keys that are known by number, the newest first; one of them by default."""
    return Vault(lambda: [MasterKey(bytes([number]) * 32) for number in numbers or (1,)])


def letter(offset: int | None = 0, *, body: bytes | None = b"{", **fields: Any) -> DeadLetter:
    return DeadLetter("not_json", "the value is not JSON", "touchpoints", 3, offset, body=body, **fields)


def everything(ledger: Ledger) -> list[Stored]:
    """The whole log, read page by page."""
    pages = []
    after = 0
    while page := ledger.read(after=after, limit=READ_LIMIT_MAX):
        after = page[-1].position
        pages.append(page)
    return list(itertools.chain.from_iterable(pages))


def positions(answer: list[Any]) -> list[int]:
    """Where each of an append's touchpoints stands, none having been refused."""
    assert all(isinstance(each, Appended) for each in answer), answer
    return [each.position for each in answer]


def assert_orderly(log: list[Stored]) -> None:
    """Positions 1, 2, 3 ... and in each relationship versions 1, 2, 3 ...; time never runs backwards."""
    assert [event.position for event in log] == list(range(1, len(log) + 1))
    versions: dict[str, int] = {}
    for event in log:
        versions[event.relationship] = versions.get(event.relationship, 0) + 1
        assert event.version == versions[event.relationship], event
    assert [event.recorded_us for event in log] == sorted(event.recorded_us for event in log)
