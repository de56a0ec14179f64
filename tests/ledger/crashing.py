"""What other processes do to a ledger in tests: append from a numbered stream, and be killed on the way."""

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

import psycopg

from ledger.interface import Delivered
from ledger.ledger import Ledger
from tests.ledger.events import erasure, letter, positions, touchpoint, vault

BATCH = 5  # touchpoints a batch; the stream is touchpoints 1, 2, 3 ... and a dead letter after each batch

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["ledger.ledger", "ledger.postgres", "tests.ledger.crashing"])


def start(work: Callable[..., None], *arguments: Any) -> ForkServerProcess:
    process = _processes.Process(target=work, args=arguments)
    process.start()
    return process


def run(work: Callable[..., None], *arguments: Any) -> int:
    """Run ``work`` in a process of its own; returns its exit code, negative for the signal that ended it."""
    process = start(work, *arguments)
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def append_next(ledger: Ledger, stream: str) -> list[int]:
    """Append the stream's next batch, as a consumer does that was just assigned it."""
    stored = ledger.next_offsets([stream]).get(stream)
    start_ = stored or 0
    batch = [touchpoint(id_, f"customer/{id_ % 3}", source=stream) for id_ in range(start_ + 1, start_ + BATCH + 1)]
    answer = ledger.append(batch, delivered=[Delivered(stream, stored, start_ + BATCH)], dead_letters=[letter(start_, key=stream.encode())])
    return positions(answer)


def now_us() -> int:
    return time.time_ns() // 1_000


def append_and_die(url: str, stream: str, step: int) -> None:
    """Append the stream's next batch, killed before or after a statement: at ``step``, counted from 1."""
    _die(url, step, lambda ledger: append_next(ledger, stream))


def erase_and_die(url: str, step: int) -> None:
    """Erase customer/ada, killed before or after a statement: at ``step``, counted from 1."""

    def erase(ledger: Ledger) -> None:
        ledger.erase("customer/ada", ledger.history_sealed("customer/ada")[-1].version, erasure("customer/ada"))

    _die(url, step, erase)


def _die(url: str, step: int, work: Callable[[Ledger], object]) -> None:
    left = 0

    def tick() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    class TickingSQLite(sqlite3.Connection):
        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            tick()
            cursor = super().execute(*arguments)
            tick()
            return cursor

        def executemany(self, *arguments: Any) -> sqlite3.Cursor:
            tick()
            cursor = super().executemany(*arguments)
            tick()
            return cursor

    connect, execute = sqlite3.connect, psycopg.Cursor.execute

    def ticking_connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, factory=TickingSQLite, **options)

    def ticking_execute(self: Any, *arguments: Any, **options: Any) -> Any:
        tick()
        execute(self, *arguments, **options)
        tick()
        return self

    sqlite3.connect = ticking_connect  # type: ignore[assignment]
    psycopg.Cursor.execute = ticking_execute  # type: ignore[method-assign]
    with Ledger.open(url, clock=now_us, vault=vault()) as ledger:
        ledger.head()
        left = step
        work(ledger)


def append_until_killed(url: str, stream: str, acknowledged: Connection) -> None:
    """Append batch after batch, and tell the positions of each once they are answered."""
    with Ledger.open(url, clock=now_us) as ledger:
        while True:
            acknowledged.send(append_next(ledger, stream))


def append_one(url: str, source: str) -> None:
    with Ledger.open(url, clock=now_us) as ledger:
        ledger.append([touchpoint(1, source=source)])
