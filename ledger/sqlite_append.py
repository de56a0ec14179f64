"""What an append asks of a SQLite ledger and what it writes, in one transaction.

Nearly all that comes is new, and of relationships that this process alone wrote of lately, for consumers share a topic by its keys. So
an append may *suppose* that no identity is in the log yet, and that the versions it remembers are still the newest. Whatever was supposed
wrongly the database refuses (``sqlite_schema.py``), as it would refuse a mistake; then nothing of the append is kept, and it is made again
with all looked up. Nothing is supposed of a database whose trigger somebody took away.
"""

import functools
import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ledger import sealing, sqlite_besides, sqlite_keys
from ledger.newest import Newest
from ledger.plan import MOVED, Known, Plan, Request, named
from ledger.proof.merkle import Frontier
from ledger.vault import KeptKey

LOOKUP_SIZES = (1, 8, 64, 512)  # keys a lookup; few sizes, so that each statement is prepared once
INSERT_SIZES = (256, 64, 16, 4, 1)  # events an INSERT; likewise

# Python lends its lock to other threads at every row that SQLite takes or gives, and may wait for it long: so many versions come in
# one row, and many events go in one statement.
_FIRSTS = "SELECT identity, rowid, state FROM stored_events WHERE identity IN ({keys})"
_VERSIONS = """
    SELECT json_group_object(column1, (SELECT max(originator_version) FROM stored_events WHERE originator_id = column1))
    FROM (VALUES {rows})
"""
_INSERT = """
    INSERT OR ROLLBACK INTO stored_events (rowid, originator_id, originator_version, topic, recorded_us, state, identity)
    VALUES {events}
"""
OFFSETS = "SELECT application_name, notification_id FROM tracking WHERE application_name IN ({keys})"
_SUMS = f"SELECT name, sum FROM ledger_sums WHERE name IN {MOVED}"  # noqa: S608  # names of ours
_REPLAYED = "SELECT number, replayed_position FROM dead_letters WHERE number IN ({keys})"

_versions = msgspec.json.Decoder(dict[str, int | None]).decode


def look_up(writer: sqlite3.Connection, requests: Sequence[Request], newest: Newest, *, supposing: bool) -> Known:
    """What the log holds of all that ``requests`` name; ``supposing``: that it holds none of their identities."""
    asked = named(requests, supposing=supposing)
    position, recorded_us, frontier = writer.execute("SELECT position, recorded_us, frontier FROM ledger_head").fetchone()
    versions = newest.at(position, supposing=supposing)
    for (part,) in lookup(writer, _VERSIONS, asked.versions_asked(versions)):
        versions.update((relationship, version or 0) for relationship, version in _versions(part).items())
    firsts = {identity: (first, event) for identity, first, event in lookup(writer, _FIRSTS, asked.identities)}
    sealed_by = {number for _, event in firsts.values() for number in sealing.numbers(event)}
    return Known(
        position,
        recorded_us,
        Frontier.decode(frontier),
        firsts,
        versions,
        dict(lookup(writer, OFFSETS, asked.streams)),
        dict(lookup(writer, _REPLAYED, asked.numbers)),
        asked.sealing_for,
        keys(writer, sqlite_keys.OF, asked.sealing_for),
        {kept.number: kept for kept in keys(writer, sqlite_keys.NUMBERED, list(sealed_by))},
        sqlite_keys.last(writer) if asked.sealing_for else 0,
        dict(writer.execute(_SUMS).fetchall()) if asked.streams or asked.sealing_for else {},
    )


def write(writer: sqlite3.Connection, made: Plan) -> None:
    """Write what was planned, in the transaction under way."""
    if made.rows:
        end = made.rows[-1][0]
        writer.execute("UPDATE ledger_head SET reserved = ?", (end,))
        done = 0
        for size in INSERT_SIZES:
            statement = _statement(_INSERT, size)
            while len(made.rows) - done >= size:
                writer.execute(statement, list(itertools.chain.from_iterable(made.rows[done : done + size])))
                done += size
        head = (end, made.recorded_us, made.tree.encode(), made.tree.root())
        writer.execute("UPDATE ledger_head SET position = ?, recorded_us = ?, frontier = ?, root = ?", head)
    if made.keys or made.destroyed:
        sqlite_keys.write(writer, made.keys, made.destroyed, made.recorded_us)
    sqlite_besides.write(writer, made)


def keys(connection: sqlite3.Connection, template: str, wanted: Sequence[Any]) -> list[KeptKey]:
    """The keys that are ``wanted`` by ``template``, one of ``sqlite_keys.py``."""
    return list({row[0]: KeptKey(*row) for row in lookup(connection, template, wanted)}.values())


def lookup(connection: sqlite3.Connection, template: str, wanted: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Rows of ``template`` for what is ``wanted``, in chunks of ``LOOKUP_SIZES`` filled up by repeating the last one."""
    largest = LOOKUP_SIZES[-1]
    for start in range(0, len(wanted), largest):
        chunk = list(wanted[start : start + largest])
        size = next(size for size in LOOKUP_SIZES if size >= len(chunk))
        chunk.extend([chunk[-1]] * (size - len(chunk)))
        yield from connection.execute(_statement(template, size), chunk)


@functools.cache
def _statement(template: str, size: int) -> str:
    return template.format(keys=",".join(["?"] * size), rows=",".join(["(?)"] * size), events=",".join(["(?,?,?,?,?,?,?)"] * size))
