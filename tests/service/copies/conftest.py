"""A ledger with something in it, on both stores."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.commands import Rledger, bare

TYPES = {
    "relationship.contact.v1": {"channel": "mail", "direction": "inbound", "topic": "Größe"},
    "relationship.feedback.v1": {"scale": "nps", "value": 9, "by": "them"},
}
SUBJECTS = ("customer/ada", "customer/bob", "partner/cedar", "partner/dune")
COUNT = 120


def lines(start: int, count: int) -> str:
    """Touchpoints a line each, one a day from 1 January 2026 on, over the subjects in turn."""
    events = []
    for number in range(start, start + count):
        type_ = list(TYPES)[number % 2]
        day = f"2026-{1 + number // 28 % 10:02}-{1 + number % 28:02}T09:30:00Z"
        head = {"specversion": "1.0", "id": f"e{number}", "source": "/crm", "type": type_, "subject": SUBJECTS[number % 4], "time": day}
        events.append(json.dumps(head | {"data": TYPES[type_]}))
    return "\n".join(events) + "\n"


def fill(rledger: Rledger, start: int, count: int) -> None:
    assert rledger.json("append", "-", stdin=lines(start, count))[0]["appended"] == count


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rledger]:
    """The command line on a ledger of ``COUNT`` events."""
    store = {} if request.param == "sqlite" else {"RLEDGER_STORE": request.getfixturevalue("postgres_url")}
    command = Rledger(bare(tmp_path / "data") | {"RLEDGER_ACTOR": "the auditor"} | store)
    fill(command, 0, COUNT)
    yield command
    command.end()
