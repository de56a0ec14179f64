"""Who writes which slices: workers share them fairly, and take over those of a worker that is no longer heard of.

A worker is alive while its row in ``workers`` is renewed, by a thread of its own; clocks compared are the database's alone. Each new owner
of a slice raises its epoch, which the old one's commits are then compared with: safe whatever clocks and pauses do, the times here only
say how soon work goes on. Whoever locks both locks ``workers`` before ``slices``.
"""

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Self

from ledger.postgres_connections import Connection
from projections.stores.slices import Share, Slice, fair
from schemas.errors import StoreUnavailableError

LEASE_S = 10.0  # how long after its last sign of life a worker keeps its slices
BEATS = 4  # signs of life in that time
REBALANCE_S = 1.0  # between two looks at who else is there

ALIVE = "INSERT INTO views.workers VALUES (%s, now() + %s * interval '1 s') ON CONFLICT (name) DO UPDATE SET until = excluded.until"
FREE = "NOT EXISTS (SELECT FROM views.workers WHERE name = worker AND until > now())"
BURY = """
    DELETE FROM views.workers
    WHERE name IN (SELECT name FROM views.workers WHERE until < now() - interval '1 hour' FOR UPDATE SKIP LOCKED)
"""
TAKE = f"""
    UPDATE views.slices SET worker = %s, epoch = epoch + 1
    WHERE first IN (SELECT first FROM views.slices WHERE {FREE} ORDER BY first LIMIT %s FOR UPDATE SKIP LOCKED)
"""  # noqa: S608

Pooled = Callable[[], AbstractContextManager[Connection]]


class Leases:
    """The slices of one worker. Made alive at once; the caller ends it with ``release``.

    who: the worker's name for people; some letters make it this one's alone.
    """

    def __init__(self, connection: Pooled, who: str) -> None:
        self.worker = f"{who} {secrets.token_hex(3)}"
        self._connection = connection
        self._ended = threading.Event()
        self._slices: tuple[Slice, ...] = ()
        self._look_s = 0.0  # when to look at the others again, by the monotonic clock
        self._beat()
        self._heart = threading.Thread(target=self._beats, name="leases", daemon=True)
        self._heart.start()

    def take_all(self) -> bool:
        """Take every slice, if no other worker is alive."""
        with self._connection() as connection, connection.transaction():
            connection.execute("LOCK TABLE views.workers IN SHARE ROW EXCLUSIVE MODE")
            others = connection.execute("SELECT FROM views.workers WHERE name <> %s AND until > now()", (self.worker,)).fetchone()
            if others is not None:
                return False
            connection.execute("LOCK TABLE views.slices IN EXCLUSIVE MODE")  # a paused worker may be about to prove some of them
            connection.execute("UPDATE views.slices SET worker = %s, epoch = epoch + 1", (self.worker,))
            self._slices = self._mine(connection)
        self._look_s = float("inf")
        return True

    def look(self) -> Share:
        """The slices that are ours. Once in a while some are given up for others, or free ones are taken."""
        if time.monotonic() >= self._look_s:
            self._rebalance()
            self._look_s = time.monotonic() + REBALANCE_S
        return self._slices

    def _rebalance(self) -> None:
        with self._connection() as connection, connection.transaction():
            connection.execute(ALIVE, (self.worker, LEASE_S))
            connection.execute(BURY.encode())
            alive = [name for (name,) in connection.execute("SELECT name FROM views.workers WHERE until > now() ORDER BY name")]
            ((count,),) = connection.execute("SELECT count(*) FROM views.slices")
            wanted, mine = fair(count, len(alive), alive.index(self.worker)), self._mine(connection)
            if len(mine) > wanted:
                given = [one.first for one in mine[wanted:]]
                connection.execute("UPDATE views.slices SET worker = NULL WHERE worker = %s AND first = ANY(%s)", (self.worker, given))
            elif len(mine) < wanted:
                connection.execute(TAKE.encode(), (self.worker, wanted - len(mine)))
            self._slices = self._mine(connection)

    def release(self) -> None:
        """Give up everything, so that others need not wait."""
        self._ended.set()
        self._heart.join()
        self._slices = ()
        with suppress(StoreUnavailableError), self._connection() as connection, connection.transaction():
            connection.execute("DELETE FROM views.workers WHERE name = %s", (self.worker,))
            connection.execute("UPDATE views.slices SET worker = NULL WHERE worker = %s", (self.worker,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def _mine(self, connection: Connection) -> tuple[Slice, ...]:
        sql = "SELECT first, beyond, epoch FROM views.slices WHERE worker = %s ORDER BY first"
        return tuple(Slice(*row) for row in connection.execute(sql, (self.worker,)))

    def _beat(self) -> None:
        with self._connection() as connection:
            connection.execute(ALIVE, (self.worker, LEASE_S))

    def _beats(self) -> None:
        while not self._ended.wait(LEASE_S / BEATS):
            with suppress(StoreUnavailableError):  # the server is away, for everybody
                self._beat()
