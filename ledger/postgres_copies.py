"""What a PostgreSQL ledger holds beside its events, all of one moment, for a backup; and how a copy is put into an empty one.

Nothing here needs more rights than appending does, but for ``take_origin``, which needs those of who created the tables.
"""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from ledger.interface import Beside, Take, Tree
from ledger.postgres_connections import Connection, Cursor
from ledger.proof.merkle import Frontier
from schemas.errors import NotEmptyError, StoreNewerCopyError

EVENTS = ("stored_events", "ledger_head", "ledger_sums")  # copied event by event, with their tree; and what is counted anew
_GUARD = sql.Identifier("ledger_head_only_grows")
PAGE_ROWS = 500


def besides(connection: Connection, take: Take) -> Tree:
    """As ``LedgerRecorder.besides``: in one transaction that sees one moment, which nobody waits for."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        ((origin, frontier, root),) = connection.execute("SELECT origin, frontier, root FROM ledger.ledger_head")
        for table in _columns(connection):
            with connection.cursor(name="besides") as rows:  # on the server: they need not fit into memory
                rows.itersize = PAGE_ROWS
                rows.execute(sql.SQL("SELECT * FROM ledger.{} ORDER BY 1").format(sql.Identifier(table)))
                for row in rows:
                    names = [column.name for column in rows.description or ()]
                    take(Beside(table, dict(zip(names, row, strict=True))))
        return Tree(origin, Frontier.decode(frontier), root)


def put_besides(cursor: Cursor, rows: Iterable[Beside]) -> None:
    """As ``LedgerRecorder.put_besides``, in the transaction under way."""
    known = _columns(cursor.connection)
    filled = {table for table in known if table != "tracking" and _has_rows(cursor, table)}
    for one in rows:
        if not one.row.keys() <= known.get(one.table, set()):
            raise StoreNewerCopyError(one.table)
        if one.table not in filled:
            statement = sql.SQL("INSERT INTO ledger.{} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
                sql.Identifier(one.table),
                sql.SQL(", ").join(map(sql.Identifier, one.row)),
                sql.SQL(", ").join([sql.Placeholder()] * len(one.row)),
            )
            cursor.execute(statement, [without_nul(value) for value in one.row.values()])


def take_origin(cursor: Cursor, origin: str) -> None:
    """As ``LedgerRecorder.take_origin``, in the transaction under way: the guard is off in it alone."""
    cursor.execute("LOCK TABLE ledger.ledger_head IN ACCESS EXCLUSIVE MODE")
    expect_end(cursor, 0)
    cursor.execute(sql.SQL("ALTER TABLE ledger.ledger_head DISABLE TRIGGER {}").format(_GUARD))
    cursor.execute("UPDATE ledger.ledger_head SET origin = %s", (origin,))
    cursor.execute(sql.SQL("ALTER TABLE ledger.ledger_head ENABLE TRIGGER {}").format(_GUARD))


def expect_end(cursor: Cursor, position: int) -> None:
    """Lock the head, and make sure that the log ends at ``position``.

    Raises:
        NotEmptyError: somebody appended meanwhile.
    """
    cursor.execute("SELECT position FROM ledger.ledger_head FOR UPDATE")
    ((found,),) = cursor
    if found != position:
        raise NotEmptyError(found)


def without_nul(value: Any) -> Any:  # noqa: ANN401  # columns of many types
    """PostgreSQL's text holds no NUL, though a bad envelope's source and id may; the body has it as it came."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value


def _has_rows(cursor: Cursor, table: str) -> bool:
    cursor.execute(sql.SQL("SELECT FROM ledger.{} LIMIT 1").format(sql.Identifier(table)))
    return cursor.fetchone() is not None


def _columns(connection: psycopg.Connection[Any]) -> dict[str, set[str]]:
    """The columns of each table beside the events, by its name."""
    found: dict[str, set[str]] = {}
    rows = connection.execute(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
        " ORDER BY c.relname, a.attnum"
    )
    for table, column in rows:
        if table not in EVENTS:
            found.setdefault(table, set()).add(column)
    return found
