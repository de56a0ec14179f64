"""What is written beside the events of a PostgreSQL ledger: offsets, dead letters, checkpoints; each with the sum over its table."""

from collections.abc import Sequence

from psycopg import sql
from psycopg.rows import tuple_row

from ledger import letters
from ledger.plan import Plan
from ledger.postgres_connections import Connection, Cursor
from ledger.postgres_copies import without_nul
from ledger.sums import TABLES, Row, moved, total

CREATE = (
    """
    CREATE TABLE ledger.ledger_sums (
        name text PRIMARY KEY,
        sum bytea NOT NULL
    )
    """,
)
PAGE_ROWS = 500


def write(cursor: Cursor, made: Plan) -> None:
    """Write all of a plan that is no event, in the transaction under way, behind the lock of the head. Offsets wait for no answer."""
    if made.offsets:
        for stream, offset in made.offsets.items():
            cursor.execute(
                "INSERT INTO ledger.tracking VALUES (%s, %s)"
                " ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id",
                (stream, offset),
            )
        cursor.execute("UPDATE ledger.ledger_sums SET sum = %s WHERE name = 'tracking'", (made.offsets_sum,))
    if made.letters:
        added: list[Row] = []
        for letter in made.letters:
            cursor.execute(
                "INSERT INTO ledger.dead_letters SELECT coalesce(max(number), 0) + 1, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s"
                " FROM ledger.dead_letters ON CONFLICT (mark) DO NOTHING RETURNING *",
                [without_nul(column) for column in letters.to_row(letter, made.recorded_us)],
            )
            added += cursor.fetchall()
        _move(cursor, "dead_letters", (), added)
    for number, position in made.replayed.items():
        cursor.execute("SELECT * FROM ledger.dead_letters WHERE number = %s", (number,))
        waiting = cursor.fetchall()
        cursor.execute(
            "UPDATE ledger.dead_letters SET replayed_us = %s, replayed_position = %s WHERE number = %s RETURNING *",
            (made.recorded_us, position, number),
        )
        _move(cursor, "dead_letters", waiting, cursor.fetchall())


def erase_letters(cursor: Cursor, relationship: str) -> int:
    """Blank the letters about a relationship, in the transaction under way, behind the lock of the head. Returns: how many."""
    rows = cursor.execute("SELECT * FROM ledger.dead_letters").fetchall()
    about = [row for row in rows if letters.is_about(letters.from_row(*row).letter, relationship)]
    blanked: list[Row] = []
    for row in about:
        cursor.execute(
            "UPDATE ledger.dead_letters SET reason = %s, key = %s, headers = %s, body = %s, mark = %s WHERE number = %s RETURNING *",
            letters.erasure_row(letters.from_row(*row)),
        )
        blanked += cursor.fetchall()
    _move(cursor, "dead_letters", about, blanked)
    return len(about)


def keep_checkpoint(cursor: Cursor, size: int, kept_us: int, note: bytes) -> None:
    """Add a checkpoint, in the transaction under way."""
    cursor.execute("LOCK TABLE ledger.checkpoints IN EXCLUSIVE MODE")
    cursor.execute(
        "INSERT INTO ledger.checkpoints SELECT coalesce(max(number), 0) + 1, %s, %s, %s FROM ledger.checkpoints RETURNING *",
        (size, kept_us, note),
    )
    _move(cursor, "checkpoints", (), cursor.fetchall())


def count(connection: Connection) -> None:
    """Count all tables anew, in the transaction under way, which lets nobody else write to them."""
    for table in TABLES:
        connection.execute(
            "INSERT INTO ledger.ledger_sums VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET sum = excluded.sum",
            (table, _total(connection, table)),
        )


def differing(connection: Connection) -> list[str]:
    """The tables whose rows do not have the sum that is kept, all as of one moment."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        kept: dict[str, bytes] = dict(connection.execute("SELECT name, sum FROM ledger.ledger_sums").fetchall())
        return [table for table in TABLES if kept.get(table) != _total(connection, table)]


def _move(cursor: Cursor, table: str, gone: Sequence[Row], come: Sequence[Row]) -> None:
    """Move a sum: without rows as they were, with rows as they are now."""
    cursor.execute("SELECT sum FROM ledger.ledger_sums WHERE name = %s FOR UPDATE", (table,))
    for (found,) in cursor.fetchall():
        cursor.execute("UPDATE ledger.ledger_sums SET sum = %s WHERE name = %s", (moved(found, gone, come), table))


def _total(connection: Connection, table: str) -> bytes:
    with connection.cursor(name="summed", row_factory=tuple_row) as rows:  # on the server: they need not fit into memory
        rows.itersize = PAGE_ROWS
        rows.execute(sql.SQL("SELECT * FROM ledger.{}").format(sql.Identifier(table)))
        return total(rows)
