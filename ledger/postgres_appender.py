"""The one connection by which a process appends to a PostgreSQL ledger.

A commit that was cut off is looked up, and made again where it is not found. What was supposed wrongly is made again with all looked up.
"""

import time
from collections.abc import Callable, Sequence

import psycopg

from ledger import postgres_append as append
from ledger.newest import Newest
from ledger.plan import Outcome, Plan, Request, plan
from ledger.postgres_connections import Connection, connect
from ledger.vault import Vault

RETRY_S = 30.0  # how long an append tries to get through to the server
PAUSE_S = 0.2  # between two tries


class Appender:
    """Appends what is planned from what the store holds; used by one thread at a time. Connects whenever it must."""

    def __init__(self, conninfo: str, clock: Callable[[], int], vault: Vault) -> None:
        self._conninfo, self._clock, self._vault = conninfo, clock, vault
        self._writer: Connection | None = None
        self._newest = Newest()

    def record(self, requests: Sequence[Request]) -> list[Outcome]:
        """Carry out ``requests``, again where the connection is lost on the way.

        A commit whose answer never came may have been made. What was planned is then looked up behind the head row's lock, which
        waits for the end of that commit: found, it was made; not found, it never will be.
        """
        deadline = time.monotonic() + RETRY_S
        unsure: Plan | None = None
        count = sum(len(request.touchpoints) for request in requests)
        while True:
            supposing = False
            try:
                writer = self._writer = self._writer or connect(self._conninfo)
                supposing = self._newest.supposing and count >= append.SUPPOSED_MIN and append.refuses_repeats(writer)
                known = append.look_up(writer, requests, self._newest, supposing=supposing)
                if unsure is not None and append.stands(writer, unsure):
                    writer.execute("ROLLBACK")
                    return unsure.outcomes
                made = plan(requests, known, self._vault, now_us=self._clock())
                self._newest.supposing = len(made.rows) == count
                if supposing and not self._newest.supposing:
                    writer.execute("ROLLBACK")
                    continue
                unsure = made
                append.write(writer, made)
            except psycopg.errors.UniqueViolation:
                self._rolled_back()
                if not supposing:
                    raise
                unsure = None
                self._newest.refused()
            except psycopg.Error:
                if self._rolled_back() or time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_S)
            except BaseException:
                self._rolled_back()
                raise
            else:
                self._newest.left(known.position)
                return made.outcomes

    def _rolled_back(self) -> bool:
        """Whether the connection is ready for the next transaction; if not, it is given up, and the next one makes its own."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.execute("ROLLBACK")
                self._writer = writer
            except psycopg.Error:
                writer.close()
        return self._writer is not None

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
