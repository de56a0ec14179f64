"""A real pooler before PostgreSQL, which gives every transaction another session of the server: ``with local_pgbouncer(url) as pooled``."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from tests.services.postgres import Postgres
from tests.services.process import Service, ServiceError, free_port, is_root

SESSIONS = 3  # of the server, for all who connect to one database: they take turns
SETTINGS = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {sessions}
user = {user}
"""


def program() -> str | None:
    """Where it is; Debian keeps it among what administrators start."""
    return shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def local_pgbouncer(server: Postgres) -> Iterator[Callable[[str], str]]:
    """Yields what makes of a database's URL the one by way of the pooler."""
    command = program()
    if command is None:
        raise ServiceError("no pgbouncer on this machine: run bin/test, or install pgbouncer")
    service = Service("pgbouncer", signal.SIGTERM)
    try:
        at, port = urlsplit(server.url), free_port()
        (service.folder / "users").write_text(f'"{unquote(at.username or "")}" "{unquote(at.password or "")}"\n')
        settings = service.folder / "pgbouncer.ini"
        user = "postgres" if is_root() else ""  # it refuses to run as root
        settings.write_text(
            SETTINGS.format(host=at.hostname, port=at.port, own_port=port, folder=service.folder, sessions=SESSIONS, user=user)
        )
        if user:
            for path in (service.folder, *service.folder.iterdir()):
                shutil.chown(path, user)

        def by_way(url: str) -> str:
            name, _, _ = urlsplit(url).netloc.rpartition("@")
            return urlsplit(url)._replace(netloc=f"{name}@127.0.0.1:{port}").geturl()

        service.start([command, str(settings)], Postgres(by_way(server.url)).answers)
        yield by_way
    finally:
        service.close()
