"""What an append says to a PostgreSQL server, in as few journeys as it takes: look up, move the head, COPY, the rest and the commit.

A journey costs some 0.2 ms of our CPU and, where processes wait for a core, milliseconds. What needs no answer of another travels with
it, in a pipeline.

An append of many may *suppose*, as on SQLite (``sqlite_append.py``), that no identity is in the log yet, and that the versions remembered
are still the newest. What was supposed wrongly is refused by the table's unique constraints; then it is made again with all looked up.
"""

import itertools
from collections.abc import Sequence
from typing import LiteralString

from ledger import postgres_besides, postgres_keys, sealing
from ledger.newest import Newest
from ledger.plan import MOVED, Known, Plan, Request, named
from ledger.postgres_connections import Connection, Cursor
from ledger.proof.merkle import Frontier
from ledger.vault import KeptKey

CHANNEL: LiteralString = "stored_events"  # the channel that eventsourcing's subscriptions listen on

SUPPOSED_MIN = 100  # touchpoints from which on it pays to suppose
_GUARDS: LiteralString = """
    SELECT count(*) FROM pg_constraint WHERE conrelid = 'ledger.stored_events'::regclass
    AND pg_get_constraintdef(oid) IN ('UNIQUE (identity)', 'UNIQUE (originator_id, originator_version)')
"""
_FIRSTS: LiteralString = """
    SELECT identity, notification_id, state FROM ledger.stored_events
    WHERE identity = ANY(ARRAY(SELECT decode(digits, 'hex') FROM unnest(string_to_array(%s, E'\\n')) AS digits))
"""
_VERSIONS: LiteralString = """
    SELECT name, (SELECT max(originator_version) FROM ledger.stored_events WHERE originator_id = name)
    FROM unnest(string_to_array(%s, E'\\n')) AS name
"""
OFFSETS: LiteralString = "SELECT application_name, notification_id FROM ledger.tracking WHERE application_name = ANY(%s)"
_SUMS: LiteralString = "SELECT name, sum FROM ledger.ledger_sums WHERE name = ANY(%s)"
_REPLAYED: LiteralString = "SELECT number, replayed_position FROM ledger.dead_letters WHERE number = ANY(%s)"


def refuses_repeats(writer: Connection) -> bool:
    """Whether the constraints stand by which the database refuses an identity or a version that it knows."""
    ((guards,),) = _ask(writer, _GUARDS)
    return bool(guards == 2)  # noqa: PLR2004


def look_up(writer: Connection, requests: Sequence[Request], newest: Newest, *, supposing: bool) -> Known:
    """Begin, lock the head row and look up what ``requests`` name, in two journeys to the server and back.

    ``supposing``: that the log holds none of their identities.

    Many keys travel as one parameter: a list is written by Python, element by element. The last question goes alone: psycopg ends a
    pipeline by a message that turns off the server's clock for sessions that stop in a transaction, and so would hold the head row.
    """
    asked = named(requests, supposing=supposing)
    with writer.pipeline():
        writer.begin()
        head = _ask(writer, "SELECT position, recorded_us, frontier FROM ledger.ledger_head FOR UPDATE")
        firsts = _ask(writer, _FIRSTS, "\n".join(identity.hex() for identity in asked.identities))
        offsets = _ask(writer, OFFSETS, asked.streams) if asked.streams else ()
        sums = _ask(writer, _SUMS, list(MOVED)) if asked.streams or asked.sealing_for else ()
        replayed = _ask(writer, _REPLAYED, asked.numbers) if asked.numbers else ()
        keys = _ask(writer, postgres_keys.OF, asked.sealing_for) if asked.sealing_for else ()
        last = _ask(writer, postgres_keys.LAST) if asked.sealing_for else ((0,),)
    ((position, recorded_us, frontier),), ((last_key,),) = head, last
    versions = newest.at(position, supposing=supposing)
    asked_for = _ask(writer, _VERSIONS, "\n".join(asked.versions_asked(versions)))
    versions.update((relationship, version or 0) for relationship, version in asked_for)
    repeated = {identity: (first, event) for identity, first, event in firsts}
    sealed_by = {number for _, event in repeated.values() for number in sealing.numbers(event)}
    return Known(
        position,
        recorded_us,
        Frontier.decode(frontier),
        repeated,
        versions,
        dict(offsets),
        dict(replayed),
        asked.sealing_for,
        list(itertools.starmap(KeptKey, keys)),
        {
            kept.number: kept
            for kept in itertools.starmap(KeptKey, _ask(writer, postgres_keys.NUMBERED, list(sealed_by)) if sealed_by else ())
        },
        last_key,
        dict(sums),
    )


def _ask(connection: Connection, query: LiteralString, *parameters: object) -> Cursor:
    return connection.cursor(binary=True).execute(query, parameters)


def write(writer: Connection, made: Plan) -> None:
    """Write what was planned and commit, in few journeys: COPY needs two, and shares none with others."""
    with writer.cursor() as cursor:
        if made.rows:
            write_events(cursor, made)
        with writer.pipeline():
            if made.rows:
                cursor.execute("NOTIFY " + CHANNEL)
            postgres_keys.write(cursor, made.keys, made.destroyed, made.recorded_us)
            postgres_besides.write(cursor, made)
            cursor.execute("COMMIT")


def write_events(cursor: Cursor, made: Plan) -> None:
    """Move the head to where events, of which there are some, are then accepted, and write them."""
    head = (made.rows[-1][0], made.recorded_us, made.tree.encode(), made.tree.root())
    cursor.execute("UPDATE ledger.ledger_head SET position = %s, recorded_us = %s, frontier = %s, root = %s", head)
    with cursor.copy(
        "COPY ledger.stored_events (notification_id, originator_id, originator_version, topic, recorded_us, state, identity)"
        " FROM STDIN (FORMAT BINARY)"
    ) as copy:
        copy.set_types(["bigint", "text", "bigint", "text", "bigint", "bytea", "bytea"])
        for row in made.rows:
            copy.write_row(row)


def stands(writer: Connection, made: Plan) -> bool:
    """Whether ``made`` was committed. It is all there or nothing of it, so one trace is proof."""
    if made.rows:
        position, *_, identity = made.rows[-1]
        found = _ask(
            writer,
            "SELECT FROM ledger.stored_events WHERE notification_id = %s AND identity = %s AND recorded_us = %s",
            position,
            identity,
            made.recorded_us,
        )
    elif made.letters:
        _, _, _, origin, *_, body, _, _, _, _ = made.letters[-1]
        found = _ask(
            writer,
            "SELECT FROM ledger.dead_letters WHERE recorded_us = %s AND origin = %s AND body IS NOT DISTINCT FROM %s",
            made.recorded_us,
            origin,
            body,
        )
    else:
        return bool(made.offsets) and dict(_ask(writer, OFFSETS, list(made.offsets))) == made.offsets
    return found.fetchone() is not None
