"""The schema ``views`` of a PostgreSQL database: the bookkeeping of the views, beside the views' own tables.

``slices`` are the leases: who may write which relationships (see ``slices.py``), and in which epoch; a worker that is not heard of
for a while loses its slices, and the epoch that goes up with each new owner refuses what the old one still writes. ``progress`` is how far
each table is in each slice; the view ``projections`` sums that up for readers: a view is as far as its last slice.
"""

from ledger.postgres_connections import Connection
from projections.stores.slices import SLICES, even

CREATE_LOCK = 0x52564945  # "RVIE": an advisory lock, so that of several processes one makes the tables

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE views.slices (
            first integer PRIMARY KEY,
            beyond integer NOT NULL,
            epoch bigint NOT NULL,
            worker text
        )
        """,
        *(f"INSERT INTO views.slices VALUES ({one.first}, {one.beyond}, 1, NULL)" for one in even(SLICES)),  # noqa: S608
        "CREATE TABLE views.workers (name text PRIMARY KEY, until timestamptz NOT NULL)",
        """
        CREATE TABLE views.progress (
            name text NOT NULL,
            slice integer NOT NULL,
            version bigint NOT NULL,
            build bigint NOT NULL,
            status text NOT NULL,
            updated_us bigint NOT NULL,
            position bigint NOT NULL,
            recorded_us bigint NOT NULL,
            tick_us bigint NOT NULL,
            swept_us bigint NOT NULL,
            commits bigint NOT NULL,
            policy text NOT NULL,
            PRIMARY KEY (name, slice)
        )
        """,
        """
        CREATE VIEW views.projections AS
            SELECT name, max(version) AS version, max(build) AS build, max(status) AS status, max(updated_us) AS updated_us,
                min(position) AS position, min(recorded_us) AS recorded_us, min(tick_us) AS tick_us, min(swept_us) AS swept_us,
                sum(commits)::bigint AS commits, max(policy) AS policy
            FROM views.progress GROUP BY name
        """,
        """
        CREATE TABLE views.parked (
            projection text NOT NULL,
            relationship text COLLATE "C" NOT NULL,
            key text,
            position bigint NOT NULL,
            error text NOT NULL,
            message text NOT NULL,
            first_us bigint NOT NULL,
            attempts bigint NOT NULL,
            PRIMARY KEY (projection, relationship)
        )
        """,
    ),
)
"""Each step makes the next version of the schema; they only go forward."""

SCHEMA_VERSION = len(MIGRATIONS)


def version(connection: Connection) -> int:
    """The version of the schema in this database; 0 where there is none yet."""
    if connection.execute("SELECT FROM pg_tables WHERE schemaname = 'views' AND tablename = 'store'").fetchone() is None:
        return 0
    ((found,),) = connection.execute("SELECT schema_version FROM views.store")
    return int(found)


def migrate(connection: Connection) -> None:
    """Bring the schema to ``SCHEMA_VERSION`` in the connection's transaction, unless another process just did."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (CREATE_LOCK,))
    found = version(connection)
    if found == 0:
        # Asked first: who may not create schemas may still have been given this one.
        if connection.execute("SELECT FROM pg_namespace WHERE nspname = 'views'").fetchone() is None:
            connection.execute("CREATE SCHEMA views")
        connection.execute("CREATE TABLE views.store (one boolean PRIMARY KEY CHECK (one), schema_version bigint NOT NULL)")
        connection.execute("INSERT INTO views.store VALUES (true, 0)")
    for step in MIGRATIONS[found:]:
        for statement in step:
            connection.execute(statement.encode())
    connection.execute("UPDATE views.store SET schema_version = %s WHERE schema_version < %s", (SCHEMA_VERSION, SCHEMA_VERSION))
