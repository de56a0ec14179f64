"""The tables of a SQLite ledger, and the triggers by which the database itself refuses to change history.

``stored_events`` and ``tracking`` are eventsourcing's, with its columns, so that its own tools can read the log; ``rowid`` is the
position, declared because VACUUM renumbers an undeclared one. The view ``events`` has the ledger's own names.

An event is accepted only at a position that ``ledger_head`` has reserved behind its own, with the next version of its relationship and an
identity that is new. Nothing but the position is unique: that leaves ``INSERT OR REPLACE``, which fires no delete trigger, nothing to
replace. Then the head moves, over all that it reserved. The Merkle tree stands in the head, and moves only together with it. Checkpoints
are only added. The table of keys is in ``sqlite_keys.py``.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from ledger import sqlite_besides, sqlite_keys
from ledger.check import NAMED_MAX, Findings
from ledger.proof.leaf import hash_row
from ledger.proof.merkle import EMPTY_ROOT, Frontier
from schemas.errors import SettingsError, StoreNewerError
from schemas.identity import renewed

APPLICATION_ID = 0x524C4544  # "RLED" in the file's header: this file is a ledger of ours
SCHEMA_VERSION = 7  # in the file's header as user_version
PAGE_EVENTS = 5_000  # hashed at once by an upgrade: a few MB

LOG = (
    """
    CREATE TABLE stored_events (
        rowid INTEGER PRIMARY KEY,
        originator_id TEXT NOT NULL,
        originator_version INTEGER NOT NULL,
        topic TEXT NOT NULL,
        recorded_us INTEGER NOT NULL,
        identity BLOB NOT NULL,
        state BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX stored_events_versions ON stored_events (originator_id, originator_version)",
    "CREATE INDEX stored_events_identities ON stored_events (identity)",
    """
    CREATE VIEW events (position, relationship, version, type, recorded_us, event) AS
        SELECT rowid, originator_id, originator_version, topic, recorded_us, state FROM stored_events
    """,
    # After, not before: no row is copied for it. ROLLBACK, not ABORT: a statement that may abort alone keeps a copy of every page.
    """
    CREATE TRIGGER stored_events_only_next AFTER INSERT ON stored_events WHEN
        NOT EXISTS (SELECT 1 FROM ledger_head WHERE NEW.rowid > position AND NEW.rowid <= reserved)
        OR EXISTS (SELECT 1 FROM stored_events WHERE identity = NEW.identity AND rowid < NEW.rowid)
        OR NEW.originator_version IS NOT 1 + coalesce((
            SELECT originator_version FROM stored_events
            WHERE originator_id = NEW.originator_id AND originator_version <= NEW.originator_version AND rowid < NEW.rowid
            ORDER BY originator_version DESC LIMIT 1
        ), 0)
    BEGIN SELECT RAISE(ROLLBACK, 'immutable: events are added by the ledger alone, by position, version and identity'); END
    """,
    """
    CREATE TRIGGER stored_events_no_update BEFORE UPDATE ON stored_events
    BEGIN SELECT RAISE(ABORT, 'immutable: an event never changes; append a ledger.correction.v1'); END
    """,
    """
    CREATE TRIGGER stored_events_no_delete BEFORE DELETE ON stored_events
    BEGIN SELECT RAISE(ABORT, 'immutable: an event is never removed; append a ledger.correction.v1'); END
    """,
)
HEAD = (
    """
    CREATE TABLE ledger_head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        position INTEGER NOT NULL,
        reserved INTEGER NOT NULL,
        recorded_us INTEGER NOT NULL,
        origin TEXT NOT NULL,
        frontier BLOB NOT NULL,
        root BLOB NOT NULL
    ) STRICT
    """,
    f"""
    INSERT INTO ledger_head VALUES
        (1, 0, 0, 0, 'relationship-ledger/' || lower(hex(randomblob(16))), x'{Frontier().encode().hex()}', x'{EMPTY_ROOT.hex()}')
    """,  # noqa: S608
)
HEAD_GUARDS = (
    """
    CREATE TRIGGER ledger_head_only_grows BEFORE UPDATE ON ledger_head
        WHEN NEW.one IS NOT 1 OR NEW.position < OLD.position OR NEW.recorded_us < OLD.recorded_us OR NEW.origin IS NOT OLD.origin
        OR hex(substr(NEW.frontier, 1, 8)) IS NOT printf('%016X', NEW.position)
        OR (NEW.position = OLD.position AND (NEW.frontier IS NOT OLD.frontier OR NEW.root IS NOT OLD.root))
        OR NEW.reserved < OLD.reserved OR (NEW.reserved > OLD.reserved AND OLD.reserved > OLD.position)
    BEGIN SELECT RAISE(ABORT, 'immutable: the head of the log only grows, and its tree with it'); END
    """,
    """
    CREATE TRIGGER ledger_head_over_whole_appends BEFORE UPDATE ON ledger_head
        WHEN NEW.position > OLD.position AND (NEW.position IS NOT OLD.reserved OR NEW.reserved IS NOT OLD.reserved
        OR NEW.position - OLD.position IS NOT (SELECT count(*) FROM stored_events WHERE rowid > OLD.position))
    BEGIN SELECT RAISE(ROLLBACK, 'immutable: the head of the log moves over all the events that it reserved'); END
    """,
    """
    CREATE TRIGGER ledger_head_no_insert BEFORE INSERT ON ledger_head
    BEGIN SELECT RAISE(ABORT, 'immutable: the log has one head'); END
    """,
    """
    CREATE TRIGGER ledger_head_no_delete BEFORE DELETE ON ledger_head
    BEGIN SELECT RAISE(ABORT, 'immutable: the log has one head'); END
    """,
)
PLAIN_LETTERS = "CREATE INDEX dead_letters_plain ON dead_letters (number) WHERE key_number IS NULL"
BESIDE = (
    """
    CREATE TABLE tracking (
        application_name TEXT NOT NULL PRIMARY KEY,
        notification_id INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE dead_letters (
        number INTEGER PRIMARY KEY,
        recorded_us INTEGER NOT NULL,
        code TEXT NOT NULL,
        reason TEXT NOT NULL,
        origin TEXT NOT NULL,
        partition INTEGER,
        "offset" INTEGER,
        timestamp_ms INTEGER,
        "key" BLOB,
        headers BLOB NOT NULL,
        body BLOB,
        source TEXT,
        id TEXT,
        mark BLOB UNIQUE,
        replayed_us INTEGER,
        replayed_position INTEGER,
        key_number INTEGER
    ) STRICT
    """,
    PLAIN_LETTERS,
)
CHECKPOINTS = (
    """
    CREATE TABLE checkpoints (
        number INTEGER PRIMARY KEY,
        size INTEGER NOT NULL,
        kept_us INTEGER NOT NULL,
        note BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TRIGGER checkpoints_only_next BEFORE INSERT ON checkpoints
        WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM checkpoints)
    BEGIN SELECT RAISE(ABORT, 'immutable: checkpoints are added one after the other'); END
    """,
    """
    CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints
    BEGIN SELECT RAISE(ABORT, 'immutable: a checkpoint that was seen never changes'); END
    """,
    """
    CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints
    BEGIN SELECT RAISE(ABORT, 'immutable: a checkpoint that was seen is never removed'); END
    """,
)
CREATE = (*LOG, *HEAD, *HEAD_GUARDS, *BESIDE, *CHECKPOINTS, *sqlite_keys.CREATE, *sqlite_besides.CREATE)
_REFUSES_REPEATS = "stored_events_only_next"
TRIGGERS = {statement.split()[2]: statement for statement in CREATE if statement.split()[1] == "TRIGGER"}  # by name


