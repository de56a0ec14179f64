"""What is written beside the events of a SQLite ledger: offsets, dead letters, checkpoints; each with the sum over its table."""

import sqlite3
from collections.abc import Iterable, Sequence

from ledger import letters
from ledger.plan import Plan
from ledger.sums import TABLES, Row, added, moved, total

CREATE = (
    """
    CREATE TABLE ledger_sums (
        name TEXT NOT NULL PRIMARY KEY,
        sum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)


NUMBERED = "SELECT * FROM dead_letters WHERE number IN ({keys})"
_ADD = """
    INSERT INTO dead_letters
        (number, recorded_us, code, reason, origin, partition, "offset", timestamp_ms, "key", headers, body, source, id, mark, key_number)
    SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM dead_letters WHERE true
    ON CONFLICT (mark) DO NOTHING RETURNING *
"""
_LETTER = "SELECT * FROM dead_letters WHERE number = ?"
_PLAIN = "SELECT * FROM dead_letters INDEXED BY dead_letters_plain WHERE key_number IS NULL ORDER BY number LIMIT ?"
_CHANGE = f"UPDATE dead_letters SET {', '.join(f'{column} = ?' for column in letters.CHANGES)} WHERE number = ? RETURNING *"  # noqa: S608


def write(writer: sqlite3.Connection, made: Plan) -> None:
    """Write all of a plan that is no event, in the transaction under way."""
    if made.offsets:
        writer.executemany(
            "INSERT INTO tracking VALUES (?, ?) ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id",
            made.offsets.items(),
        )
    writer.executemany("UPDATE ledger_sums SET sum = ? WHERE name = ?", [(sum_, name) for name, sum_ in made.sums.items()])
    if made.letters:
        move(writer, "dead_letters", (), [kept for row in made.letters for kept in writer.execute(_ADD, row).fetchall()])
    for number, position in made.replayed.items():
        waiting = writer.execute(_LETTER, (number,)).fetchall()
        replayed = writer.execute(
            "UPDATE dead_letters SET replayed_us = ?, replayed_position = ? WHERE number = ? RETURNING *",
            (made.recorded_us, position, number),
        )
        move(writer, "dead_letters", waiting, replayed.fetchall())


def plain_letters(connection: sqlite3.Connection, limit: int) -> list[letters.Row]:
    """Up to ``limit`` letters that stand as they came."""
    return list(map(letters.Row._make, connection.execute(_PLAIN, (limit,))))


def change_letters(writer: sqlite3.Connection, changes: Sequence[Row]) -> None:
    """Change letters as ``letters.CHANGES`` names it, in the transaction under way."""
    for *columns, number in changes:
        before = writer.execute(_LETTER, (number,)).fetchall()
        move(writer, "dead_letters", before, writer.execute(_CHANGE, (*columns, number)).fetchall())


def keep_checkpoint(writer: sqlite3.Connection, size: int, kept_us: int, note: bytes) -> None:
    """Add a checkpoint, in the transaction under way."""
    insert = "INSERT INTO checkpoints SELECT coalesce(max(number), 0) + 1, ?, ?, ? FROM checkpoints RETURNING *"
    move(writer, "checkpoints", (), writer.execute(insert, (size, kept_us, note)).fetchall())


def count(writer: sqlite3.Connection, tables: Iterable[str] = TABLES) -> None:
    """Count tables anew, in the transaction under way."""
    for table in tables:
        writer.execute("INSERT OR REPLACE INTO ledger_sums VALUES (?, ?)", (table, total_of(writer, table)))


def recount(writer: sqlite3.Connection, table: str, before: bytes) -> None:
    """Move a sum by what an upgrade did to all rows, in its transaction. ``before``: the sum over the rows as they were."""
    for (found,) in writer.execute("SELECT sum FROM ledger_sums WHERE name = ?", (table,)).fetchall():
        sum_ = added(found, total_of(writer, table), before)
        writer.execute("UPDATE ledger_sums SET sum = ? WHERE name = ?", (sum_, table))


def differing(reader: sqlite3.Connection) -> list[str]:
    """The tables whose rows do not have the sum that is kept, all as of one moment."""
    reader.execute("BEGIN")
    try:
        kept = dict(reader.execute("SELECT name, sum FROM ledger_sums").fetchall())
        return [table for table in TABLES if kept.get(table) != total_of(reader, table)]
    finally:
        reader.execute("ROLLBACK")


def move(writer: sqlite3.Connection, table: str, gone: Iterable[Row], come: Iterable[Row]) -> None:
    """Move a sum, in the transaction under way: without rows as they were, with rows as they are now."""
    for (found,) in writer.execute("SELECT sum FROM ledger_sums WHERE name = ?", (table,)).fetchall():
        writer.execute("UPDATE ledger_sums SET sum = ? WHERE name = ?", (moved(found, gone, come), table))


def total_of(connection: sqlite3.Connection, table: str) -> bytes:
    """The sum over the rows of a table as they are."""
    return total(connection.execute(f"SELECT * FROM {table}"))  # noqa: S608  # a name of ours
