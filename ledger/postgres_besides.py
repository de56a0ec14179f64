"""What is written beside the events of a PostgreSQL ledger: offsets, dead letters, checkpoints; each with the sum over its table."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from ledger import letters
from ledger.plan import Plan
from ledger.postgres_connections import Connection, Cursor
from ledger.postgres_copies import without_nul
from ledger.sums import TABLES, Row, added, moved, total

CREATE = (
    """
    CREATE TABLE ledger.ledger_sums (
        name text PRIMARY KEY,
        sum bytea NOT NULL
    )
    """,
)
PAGE_ROWS = 500
_CHANGE = sql.SQL("UPDATE ledger.dead_letters SET {} WHERE number = %s RETURNING *").format(
    sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in letters.CHANGES)
)


def write(cursor: Cursor, made: Plan) -> None:
    """Write all of a plan that is no event, in the transaction under way, behind the lock of the head. Offsets wait for no answer."""
    if made.offsets:
        for stream, offset in made.offsets.items():
            cursor.execute(
                "INSERT INTO ledger.tracking VALUES (%s, %s)"
                " ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id",
                (stream, offset),
            )
    for name, sum_ in made.sums.items():
        cursor.execute("UPDATE ledger.ledger_sums SET sum = %s WHERE name = %s", (sum_, name))
    if made.letters:
        added: list[Row] = []
        for letter in made.letters:
            cursor.execute(
                "INSERT INTO ledger.dead_letters"
                " SELECT coalesce(max(number), 0) + 1, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, NULL, NULL, %s"
                " FROM ledger.dead_letters ON CONFLICT (mark) DO NOTHING RETURNING *",
                [without_nul(column) for column in letter],
            )
            added += cursor.fetchall()
        move(cursor, "dead_letters", (), added)
    for number, position in made.replayed.items():
        cursor.execute("SELECT * FROM ledger.dead_letters WHERE number = %s", (number,))
        waiting = cursor.fetchall()
        cursor.execute(
            "UPDATE ledger.dead_letters SET replayed_us = %s, replayed_position = %s WHERE number = %s RETURNING *",
            (made.recorded_us, position, number),
        )
        move(cursor, "dead_letters", waiting, cursor.fetchall())


def plain_letters(cursor: Cursor, limit: int) -> list[letters.Row]:
    """Up to ``limit`` letters that stand as they came."""
    cursor.execute("SELECT * FROM ledger.dead_letters WHERE key_number IS NULL ORDER BY number LIMIT %s", (limit,))
    return list(map(letters.Row._make, cursor.fetchall()))


def numbered_letters(cursor: Cursor, numbers: Sequence[int]) -> list[letters.Row]:
    """The letters with these numbers, kept from changing until the transaction ends."""
    cursor.execute("SELECT * FROM ledger.dead_letters WHERE number = ANY(%s) ORDER BY number FOR UPDATE", (list(numbers),))
    return list(map(letters.Row._make, cursor.fetchall()))


def change_letters(cursor: Cursor, changes: Sequence[Row]) -> None:
    """Change letters as ``letters.CHANGES`` names it, in the transaction under way."""
    before: list[Row] = list(numbered_letters(cursor, [number for *_, number in changes]))
    changed: list[Row] = []
    for change in changes:
        cursor.execute(_CHANGE, [without_nul(column) for column in change])
        changed += cursor.fetchall()
    move(cursor, "dead_letters", before, changed)


def keep_checkpoint(cursor: Cursor, size: int, kept_us: int, note: bytes) -> None:
    """Add a checkpoint, in the transaction under way."""
    cursor.execute("LOCK TABLE ledger.checkpoints IN EXCLUSIVE MODE")
    cursor.execute(
        "INSERT INTO ledger.checkpoints SELECT coalesce(max(number), 0) + 1, %s, %s, %s FROM ledger.checkpoints RETURNING *",
        (size, kept_us, note),
    )
    move(cursor, "checkpoints", (), cursor.fetchall())


def count(connection: psycopg.Connection[Any], tables: Iterable[str] = TABLES) -> None:
    """Count tables anew, in the transaction under way, which lets nobody else write to them."""
    for table in tables:
        connection.execute(
            "INSERT INTO ledger.ledger_sums VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET sum = excluded.sum",
            (table, total_of(connection, table)),
        )


def recount(connection: Connection, table: str, before: bytes) -> None:
    """Move a sum by what an upgrade did to all rows, in its transaction. ``before``: the sum over the rows as they were."""
    for (found,) in connection.execute("SELECT sum FROM ledger.ledger_sums WHERE name = %s", (table,)).fetchall():
        sum_ = added(found, total_of(connection, table), before)
        connection.execute("UPDATE ledger.ledger_sums SET sum = %s WHERE name = %s", (sum_, table))


def differing(connection: Connection) -> list[str]:
    """The tables whose rows do not have the sum that is kept, all as of one moment."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        kept: dict[str, bytes] = dict(connection.execute("SELECT name, sum FROM ledger.ledger_sums").fetchall())
        return [table for table in TABLES if kept.get(table) != total_of(connection, table)]


def move(cursor: Cursor, table: str, gone: Iterable[Row], come: Iterable[Row]) -> None:
    """Move a sum, in the transaction under way: without rows as they were, with rows as they are now."""
    cursor.execute("SELECT sum FROM ledger.ledger_sums WHERE name = %s FOR UPDATE", (table,))
    for (found,) in cursor.fetchall():
        cursor.execute("UPDATE ledger.ledger_sums SET sum = %s WHERE name = %s", (moved(found, gone, come), table))


def total_of(connection: psycopg.Connection[Any], table: str) -> bytes:
    """The sum over the rows of a table as they are."""
    with connection.cursor(name="summed", row_factory=tuple_row) as rows:  # on the server: they need not fit into memory
        rows.itersize = PAGE_ROWS
        rows.execute(sql.SQL("SELECT * FROM ledger.{}").format(sql.Identifier(table)))
        return total(rows)
