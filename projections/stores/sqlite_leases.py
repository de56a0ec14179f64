"""Leases in a SQLite file: a worker is alive while it holds a lock on a file, which the kernel drops when the process dies.

On one machine nobody need be waited for to know that it is dead: what a killed worker had is free at once.
"""

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from itertools import count
from pathlib import Path
from typing import Self

from projections.stores.interface import Lock
from projections.stores.leases import Decide, Held
from projections.stores.slices import EVERYTHING, Share
from projections.stores.sqlite_writer import SqliteWriter
from schemas.errors import NotFoundError

GIVE = "UPDATE slices SET worker = NULL WHERE worker = ? AND first = ?"
TAKE = "UPDATE slices SET worker = ?, epoch = epoch + 1 WHERE first = ?"

Reading = Callable[[], AbstractContextManager[sqlite3.Connection]]


class FileLock(Lock):
    """An exclusive lock on a file; ``take`` takes it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """The lock on the file at ``path``; None while another has it."""
        descriptor = _open(path)
        return cls(descriptor) if _locks(descriptor, fcntl.LOCK_EX) else None

    def look(self) -> Share:
        return EVERYTHING

    def say(self, text: str) -> None:
        """Write into the file, for whoever finds it locked."""
        os.ftruncate(self._descriptor, os.pwrite(self._descriptor, text.encode(), 0))

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class SqliteRoll:
    """As in ``Roll``, beside the file at ``path``: who is alive holds one of the files ``PATH.worker-0.lock``, ``-1`` ...

    who: the worker's name for people; some letters make it this one's alone. reading, writer: give connections to the file.
    """

    def __init__(self, path: Path, who: str, reading: Reading, writer: Callable[[], SqliteWriter]) -> None:
        self.worker = f"{who} {secrets.token_hex(3)}"
        self._path, self._reading, self._writer = path, reading, writer
        self._file = path.stat().st_ino
        self._seat = next(lock for number in count() if (lock := FileLock.take(Path(f"{path}.worker-{number}.lock"))))
        self._seat.say(self.worker)

    def read(self) -> tuple[list[str], list[Held]]:
        with self._reading() as connection:
            return self._alive(), held(connection)

    def change(self, decide: Decide) -> list[Held]:
        with closing(self._writer()) as writer, writer.transaction():
            given, taken = decide(self._alive(), held(writer.connection))
            for sql, some in ((GIVE, given), (TAKE, taken)):
                writer.connection.executemany(sql, [(self.worker, first) for first in some])
            return held(writer.connection)

    def leave(self) -> None:
        self._seat.release()

    def _alive(self) -> list[str]:
        """As ``alive``.

        Raises:
            NotFoundError: the views were deleted, or our lock: what is open here is no longer what others see. End, and begin anew.
        """
        workers = alive(self._path)
        if self.worker not in workers or not self._path.exists() or self._path.stat().st_ino != self._file:
            raise NotFoundError(f"{self._path} or its lock was deleted while this worker kept it: start it again, and it is rebuilt")
        return workers


def alive(path: Path) -> list[str]:
    """Names of the workers on the file at ``path`` that are alive, in an order that is everybody's."""
    return [seat.read_text() for seat in sorted(path.parent.glob(f"{path.name}.worker-*.lock")) if _is_locked(seat)]


def held(connection: sqlite3.Connection) -> list[Held]:
    """All slices, and which worker took each."""
    return [Held(*row) for row in connection.execute("SELECT first, beyond, epoch, worker FROM slices ORDER BY first")]


def _is_locked(path: Path) -> bool:
    descriptor = _open(path)
    if not _locks(descriptor, fcntl.LOCK_SH):  # shared: those who only look are not in each other's way
        return True
    os.close(descriptor)
    return False


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locks(descriptor: int, kind: int) -> bool:
    """Lock what was opened, or close it again."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True
