"""Leases in PostgreSQL: a worker is alive while its row in ``views.workers`` is renewed, by a thread of its own.

Clocks compared are the database's alone, so workers may be on any machines. Whoever locks both locks ``workers`` before ``slices``.
"""

import secrets
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from ledger.postgres_connections import Connection
from projections.stores.leases import Decide, Held
from schemas.errors import StoreUnavailableError

LEASE_S = 10.0  # how long after its last sign of life a worker keeps its slices
BEATS = 4  # signs of life in that time

ALIVE = "INSERT INTO views.workers VALUES (%s, now() + %s * interval '1 s') ON CONFLICT (name) DO UPDATE SET until = excluded.until"
GIVE = "UPDATE views.slices SET worker = NULL WHERE worker = %s AND first = ANY(%s)"
BURY = """
    DELETE FROM views.workers
    WHERE name IN (SELECT name FROM views.workers WHERE until < now() - interval '1 hour' FOR UPDATE SKIP LOCKED)
"""
TAKE = """
    UPDATE views.slices SET worker = %s, epoch = epoch + 1
    WHERE first IN (
        SELECT first FROM views.slices
        WHERE first = ANY(%s) AND NOT EXISTS (SELECT FROM views.workers WHERE name = worker AND until > now())
        ORDER BY first FOR UPDATE SKIP LOCKED
    )
"""

Pooled = Callable[[], AbstractContextManager[Connection]]


class PostgresRoll:
    """As in ``Roll``. ``who``: the worker's name for people; some letters make it this one's alone."""

    def __init__(self, connection: Pooled, who: str) -> None:
        self.worker = f"{who} {secrets.token_hex(3)}"
        self._connection = connection
        self._ended = threading.Event()
        with connection() as open_:
            self._beat(open_)
        self._heart = threading.Thread(target=self._beats, name="leases", daemon=True)
        self._heart.start()

    def read(self) -> tuple[list[str], list[Held]]:
        with self._connection() as connection:
            self._beat(connection)  # we may have been paused for longer than a lease lasts
            connection.execute(BURY)
            return self._alive(connection), self._held(connection)

    def change(self, decide: Decide) -> list[Held]:
        with self._connection() as connection, connection.transaction():
            self._beat(connection)
            given, taken = decide(self._alive(connection), self._held(connection))
            connection.execute(GIVE, (self.worker, list(given)))
            connection.execute(TAKE, (self.worker, list(taken)))
            return self._held(connection)

    def leave(self) -> None:
        self._ended.set()
        self._heart.join()
        with suppress(StoreUnavailableError), self._connection() as connection, connection.transaction():
            connection.execute("DELETE FROM views.workers WHERE name = %s", (self.worker,))
            connection.execute("UPDATE views.slices SET worker = NULL WHERE worker = %s", (self.worker,))

    def _alive(self, connection: Connection) -> list[str]:
        return [name for (name,) in connection.execute("SELECT name FROM views.workers WHERE until > now() ORDER BY name")]

    def _held(self, connection: Connection) -> list[Held]:
        return [Held(*row) for row in connection.execute("SELECT first, beyond, epoch, worker FROM views.slices ORDER BY first")]

    def _beat(self, connection: Connection) -> None:
        connection.execute(ALIVE, (self.worker, LEASE_S))

    def _beats(self) -> None:
        while not self._ended.wait(LEASE_S / BEATS):
            with suppress(StoreUnavailableError), self._connection() as connection:  # the server is away, for everybody
                self._beat(connection)
