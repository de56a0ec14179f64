"""The table of keys in a PostgreSQL ledger, which only ever gains keys and loses what wraps them.

A destroyed key stays in a dead row until ``scrub`` came through, and in the server's own log and backups for as long as those are kept:
worth nothing once the master key was rotated.
"""

from collections.abc import Sequence
from typing import LiteralString

from msgspec.structs import astuple

from ledger import postgres_besides
from ledger.postgres_connections import Cursor
from ledger.vault import KeptKey

CREATE = (
    """
    CREATE TABLE ledger.keys (
        number bigint PRIMARY KEY CHECK (number > 0),
        relationship text COLLATE "C" NOT NULL UNIQUE,
        wrapped bytea,
        master text NOT NULL,
        created_us bigint NOT NULL,
        destroyed_us bigint,
        CHECK ((wrapped IS NULL) = (destroyed_us IS NOT NULL))
    )
    """,
    """
    CREATE TRIGGER keys_only_destroyed BEFORE UPDATE ON ledger.keys FOR EACH ROW
    WHEN (
        OLD.destroyed_us IS NOT NULL OR NEW.number <> OLD.number OR NEW.relationship <> OLD.relationship
        OR NEW.created_us <> OLD.created_us
    )
    EXECUTE FUNCTION ledger.refuse('a key is wrapped anew or destroyed, and never comes back')
    """,
    """
    CREATE TRIGGER keys_no_delete BEFORE DELETE OR TRUNCATE ON ledger.keys
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse('a key is destroyed, and its number stays')
    """,
)


OF: LiteralString = "SELECT * FROM ledger.keys WHERE relationship = ANY(%s)"
NUMBERED: LiteralString = "SELECT * FROM ledger.keys WHERE number = ANY(%s)"
LAST: LiteralString = "SELECT coalesce(max(number), 0) FROM ledger.keys"  # the highest number; 0: there is none


def write(cursor: Cursor, made: Sequence[KeptKey], destroyed: Sequence[int], now_us: int) -> None:
    """Add keys, and destroy some, as a plan says that has moved their sum, in the transaction under way; nothing is asked without any."""
    if made:
        cursor.execute(
            "INSERT INTO ledger.keys SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bytea[], %s::text[], %s::bigint[], %s::bigint[])",
            [list(column) for column in zip(*map(astuple, made), strict=True)],
        )
    if destroyed:
        cursor.execute(
            "UPDATE ledger.keys SET wrapped = NULL, master = '', destroyed_us = %s WHERE number = ANY(%s)", (now_us, list(destroyed))
        )


def add(cursor: Cursor, made: Sequence[KeptKey]) -> None:
    """Add keys and move their sum, in the transaction under way."""
    write(cursor, made, (), 0)
    postgres_besides.move(cursor, "keys", (), map(astuple, made))


def rewrap(cursor: Cursor, found: Sequence[KeptKey], made: Sequence[KeptKey]) -> None:
    """Keep keys that were ``found`` under another master key, as ``made``, and move their sum, in the transaction under way."""
    cursor.execute(
        "UPDATE ledger.keys AS old SET wrapped = new.wrapped, master = new.master"
        " FROM unnest(%s::bigint[], %s::bytea[], %s::text[]) AS new (number, wrapped, master)"
        " WHERE old.number = new.number AND old.destroyed_us IS NULL",
        ([one.number for one in made], [one.wrapped for one in made], [one.master for one in made]),
    )
    postgres_besides.move(cursor, "keys", map(astuple, found), map(astuple, made))


def under_others(cursor: Cursor, master: str, limit: int) -> list[KeptKey]:
    """Up to ``limit`` keys that are wrapped by another master key, the ledger's own first."""
    cursor.execute("SELECT * FROM ledger.keys WHERE master <> %s AND destroyed_us IS NULL ORDER BY number LIMIT %s", (master, limit))
    return [KeptKey(*row) for row in cursor.fetchall()]
