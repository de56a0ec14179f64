"""Older ledgers are given the identities of today, on either store; what somebody altered before is found after."""

import json
import sqlite3
from collections.abc import Callable

import psycopg
import pytest

from ledger.interface import Appended
from ledger.ledger import Ledger
from schemas.errors import StoreOlderError
from schemas.identity import digest
from tests.ledger.events import Clock, everything, positions, touchpoint, touchpoints

IDS = [
    "no digit",
    "e-000123",
    "018f3b5c-7d2a-7cc1-9c07-2b6d8e01a4f5",
    "f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
    "größe-12ü45678901234",
    "12345678901ü",
    "'\\~ 1'$$",
    "\U0001f600 9",
    "-" * 20 + "5",
]


def alter(url: str, changes: list[tuple[bytes, int]], version: int) -> None:
    """Give events, by position, other identities, past the ledger, and the store an older version."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("DROP TRIGGER stored_events_no_update")
        connection.executemany("UPDATE stored_events SET identity = ? WHERE rowid = ?", changes)
        connection.execute(f"PRAGMA user_version = {version + 1}")  # one ahead of PostgreSQL's
        connection.close()
    else:
        with psycopg.connect(url) as server, server.cursor() as cursor:
            cursor.execute("SET search_path = ledger; SET session_replication_role = replica")
            cursor.executemany("UPDATE stored_events SET identity = %s WHERE notification_id = %s", changes)
            cursor.execute("UPDATE ledger_head SET schema_version = %s", (version,))


def test_a_ledger_with_bare_digests_for_identities_is_given_those_of_today(
    ledger: Ledger, url: str, open_ledger: Callable[[], Ledger], clock: Clock
) -> None:
    ledger.append([*touchpoints(20), *map(touchpoint, IDS)])
    log, tree, rows = everything(ledger), ledger.tree(), ledger.recorder.rows(0, 100)
    ledger.close()
    altered = {4: bytes(16), 5: digest("crm", "another")}
    former = [(altered.get(row[0]) or digest("crm", json.loads(row[5])["id"]), row[0]) for row in rows]
    alter(url, former, version=5)
    with pytest.raises(StoreOlderError):
        Ledger.open(url, clock=clock, read_only=True)
    upgraded = open_ledger()
    assert (everything(upgraded), upgraded.tree()) == (log, tree)
    assert {row[0]: row[6] for row in upgraded.recorder.rows(0, 100)} == {row[0]: row[6] for row in rows} | altered
    assert upgraded.check() == []
    assert positions(upgraded.append(touchpoints(2, start=7))) == [7, 8]
    assert upgraded.append([touchpoint("next")]) == [Appended(len(rows) + 1, duplicate=False)]
