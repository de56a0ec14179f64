"""What a SQLite ledger holds beside its events, all of one moment, for a backup; and how a copy is put into an empty one."""

import sqlite3
from collections.abc import Iterable, Iterator

from ledger.interface import Beside, Take, Tree
from ledger.proof.merkle import Frontier
from ledger.sqlite_schema import TRIGGERS
from schemas.errors import NotEmptyError, StoreNewerCopyError

EVENTS = ("stored_events", "ledger_head", "ledger_sums")  # copied event by event, with their tree; and what is counted anew
_GUARD = "ledger_head_only_grows"


def besides(reader: sqlite3.Connection, take: Take) -> Tree:
    """As ``LedgerRecorder.besides``: in one reading transaction, which nobody waits for."""
    reader.execute("BEGIN")
    try:
        ((origin, frontier, root),) = reader.execute("SELECT origin, frontier, root FROM ledger_head")
        for table in _tables(reader):
            rows = reader.execute(f'SELECT * FROM "{table}" ORDER BY 1')  # noqa: S608  # a name from the schema
            names = [column[0] for column in rows.description]
            for row in rows:
                take(Beside(table, dict(zip(names, row, strict=True))))
        return Tree(origin, Frontier.decode(frontier), root)
    finally:
        reader.execute("ROLLBACK")


def put_besides(writer: sqlite3.Connection, rows: Iterable[Beside]) -> None:
    """As ``LedgerRecorder.put_besides``, in the transaction under way."""
    known = {table: _columns(writer, table) for table in _tables(writer)}
    filled = {table for table in known if table != "tracking" and writer.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone()}  # noqa: S608
    for one in rows:
        if not one.row.keys() <= known.get(one.table, frozenset()):
            raise StoreNewerCopyError(one.table)
        if one.table not in filled:
            names, values = ", ".join(f'"{name}"' for name in one.row), ", ".join("?" * len(one.row))
            writer.execute(f'INSERT INTO "{one.table}" ({names}) VALUES ({values}) ON CONFLICT DO NOTHING', tuple(one.row.values()))  # noqa: S608


def take_origin(writer: sqlite3.Connection, origin: str) -> None:
    """As ``LedgerRecorder.take_origin``, in the transaction under way: the guard is off in it alone."""
    ((position,),) = writer.execute("SELECT position FROM ledger_head")
    if position:
        raise NotEmptyError(position)
    writer.execute(f"DROP TRIGGER {_GUARD}")
    writer.execute("UPDATE ledger_head SET origin = ?", (origin,))
    writer.execute(TRIGGERS[_GUARD])


def expect_end(writer: sqlite3.Connection, position: int) -> None:
    """Make sure that the log ends at ``position``.

    Raises:
        NotEmptyError: somebody appended meanwhile.
    """
    ((found,),) = writer.execute("SELECT position FROM ledger_head")
    if found != position:
        raise NotEmptyError(found)


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name").fetchall()
    return (name for (name,) in tables if name not in EVENTS)


def _columns(connection: sqlite3.Connection, table: str) -> frozenset[str]:
    return frozenset(name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)))
