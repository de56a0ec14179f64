"""The bookkeeping of a SQLite file with views, beside the views' own tables; as in the schema ``views`` of PostgreSQL, but for ``workers``.

``slices`` are the leases: who writes which relationships (see ``slices.py``), and in which epoch. ``progress`` is how far each table is in
each slice; the view ``projections`` sums that up for readers: a view is as far as its last slice.
"""

import sqlite3

from projections.stores.slices import SLICES, even

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE projections (
            name TEXT PRIMARY KEY,
            version INTEGER,
            build INTEGER,
            status TEXT,
            position INTEGER,
            recorded_us INTEGER,
            updated_us INTEGER,
            tick_us INTEGER,
            swept_us INTEGER,
            commits INTEGER
        )
        """,
        """
        CREATE TABLE parked (
            projection TEXT,
            relationship TEXT,
            key TEXT,
            error TEXT,
            message TEXT,
            position INTEGER,
            first_us INTEGER,
            attempts INTEGER,
            PRIMARY KEY (projection, relationship)
        )
        """,
    ),
    ("ALTER TABLE projections ADD COLUMN policy TEXT NOT NULL DEFAULT ''",),
    (
        "CREATE TABLE slices (first INTEGER PRIMARY KEY, beyond INTEGER NOT NULL, epoch INTEGER NOT NULL, worker TEXT)",
        *(f"INSERT INTO slices VALUES ({one.first}, {one.beyond}, 1, NULL)" for one in even(SLICES)),  # noqa: S608
        """
        CREATE TABLE progress (
            name TEXT NOT NULL,
            slice INTEGER NOT NULL,
            version INTEGER NOT NULL,
            build INTEGER NOT NULL,
            status TEXT NOT NULL,
            updated_us INTEGER NOT NULL,
            position INTEGER NOT NULL,
            recorded_us INTEGER NOT NULL,
            tick_us INTEGER NOT NULL,
            swept_us INTEGER NOT NULL,
            commits INTEGER NOT NULL,
            policy TEXT NOT NULL,
            PRIMARY KEY (name, slice)
        ) WITHOUT ROWID
        """,
        """
        INSERT INTO progress
            SELECT name, first, version, build, status, updated_us, position, recorded_us, tick_us, swept_us, commits, policy
            FROM projections, slices
        """,
        "DROP TABLE projections",
        """
        CREATE VIEW projections AS
            SELECT name, max(version) AS version, max(build) AS build, max(status) AS status, max(updated_us) AS updated_us,
                min(position) AS position, min(recorded_us) AS recorded_us, min(tick_us) AS tick_us, min(swept_us) AS swept_us,
                sum(commits) AS commits, max(policy) AS policy
            FROM progress GROUP BY name
        """,
    ),
)
"""Each step makes the next version; they only go forward, all in one transaction, whatever the size of the views."""

SCHEMA_VERSION = len(MIGRATIONS)


def version(connection: sqlite3.Connection) -> int:
    """The version of the bookkeeping in this file; 0 where there is none yet."""
    ((found,),) = connection.execute("PRAGMA user_version")
    return int(found)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring it to ``SCHEMA_VERSION`` in the transaction under way, unless another process just did."""
    found = version(connection)
    for step in MIGRATIONS[found:]:
        for statement in step:
            connection.execute(statement)
    if found < SCHEMA_VERSION:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
