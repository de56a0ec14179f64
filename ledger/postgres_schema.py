"""The tables of a PostgreSQL ledger, in the schema ``ledger``, and the triggers by which the database itself refuses to change history.

``stored_events`` and ``tracking`` are eventsourcing's, with its columns, so that its own tools can read the log; ``notification_id``
is the position and comes from ``ledger_head``, not from a sequence, which loses numbers on rollback. The view ``events`` has the
ledger's own names. Events are accepted only at the positions that ``ledger_head`` was just moved over, none left out. The Merkle tree
stands in the head, and moves only together with it. Checkpoints are only added. The table of keys is in ``postgres_keys.py``.
"""

from collections.abc import Callable

from ledger import postgres_besides, postgres_keys
from ledger.check import NAMED_MAX, Findings
from ledger.postgres_connections import LOCK_TIMEOUT_S, Connection, Cursor
from ledger.proof.leaf import hash_row
from ledger.proof.merkle import EMPTY_ROOT, Frontier
from schemas.identity import BEFORE_DIGITS, DIGEST_BYTES, NEAR_BYTES, RANDOM, SURE_BYTES, UUID_LENGTH, VERSION_AT

SCHEMA_VERSION = 6  # in ledger_head
CREATE_LOCK = 0x524C4544  # "RLED": an advisory lock, so that of several processes one creates the tables
PAGE_EVENTS = 5_000  # hashed at once by an upgrade: a few MB

PLAIN_LETTERS = "CREATE INDEX dead_letters_plain ON ledger.dead_letters (number) WHERE key_number IS NULL"
EVENTS = (
    """
    CREATE TABLE ledger.stored_events (
        originator_id text COLLATE "C" NOT NULL,
        originator_version bigint NOT NULL CHECK (originator_version > 0),
        topic text COLLATE "C" NOT NULL,
        state bytea NOT NULL,
        notification_id bigint PRIMARY KEY CHECK (notification_id > 0),
        recorded_us bigint NOT NULL,
        identity bytea NOT NULL UNIQUE,
        UNIQUE (originator_id, originator_version)
    )
    """,
    """
    CREATE VIEW ledger.events (position, relationship, version, type, recorded_us, event) AS
        SELECT notification_id, originator_id, originator_version, topic, recorded_us, state FROM ledger.stored_events
    """,
    """
    CREATE TABLE ledger.tracking (
        application_name text COLLATE "C" PRIMARY KEY,
        notification_id bigint NOT NULL
    )
    """,
    "INSERT INTO ledger.tracking VALUES ('__migration__', 1)",  # tells eventsourcing that the table is of its current form
    """
    CREATE TABLE ledger.dead_letters (
        number bigint PRIMARY KEY,
        recorded_us bigint NOT NULL,
        code text NOT NULL,
        reason text NOT NULL,
        origin text NOT NULL,
        partition bigint,
        "offset" bigint,
        timestamp_ms bigint,
        key bytea,
        headers bytea NOT NULL,
        body bytea,
        source text,
        id text,
        mark bytea UNIQUE,
        replayed_us bigint,
        replayed_position bigint,
        key_number bigint
    )
    """,
    PLAIN_LETTERS,
    """
    CREATE FUNCTION ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'immutable: %', TG_ARGV[0]; END $$
    """,
    """
    CREATE FUNCTION ledger.only_next() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE lowest bigint; highest bigint; many bigint;
    BEGIN
        SELECT min(notification_id), max(notification_id), count(*) INTO lowest, highest, many FROM added;
        IF many > 0 AND (
            highest <> (SELECT position FROM ledger.ledger_head)
            OR many <> highest - lowest + 1
            OR (lowest > 1 AND NOT EXISTS (SELECT FROM ledger.stored_events WHERE notification_id = lowest - 1))
        ) THEN
            RAISE EXCEPTION 'immutable: events are added by the ledger alone, each at the next position';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER stored_events_only_next AFTER INSERT ON ledger.stored_events REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.only_next()
    """,
    """
    CREATE TRIGGER stored_events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.stored_events
    FOR EACH STATEMENT EXECUTE FUNCTION
        ledger.refuse('an event never changes and is never removed; append a ledger.correction.v1')
    """,
)
HEAD = (
    """
    CREATE TABLE ledger.ledger_head (
        one boolean PRIMARY KEY CHECK (one),
        position bigint NOT NULL,
        recorded_us bigint NOT NULL,
        schema_version bigint NOT NULL,
        origin text NOT NULL,
        frontier bytea NOT NULL,
        root bytea NOT NULL
    )
    """,
    rf"""
    INSERT INTO ledger.ledger_head VALUES (
        true, 0, 0, {SCHEMA_VERSION}, 'relationship-ledger/' || replace(gen_random_uuid()::text, '-', ''),
        '\x{Frontier().encode().hex()}', '\x{EMPTY_ROOT.hex()}'
    )
    """,  # noqa: S608
    """
    CREATE TRIGGER ledger_head_only_grows BEFORE UPDATE ON ledger.ledger_head FOR EACH ROW
    WHEN (
        NEW.position < OLD.position OR NEW.recorded_us < OLD.recorded_us OR NEW.origin <> OLD.origin
        OR encode(substr(NEW.frontier, 1, 8), 'hex') <> lpad(to_hex(NEW.position), 16, '0')
        OR (NEW.position = OLD.position AND (NEW.frontier <> OLD.frontier OR NEW.root <> OLD.root))
    )
    EXECUTE FUNCTION ledger.refuse('the head of the log only grows, and its tree with it')
    """,
    """
    CREATE TRIGGER ledger_head_no_delete BEFORE DELETE OR TRUNCATE ON ledger.ledger_head
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse('the log has one head')
    """,
    """
    CREATE TABLE ledger.checkpoints (
        number bigint PRIMARY KEY,
        size bigint NOT NULL,
        kept_us bigint NOT NULL,
        note bytea NOT NULL
    )
    """,
    """
    CREATE TRIGGER checkpoints_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse('a checkpoint that was seen never changes and is never removed')
    """,
)
CREATE = (*EVENTS, *HEAD, *postgres_keys.CREATE, *postgres_besides.CREATE)
TRIGGERS = frozenset(statement.split()[2] for statement in CREATE if statement.split()[1] == "TRIGGER")


