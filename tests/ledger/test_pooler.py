"""A ledger by way of a pooler that gives every transaction another session of the server: as exact, and as durable."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from ledger import postgres_connections as connections
from ledger.ledger import Ledger
from tests.ledger.events import assert_orderly, everything, touchpoints

WRITERS, ROUNDS = 6, 8


@pytest.fixture
def url(postgres_url: str, pooler: Callable[[str], str]) -> str:
    return pooler(postgres_url)


def test_writers_and_readers_that_share_sessions_keep_the_log_whole(open_ledger: Callable[[], Ledger]) -> None:
    ledgers = [open_ledger() for _ in range(WRITERS)]

    def work(number: int) -> None:
        own = ledgers[number]
        for turn in range(ROUNDS):
            batch = touchpoints(1 + turn * 20, source=f"crm-{number}", start=turn * 1_000)
            own.append(batch)
            assert own.append(batch[:3]) == [own.append([one])[0] for one in batch[:3]]
            assert own.head().position >= len(batch)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, range(WRITERS)))
    log = everything(ledgers[0])
    assert_orderly(log)
    assert len(log) == WRITERS * sum(1 + turn * 20 for turn in range(ROUNDS))


def test_a_reader_who_cannot_be_notified_looks_by_itself(open_ledger: Callable[[], Ledger]) -> None:
    reader, writer = open_ledger(), open_ledger()
    with ThreadPoolExecutor(1) as pool:
        woken = pool.submit(reader.wait, 0, 20)
        time.sleep(0.2)
        writer.append(touchpoints(1))
        assert woken.result() is True


def test_what_a_commit_rests_on_is_set_in_its_transaction(url: str, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"ALTER DATABASE {server.info.dbname} SET synchronous_commit = off".encode())
        with connections.connect(postgres_url) as direct, connections.connect(url) as pooled:
            assert (direct.shared, pooled.shared) == (False, True)
            pooled.begin()
            assert pooled.execute("SHOW synchronous_commit").fetchone() == ("on",)
            pooled.execute("COMMIT")
            assert pooled.execute("SHOW synchronous_commit").fetchone() == ("off",)  # the next one's session is as it was
