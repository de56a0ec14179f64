"""One connection that writes, one transaction at a time: what is done in it is one commit, whoever of its writers does it.

Whether a transaction is under way is known here and not asked of the driver: in a pipeline libpq takes a connection for idle as soon as an
answer was fetched, although nothing was committed. A connection that broke is made anew at the next use.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from psycopg.pq import TransactionStatus

from ledger.postgres_connections import Connection

Told = Callable[[], AbstractContextManager[None]]
"""Within it, PostgreSQL's errors are turned into ours."""


class Session:
    """A connection made by ``connect``, shared by a writer and those within its transactions.

    inside: whether a transaction is under way.
    """

    def __init__(self, connect: Callable[[], Connection], told: Told) -> None:
        self._connect, self._told = connect, told
        self._connection = connect()
        self.inside = False

    @property
    def connection(self) -> Connection:
        if self._connection.closed and not self.inside:
            self._connection = self._connect()
        return self._connection

    @contextmanager
    def transaction(self, prove: Callable[[], None]) -> Iterator[None]:
        """Begin with ``prove``, which raises where nothing may be written, and commit; inside another one, be part of that.

        What is written waits for no answer: COMMIT tells when a statement failed.
        """
        if self.inside:
            yield
            return
        with self._told():
            connection = self.connection
            try:
                with connection.pipeline() as pipeline:
                    connection.begin()
                    self.inside = True
                    prove()
                    yield
                    connection.execute("COMMIT")
                    pipeline.sync()
            finally:
                self.inside = False
                if not connection.closed and connection.info.transaction_status != TransactionStatus.IDLE:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()