def version(connection: Connection) -> int | None:
    """The schema version of the ledger in this database; None where there is none yet."""
    # Asked of the tables, not of to_regclass: that may remember for the whole transaction that there was none.
    if connection.execute("SELECT FROM pg_tables WHERE schemaname = 'ledger' AND tablename = 'ledger_head'").fetchone() is None:
        return None
    ((found,),) = connection.execute("SELECT schema_version FROM ledger.ledger_head")
    return int(found)


def create(connection: Connection) -> None:
    """Create the tables in the connection's transaction, unless another process just did."""
    _wait_for_others(connection)
    if version(connection) is None:
        # Asked first: who may not create schemas may still have been given this one.
        if connection.execute("SELECT FROM pg_namespace WHERE nspname = 'ledger'").fetchone() is None:
            connection.execute("CREATE SCHEMA ledger")
        for statement in CREATE:
            connection.execute(statement)
        postgres_besides.count(connection)


def upgrade(connection: Connection) -> None:
    """Bring the tables to ``SCHEMA_VERSION`` in the connection's transaction; appends wait, 5 us an event, in little memory."""
    _wait_for_others(connection)
    connection.execute("LOCK TABLE ledger.ledger_head IN ACCESS EXCLUSIVE MODE")
    for older in range(version(connection) or 0, SCHEMA_VERSION):  # asked again: another process may just have done it
        UPGRADES[older](connection)


def _wait_for_others(connection: Connection) -> None:
    """Until no other process creates or upgrades these tables, however long it is at it; sessions that do nothing are not waited for so."""
    connection.execute("SET LOCAL lock_timeout = 0")
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (CREATE_LOCK,))
    connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")


def _add_tree(connection: Connection) -> None:
    ((position, recorded_us),) = connection.execute("SELECT position, recorded_us FROM ledger.ledger_head")
    connection.execute("DROP TABLE ledger.ledger_head")
    for statement in HEAD:
        connection.execute(statement)
    tree, page = Frontier(), "SELECT * FROM ledger.events WHERE position > %s ORDER BY position LIMIT %s"
    with connection.cursor(binary=True) as cursor:
        while rows := cursor.execute(page, (tree.size, PAGE_EVENTS)).fetchall():
            tree = tree.extended(hash_row(*row) for row in rows)
    head = (position, recorded_us, tree.encode(), tree.root())
    connection.execute("UPDATE ledger.ledger_head SET position = %s, recorded_us = %s, frontier = %s, root = %s", head)


