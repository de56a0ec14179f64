"""The table of keys in a SQLite ledger, which only ever gains keys and loses what wraps them.

A destroyed key is overwritten in the file (``secure_delete``) and, once ``scrub`` came through, in the write-ahead log.
"""

import sqlite3
from collections.abc import Sequence

from msgspec.structs import astuple

from ledger import sqlite_besides
from ledger.vault import KeptKey

CREATE = (
    """
    CREATE TABLE keys (
        number INTEGER PRIMARY KEY,
        relationship TEXT NOT NULL UNIQUE,
        wrapped BLOB,
        master TEXT NOT NULL,
        created_us INTEGER NOT NULL,
        destroyed_us INTEGER,
        CHECK ((wrapped IS NULL) = (destroyed_us IS NOT NULL))
    ) STRICT
    """,
    """
    CREATE TRIGGER keys_only_next BEFORE INSERT ON keys WHEN
        NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM keys)
        OR EXISTS (SELECT 1 FROM keys WHERE relationship = NEW.relationship)
    BEGIN SELECT RAISE(ABORT, 'immutable: a relationship has one key for ever, destroyed or not'); END
    """,
    """
    CREATE TRIGGER keys_only_destroyed BEFORE UPDATE ON keys WHEN
        OLD.destroyed_us IS NOT NULL OR NEW.number IS NOT OLD.number OR NEW.relationship IS NOT OLD.relationship
        OR NEW.created_us IS NOT OLD.created_us
    BEGIN SELECT RAISE(ABORT, 'immutable: a key is wrapped anew or destroyed, and never comes back'); END
    """,
    """
    CREATE TRIGGER keys_no_delete BEFORE DELETE ON keys
    BEGIN SELECT RAISE(ABORT, 'immutable: a key is destroyed, and its number stays'); END
    """,
)
OF = "SELECT * FROM keys WHERE relationship IN ({keys})"
NUMBERED = "SELECT * FROM keys WHERE number IN ({keys})"


def last(connection: sqlite3.Connection) -> int:
    """The highest number of a key; 0: there is none."""
    ((number,),) = connection.execute("SELECT coalesce(max(number), 0) FROM keys")
    return int(number)


def write(writer: sqlite3.Connection, made: Sequence[KeptKey], destroyed: Sequence[int], now_us: int) -> None:
    """Add keys, and destroy some, as a plan says that has moved their sum, in the transaction under way."""
    writer.executemany("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)", map(astuple, made))
    ends = [(now_us, number) for number in destroyed]
    writer.executemany("UPDATE keys SET wrapped = NULL, master = '', destroyed_us = ? WHERE number = ?", ends)


def add(writer: sqlite3.Connection, made: Sequence[KeptKey]) -> None:
    """Add keys and move their sum, in the transaction under way."""
    write(writer, made, (), 0)
    sqlite_besides.move(writer, "keys", (), map(astuple, made))


def rewrap(writer: sqlite3.Connection, found: Sequence[KeptKey], made: Sequence[KeptKey]) -> None:
    """Keep keys that were ``found`` under another master key, as ``made``, and move their sum, in the transaction under way."""
    rows = [(one.wrapped, one.master, one.number) for one in made]
    writer.executemany("UPDATE keys SET wrapped = ?, master = ? WHERE number = ? AND destroyed_us IS NULL", rows)
    sqlite_besides.move(writer, "keys", map(astuple, found), map(astuple, made))


def under_others(connection: sqlite3.Connection, master: str, limit: int) -> list[KeptKey]:
    """Up to ``limit`` keys that are wrapped by another master key, the ledger's own first."""
    rows = connection.execute("SELECT * FROM keys WHERE master <> ? AND destroyed_us IS NULL ORDER BY number LIMIT ?", (master, limit))
    return [KeptKey(*row) for row in rows]