def version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of the ledger in the file; 0 while it is empty, or another process is just making it.

    Raises:
        SettingsError: the file is not a ledger.
        StoreNewerError: a newer version of this program wrote it.
    """
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema")  # first: another process may be creating them
    ((application,),) = connection.execute("PRAGMA application_id")
    ((found,),) = connection.execute("PRAGMA user_version")
    if tables and application != APPLICATION_ID:
        raise SettingsError(f"{path} is a SQLite file but not a ledger: name another one")
    if found > SCHEMA_VERSION:
        raise StoreNewerError(str(path), found, SCHEMA_VERSION)
    return found if tables else 0


def sign(writer: sqlite3.Connection) -> None:
    """Write into the file's header that it is a ledger of ``SCHEMA_VERSION``, in the transaction under way."""
    writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def upgrade(writer: sqlite3.Connection, found: int) -> None:
    """Bring a file of version ``found`` to ``SCHEMA_VERSION``, in the transaction under way; 3 to 10 us an event, in little memory."""
    for older in range(found, SCHEMA_VERSION):
        if step := UPGRADES.get(older):
            step(writer)


def _add_tree(writer: sqlite3.Connection) -> None:
    ((position, recorded_us),) = writer.execute("SELECT position, recorded_us FROM ledger_head")
    tree, page = Frontier(), "SELECT * FROM events WHERE position > ? ORDER BY position LIMIT ?"
    while rows := writer.execute(page, (tree.size, PAGE_EVENTS)).fetchall():
        tree = tree.extended(hash_row(*row) for row in rows)
    _renew_head(writer, position, recorded_us, None, tree.encode(), tree.root())
    for statement in CHECKPOINTS:
        writer.execute(statement)


def _add_keys(writer: sqlite3.Connection) -> None:
    for statement in sqlite_keys.CREATE:
        writer.execute(statement)


def _add_sums(writer: sqlite3.Connection) -> None:
    for statement in sqlite_besides.CREATE:
        writer.execute(statement)
    sqlite_besides.count(writer)


