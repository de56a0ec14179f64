"""A real PostgreSQL server, a fresh database for each test: ``with local_postgres() as server, server.database() as url``."""

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.services.process import Service, ServiceError, docker_run, docker_works, free_port, is_root

IMAGE = "postgres:17"


class Postgres:
    """A server; ``url`` is that of a role that may create databases."""

    def __init__(self, url: str) -> None:
        self.url = url

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty database; it is dropped afterwards, whoever is still connected."""
        name = f"test_{secrets.token_hex(8)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                yield urlsplit(self.url)._replace(path=f"/{name}").geturl()
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def postgres_for_tests() -> Iterator[Postgres]:
    """The server at ``RLEDGER_TEST_POSTGRES`` if given, else one of our own.

    Our own does not fsync: no test here takes the power away, and what a killed server had written, the operating system still has.
    It asks for passwords by MD5: SCRAM's thousands of rounds cost each connection 5 ms, and a test makes several.
    """
    if given := os.environ.get("RLEDGER_TEST_POSTGRES"):
        yield Postgres(given)
    else:
        with local_postgres(fsync=False, auth="md5") as server:
            yield server


@contextmanager
def local_postgres(*, fsync: bool = True, auth: str = "scram-sha-256") -> Iterator[Postgres]:
    """A server of our own, from Docker where it works, else from this machine's programs; gone at the end with all its data."""
    service = Service("postgres", signal.SIGINT)  # "fast": does not wait for clients
    try:
        port, password = free_port(), secrets.token_hex(16)
        server = Postgres(f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres")
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", f"fsync={'on' if fsync else 'off'}"]
        if docker_works():
            as_asked = (f"POSTGRES_PASSWORD={password}", f"POSTGRES_HOST_AUTH_METHOD={auth}", f"POSTGRES_INITDB_ARGS=--auth={auth}")
            command = [*docker_run(service, *(f"--env={one}" for one in as_asked), IMAGE), *options]
        else:
            command = [*_prepare(service, password, auth), *options]
        service.start(command, server.answers)
        yield server
    finally:
        service.close()


def programs() -> Path | None:
    """The folder of this machine's newest PostgreSQL server programs; Debian keeps them off the PATH."""
    if debian := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda initdb: int(initdb.parts[-3])):
        return debian[-1].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def _prepare(service: Service, password: str, auth: str) -> list[str]:
    """Make the data folder; returns the command that serves it."""
    folder = programs()
    if folder is None:
        raise ServiceError("no PostgreSQL server on this machine: run bin/test, or install postgresql")
    as_user = []
    if is_root():  # which PostgreSQL refuses to run as
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(service.folder, "postgres", "postgres")
    password_file = service.folder / "password"
    password_file.write_text(password)
    password_file.chmod(0o644)  # its folder is the owner's alone
    data = service.folder / "data"
    initdb = [folder / "initdb", "--no-sync", "--locale=C", "--encoding=UTF8", "--username=postgres"]
    service.run([*as_user, *map(str, initdb), f"--auth={auth}", f"--pwfile={password_file}", f"--pgdata={data}"])
    return [*as_user, str(folder / "postgres"), "-D", str(data), "-c", "unix_socket_directories="]
