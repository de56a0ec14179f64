"""What people do with the ledger is recorded in it, with who did it."""

import json
from datetime import date
from pathlib import Path

import pytest

from ledger.ledger import Ledger
from schemas.catalogue import ExchangeRate, SubjectErased
from schemas.touchpoint import LEDGER_SUBJECT
from service import own, settings

NOW_US = 1_767_225_600_000_000
DAY = date(2026, 1, 1)
ERASED = SubjectErased("asked for")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{tmp_path}/ledger.db", clock=lambda: NOW_US)


def test_an_event_of_our_own_says_who_did_what_and_when(ledger: Ledger) -> None:
    position = own.record(ledger, "customer/acme", ERASED, by="ada", at_us=NOW_US).position
    (stored,) = ledger.history("customer/acme")
    event = json.loads(stored.event)
    assert (stored.position, stored.type) == (position, "ledger.subject-erased.v1")
    assert (event["actor"], event["time"], event["source"]) == ("ada", "2026-01-01T00:00:00Z", "rledger")
    assert event["data"] == {"reason": "asked for"}


def test_without_an_id_each_is_an_event_of_its_own_and_with_one_a_repeat_is_a_repeat(ledger: Ledger) -> None:
    given = [own.record(ledger, "customer/acme", ERASED, by="ada", at_us=NOW_US, id_=id_) for id_ in (None, None, "x", "x")]
    assert [(one.position, one.duplicate) for one in given] == [(1, False), (2, False), (3, False), (3, True)]


def test_an_id_used_for_something_else_is_refused(ledger: Ledger) -> None:
    own.record(ledger, LEDGER_SUBJECT, ExchangeRate("USD", "EUR", "0.9", DAY), by="ada", at_us=NOW_US, id_="rate")
    with pytest.raises(own.OwnEventRefusedError, match="position 1"):
        own.record(ledger, LEDGER_SUBJECT, ExchangeRate("USD", "EUR", "0.8", DAY), by="ada", at_us=NOW_US, id_="rate")


@pytest.mark.parametrize(("given", "expected"), [({"RLEDGER_ACTOR": "ada"}, "ada"), ({}, "grace")])
def test_who_acts_is_set_or_is_logged_in(given: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    assert own.actor(settings.read(given)) == expected


def test_a_user_without_a_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert own.actor(settings.read({})) == "unknown"