def _write_anew(writer: sqlite3.Connection) -> None:
    """Write the log anew: with identities as they are made today, and nothing unique by which ``INSERT OR REPLACE`` could find a row."""
    head = writer.execute("SELECT position, recorded_us, origin, frontier, root FROM ledger_head").fetchone()
    guards = writer.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('stored_events', 'ledger_head')"
    ).fetchall()
    for (name,) in guards:
        writer.execute(f"DROP TRIGGER {name}")
    table, *rest = LOG
    writer.execute("DROP VIEW events")
    writer.execute("ALTER TABLE stored_events RENAME TO former")
    writer.execute(table)
    writer.create_function("renewed", 2, renewed, deterministic=True)
    kept = "rowid, originator_id, originator_version, topic, recorded_us, state"
    writer.execute(f"INSERT INTO stored_events ({kept}, identity) SELECT {kept}, renewed(identity, state) FROM former ORDER BY rowid")  # noqa: S608  # names of ours
    writer.execute("DROP TABLE former")
    for statement in rest:
        writer.execute(statement)
    _renew_head(writer, *head)


def _renew_head(writer: sqlite3.Connection, position: int, recorded_us: int, origin: str | None, frontier: bytes, root: bytes) -> None:  # noqa: PLR0917  # a row's
    """Make the head as it is made today. ``origin`` None: a new name."""
    writer.execute("DROP TABLE ledger_head")
    for statement in HEAD:
        writer.execute(statement)
    writer.execute(
        "UPDATE ledger_head SET position = ?1, reserved = ?1, recorded_us = ?2, origin = coalesce(?3, origin), frontier = ?4, root = ?5",
        (position, recorded_us, origin, frontier, root),
    )
    for statement in HEAD_GUARDS:
        writer.execute(statement)


def _number_keys_of_letters(writer: sqlite3.Connection) -> None:
    """Letters gain a column, and keys a sum; what was altered before stays known as altered."""
    before = sqlite_besides.total_of(writer, "dead_letters")
    writer.execute("ALTER TABLE dead_letters ADD COLUMN key_number INTEGER")
    writer.execute(PLAIN_LETTERS)
    sqlite_besides.recount(writer, "dead_letters", before)
    sqlite_besides.count(writer, ["keys"])


UPGRADES: dict[int, Callable[[sqlite3.Connection], None]] = {
    1: _add_tree,
    2: _add_keys,
    3: _add_sums,
    5: _number_keys_of_letters,
    6: _write_anew,
}
"""By version: what leads to the next one; what made a 5 of a 4, the 6 does as well."""


def refuses_repeats(connection: sqlite3.Connection) -> bool:
    """Whether the trigger is as it was made by which the database refuses an identity that it knows: what appends may rely on."""
    found = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (_REFUSES_REPEATS,))
    return found.fetchall() == [(TRIGGERS[_REFUSES_REPEATS].strip(),)]


def index_sums(reader: sqlite3.Connection) -> tuple[int, int]:
    """As ``LedgerRecorder.index_sums``. A quarter of the time of ``PRAGMA integrity_check``, which looks up each row in each index."""
    by_identity = "SELECT identity, rowid FROM stored_events INDEXED BY stored_events_identities ORDER BY identity"
    by_version = (
        "SELECT CAST(originator_id AS BLOB), rowid * 31 + originator_version FROM stored_events INDEXED BY stored_events_versions"
        " ORDER BY originator_id, originator_version"
    )
    return _crc_sum(reader, by_identity), _crc_sum(reader, by_version)


def _crc_sum(reader: sqlite3.Connection, entries: str) -> int:
    total, cursor = 0, reader.execute(entries)
    while page := cursor.fetchmany(PAGE_EVENTS):
        keys, numbers = zip(*page, strict=True)
        total += sum(map(crc32, keys, numbers))
    return total


def inspect(reader: sqlite3.Connection, place: str) -> Findings:
    """Find out what ``check`` judges; nothing more where pages are damaged."""
    if damage := _damage(reader):
        return Findings(place, damage=damage)
    ((head, reserved, highest, count),) = reader.execute(  # in one statement, so that all are of one moment
        "SELECT position, reserved, (SELECT coalesce(max(rowid), 0) FROM stored_events), (SELECT count(*) FROM stored_events)"
        " FROM ledger_head"
    )
    gaps = reader.execute(
        "SELECT rowid + 1 FROM (SELECT 0 AS rowid UNION ALL SELECT rowid FROM stored_events) AS event WHERE rowid < ?1"
        " AND NOT EXISTS (SELECT 1 FROM stored_events WHERE rowid = event.rowid + 1) LIMIT ?2",
        (highest if count < highest else 0, NAMED_MAX),
    )
    uneven = reader.execute(
        "SELECT originator_id FROM stored_events GROUP BY originator_id"
        " HAVING count(*) <> max(originator_version) OR count(DISTINCT originator_version) <> count(*)"
        " OR min(originator_version) <> 1 LIMIT ?",
        (NAMED_MAX,),
    )
    triggers = dict(reader.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall())
    return Findings(
        place,
        head if reserved == highest else reserved,  # neither may differ
        highest,
        count,
        gaps=[position for (position,) in gaps],
        uneven=[relationship for (relationship,) in uneven],
        unguarded=sorted(name for name, statement in TRIGGERS.items() if triggers.get(name) != statement.strip()),
    )


def _damage(reader: sqlite3.Connection) -> list[str]:
    try:
        return [words for (words,) in reader.execute("PRAGMA quick_check") if words != "ok"]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        return [str(error)]
