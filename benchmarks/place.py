"""Where a benchmark works: an empty store that is empty again after each run, and a broker when one is needed.

Nothing is read from the environment: a benchmark must not find the company's ledger by accident.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import psycopg

from schemas.errors import SettingsError
from service import settings
from service.settings import Settings
from tests.services.kafka import Kafka, local_kafka
from tests.services.postgres import local_postgres
from tests.services.process import ServiceError

PARTITIONS = 4
SCHEMAS = ("ledger", "views", "raw")  # what a run makes in a PostgreSQL database
NO_SERVICE = "{what} was given and none can be started here ({why}): give {option}, or run bin/test once, which sets one up"


class Place(msgspec.Struct, frozen=True):
    """``store``: the URL of an empty store. ``folder``: for everything else. ``kafka``: HOST:PORT, empty where none was asked for."""

    store: str
    folder: str
    kafka: str = ""

    @property
    def is_sqlite(self) -> bool:
        return self.store.startswith("sqlite")

    @property
    def settings(self) -> Settings:
        """As the service would have them here."""
        return settings.read({"RLEDGER_STORE": self.store, "RLEDGER_DATA": self.folder})

    @contextlib.contextmanager
    def topic(self) -> Iterator[str]:
        """A new topic of ``PARTITIONS`` partitions, gone afterwards."""
        broker, name = Kafka(self.kafka), f"bench-{time.time_ns()}"
        broker.create_topic(name, PARTITIONS)
        try:
            yield name
        finally:
            broker.delete_topic(name)


@contextlib.contextmanager
def broker(address: str | None) -> Iterator[str]:
    """The broker at ``address``; without one, one of our own, as the tests have it."""
    if address:
        yield address
        return
    with contextlib.ExitStack() as stack:
        try:
            own = stack.enter_context(local_kafka())
        except (ServiceError, OSError) as error:
            raise SettingsError(NO_SERVICE.format(what="no broker", why=error, option="--kafka HOST:PORT")) from error
        yield own.bootstrap


@contextlib.contextmanager
def server(store: str | None) -> Iterator[str | None]:
    """The store's URL as given; for the word ``postgresql`` that of a server of our own, as the tests have it."""
    if store not in {"postgresql", "sqlite"}:
        yield store
    elif store == "sqlite":
        yield None
    else:
        with contextlib.ExitStack() as stack:
            try:
                own = stack.enter_context(local_postgres())
            except (ServiceError, OSError) as error:
                raise SettingsError(NO_SERVICE.format(what="no server", why=error, option="--store postgresql://...")) from error
            yield own.url


@contextlib.contextmanager
def place(store: str | None, kafka: str = "") -> Iterator[Place]:
    """A place for one run. ``store`` None: a SQLite file that is thrown away; otherwise nothing may be there yet, nor is afterwards.

    Raises:
        SettingsError: there is something at ``store``.
    """
    with tempfile.TemporaryDirectory(prefix="rledger-bench-") as folder:
        if store is None:
            yield Place(f"sqlite:///{folder}/ledger.db", folder, kafka)
        elif store.startswith("sqlite:///"):
            path = Path(unquote(urlsplit(store).path[1:]))
            _refuse_unless(not path.exists(), str(path))
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="rledger-bench-", dir=path.parent) as beside:  # on the disk that was named
                yield Place(f"sqlite:///{beside}/{path.name}", beside, kafka)
        else:
            with psycopg.connect(store, autocommit=True) as connection:
                there = connection.execute("SELECT FROM pg_namespace WHERE nspname = ANY(%s)", (list(SCHEMAS),)).fetchone()
                _refuse_unless(there is None, f"the database {connection.info.dbname}")
            try:
                yield Place(store, folder, kafka)
            finally:
                with psycopg.connect(store, autocommit=True) as connection:
                    for schema in SCHEMAS:
                        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


def _refuse_unless(empty: bool, what: str) -> None:  # noqa: FBT001
    if not empty:
        raise SettingsError(f"{what} holds something: a benchmark fills and empties its store, so name one with nothing in it")