def _add_keys(connection: Connection) -> None:
    for statement in postgres_keys.CREATE:
        connection.execute(statement)
    connection.execute("UPDATE ledger.ledger_head SET schema_version = 3")


def _add_sums(connection: Connection) -> None:
    connection.execute("LOCK TABLE ledger.checkpoints IN EXCLUSIVE MODE")
    for statement in postgres_besides.CREATE:
        connection.execute(statement)
    postgres_besides.count(connection)
    connection.execute("UPDATE ledger.ledger_head SET schema_version = 4")


def _number_keys_of_letters(connection: Connection) -> None:
    """Letters gain a column, and keys a sum; what was altered before stays known as altered."""
    before = postgres_besides.total_of(connection, "dead_letters")
    connection.execute("ALTER TABLE ledger.dead_letters ADD COLUMN key_number bigint")
    connection.execute(PLAIN_LETTERS)
    postgres_besides.recount(connection, "dead_letters", before)
    postgres_besides.count(connection, ["keys"])
    connection.execute("UPDATE ledger.ledger_head SET schema_version = 5")


RENEWED = rf"""
    CREATE FUNCTION ledger.renewed(former bytea, state bytea) RETURNS bytea LANGUAGE plpgsql AS $$
    DECLARE event json; id text; digest bytea; near text;
    BEGIN
        event := convert_from(state, 'UTF8')::json;
        id := event ->> 'id';
        digest := sha256(convert_to(event ->> 'source', 'UTF8') || '\x00' || convert_to(id, 'UTF8'));
        IF substr(digest, 1, {DIGEST_BYTES}) IS DISTINCT FROM former
            OR (length(id) = {UUID_LENGTH} AND substr(id, {VERSION_AT + 1}, 1) = '{RANDOM}') THEN
            RETURN former;
        END IF;
        near := left(ltrim(id, '{BEFORE_DIGITS.replace("'", "''")}'), {NEAR_BYTES});
        RETURN substr(convert_to(near, 'UTF8'), 1, {NEAR_BYTES}) || substr(digest, 1, {SURE_BYTES});
    EXCEPTION WHEN data_exception THEN
        RETURN former;
    END $$
"""
"""``schemas.identity.renewed``, where the events are."""


def _renew_identities(connection: Connection) -> None:
    """Write the log anew, with identities as they are made today."""
    connection.execute(RENEWED)
    connection.execute("ALTER TABLE ledger.stored_events ALTER COLUMN identity TYPE bytea USING ledger.renewed(identity, state)")
    connection.execute("DROP FUNCTION ledger.renewed")
    connection.execute("UPDATE ledger.ledger_head SET schema_version = 6")


UPGRADES: dict[int, Callable[[Connection], None]] = {
    1: _add_tree,
    2: _add_keys,
    3: _add_sums,
    4: _number_keys_of_letters,
    5: _renew_identities,
}
"""By version: what leads to the next one."""


def inspect(cursor: Cursor, place: str) -> Findings:
    """Find out what ``check`` judges. PostgreSQL looks for damage by tools of its own (amcheck, data checksums)."""
    cursor.execute(  # in one statement, so that all three are of one moment
        "SELECT position, (SELECT coalesce(max(notification_id), 0) FROM ledger.stored_events),"
        " (SELECT count(*) FROM ledger.stored_events) FROM ledger.ledger_head"
    )
    ((head, highest, count),) = cursor
    cursor.execute(
        "SELECT position + 1 FROM (SELECT 0 AS position UNION ALL SELECT notification_id FROM ledger.stored_events) AS event"
        " WHERE position < %s AND NOT EXISTS (SELECT FROM ledger.stored_events WHERE notification_id = event.position + 1) LIMIT %s",
        (highest if count < highest else 0, NAMED_MAX),
    )
    gaps = [position for (position,) in cursor]
    cursor.execute(
        "SELECT originator_id FROM ledger.stored_events GROUP BY originator_id"
        " HAVING count(*) <> max(originator_version) OR min(originator_version) <> 1 LIMIT %s",
        (NAMED_MAX,),
    )
    uneven = [relationship for (relationship,) in cursor]
    cursor.execute(
        "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE relnamespace = 'ledger'::regnamespace AND tgenabled IN ('O', 'A')"
    )
    unguarded = sorted(TRIGGERS - {name for (name,) in cursor})
    return Findings(place, head, highest, count, gaps=gaps, uneven=uneven, unguarded=unguarded)
