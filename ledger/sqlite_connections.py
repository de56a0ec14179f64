"""Connections to a SQLite ledger: how the file is made and the writer set up, and what SQLite's errors mean to the rest of the house."""

import os
import sqlite3
import time
from pathlib import Path

from ledger.sqlite_wal import PATIENCE
from schemas.errors import ImmutableError, LedgerError, StoreUnavailableError

LOCK_TIMEOUT_S = 30.0  # how long an append waits for another process's
LOCK_RETRY_S = 0.001  # between two tries
CACHE_KIB = 131_072  # of pages, for the writer: of the indexes, what appends come back to; half as many cost up to a tenth more
CHECKPOINT_PAGES = 16_000  # of 4 KiB: the write-ahead log is copied back every 64 MB; every 4 MB takes half as long again


def make_file(path: Path) -> None:
    """Make sure there is a file, readable by its owner alone; SQLite gives its helpers beside it the same mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreUnavailableError(f"{path} cannot be used ({error}): check the path, the disk and its permissions") from error


def waiting_for_others(writer: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
    """Execute ``statement`` once no other process is in its way, for ``LOCK_TIMEOUT_S`` at most.

    SQLite's own waiting sleeps up to 0.1 s, so that it loses every race against a busy writer, and there is none for the journal mode.
    """
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            return writer.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(LOCK_RETRY_S)


def set_up(writer: sqlite3.Connection, path: Path) -> None:
    """Make every commit of ``writer`` durable, and quick.

    Raises:
        StoreUnavailableError: the disk has no shared memory.
    """
    writer.execute("PRAGMA busy_timeout = 0")  # it is waiting_for_others that waits
    if waiting_for_others(writer, "PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise StoreUnavailableError(f"{path} is on a disk without shared memory (a network folder?): put it on a local one")
    writer.execute("PRAGMA synchronous = FULL")
    writer.execute("PRAGMA fullfsync = ON")  # macOS: down to the disk itself
    writer.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    writer.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES * PATIENCE}")  # where the Copier does not come to it
    writer.execute("PRAGMA secure_delete = ON")  # nothing but keys and dead letters is ever overwritten


def told(path: Path, error: sqlite3.Error) -> LedgerError | None:
    """The error of ours for ``error``, or None where it is a bug."""
    words = str(error)
    if words == "UNIQUE constraint failed: stored_events.rowid":
        words = f"immutable: {path} holds events behind its head, written past the ledger: run `rledger verify`"
    if words.startswith("immutable: "):
        return ImmutableError(words)
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the lower byte is the primary code
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreUnavailableError(
                f"{path} has been locked by another process for {LOCK_TIMEOUT_S:.0f} s; nothing was appended: "
                "end the process that holds it (`fuser` names it), then try again"
            )
        case sqlite3.SQLITE_FULL:
            return StoreUnavailableError(f"no space left for {path}; nothing was appended: free some, then try again")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreUnavailableError(f"{path} is damaged or not a SQLite file ({error}): run `rledger doctor`, restore a backup")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return StoreUnavailableError(f"{path} cannot be used ({error}); nothing was appended: check the disk and its permissions")
    return None
