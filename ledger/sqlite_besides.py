"""What is written beside the events of a SQLite ledger: offsets, dead letters, checkpoints; each with the sum over its table."""

import sqlite3
from collections.abc import Sequence

from ledger import letters
from ledger.plan import Plan
from ledger.sums import TABLES, Row, moved, total

CREATE = (
    """
    CREATE TABLE ledger_sums (
        name TEXT NOT NULL PRIMARY KEY,
        sum BLOB NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)


LETTER = """
    INSERT INTO dead_letters
        (number, recorded_us, code, reason, origin, partition, "offset", timestamp_ms, "key", headers, body, source, id, mark)
    SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM dead_letters WHERE true
    ON CONFLICT (mark) DO NOTHING RETURNING *
"""


def write(writer: sqlite3.Connection, made: Plan) -> None:
    """Write all of a plan that is no event, in the transaction under way."""
    if made.offsets:
        writer.executemany(
            "INSERT INTO tracking VALUES (?, ?) ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id",
            made.offsets.items(),
        )
        writer.execute("UPDATE ledger_sums SET sum = ? WHERE name = 'tracking'", (made.offsets_sum,))
    if made.letters:
        rows = [letters.to_row(letter, made.recorded_us) for letter in made.letters]
        _move(writer, "dead_letters", (), [kept for row in rows for kept in writer.execute(LETTER, row).fetchall()])
    for number, position in made.replayed.items():
        waiting = writer.execute("SELECT * FROM dead_letters WHERE number = ?", (number,)).fetchall()
        replayed = writer.execute(
            "UPDATE dead_letters SET replayed_us = ?, replayed_position = ? WHERE number = ? RETURNING *",
            (made.recorded_us, position, number),
        )
        _move(writer, "dead_letters", waiting, replayed.fetchall())


def erase_letters(writer: sqlite3.Connection, relationship: str) -> int:
    """Blank the letters about a relationship, in the transaction under way. Returns: how many."""
    rows = writer.execute("SELECT * FROM dead_letters").fetchall()
    about = [row for row in rows if letters.is_about(letters.from_row(*row).letter, relationship)]
    blank = 'UPDATE dead_letters SET reason = ?, "key" = ?, headers = ?, body = ?, mark = ? WHERE number = ? RETURNING *'
    blanked = [now for row in about for now in writer.execute(blank, letters.erasure_row(letters.from_row(*row))).fetchall()]
    _move(writer, "dead_letters", about, blanked)
    return len(about)


def keep_checkpoint(writer: sqlite3.Connection, size: int, kept_us: int, note: bytes) -> None:
    """Add a checkpoint, in the transaction under way."""
    insert = "INSERT INTO checkpoints SELECT coalesce(max(number), 0) + 1, ?, ?, ? FROM checkpoints RETURNING *"
    _move(writer, "checkpoints", (), writer.execute(insert, (size, kept_us, note)).fetchall())


def count(writer: sqlite3.Connection) -> None:
    """Count all tables anew, in the transaction under way."""
    for table in TABLES:
        writer.execute("INSERT OR REPLACE INTO ledger_sums VALUES (?, ?)", (table, _total(writer, table)))


def differing(reader: sqlite3.Connection) -> list[str]:
    """The tables whose rows do not have the sum that is kept, all as of one moment."""
    reader.execute("BEGIN")
    try:
        kept = dict(reader.execute("SELECT name, sum FROM ledger_sums").fetchall())
        return [table for table in TABLES if kept.get(table) != _total(reader, table)]
    finally:
        reader.execute("ROLLBACK")


def _move(writer: sqlite3.Connection, table: str, gone: Sequence[Row], come: Sequence[Row]) -> None:
    """Move a sum: without rows as they were, with rows as they are now."""
    for (found,) in writer.execute("SELECT sum FROM ledger_sums WHERE name = ?", (table,)).fetchall():
        writer.execute("UPDATE ledger_sums SET sum = ? WHERE name = ?", (moved(found, gone, come), table))


def _total(connection: sqlite3.Connection, table: str) -> bytes:
    return total(connection.execute(f"SELECT * FROM {table}"))  # noqa: S608  # a name of ours
