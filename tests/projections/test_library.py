"""eventsourcing's own projection classes follow our log on PostgreSQL, and give the rows of a view of ours.

Nothing of ours takes part but the events and the fold: the library's application subscribes, its runner feeds its projection, its tracking
recorder keeps the position in the view's own transaction, and goes on from there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent, Tracking, Transcoder
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ledger.ledger import Ledger
from projections.complaints import COMPLAINTS, State
from projections.runner import Runner
from projections.views import Views
from schemas.catalogue import Complaint
from schemas.records import recorded
from schemas.touchpoint import Recorded, Stored
from service.sample.generator import generate
from tests.projections.events import NOW, SEED

TOPICS = ("relationship.complaint.v1", "relationship.complaint-resolved.v1")
PATIENCE_S = 30.0


class TouchpointMapper(Mapper[str]):
    """Their events are what a fold of ours takes; when they were recorded, the library's columns do not say."""

    def to_domain_event(self, stored_event: StoredEvent) -> Any:  # the library wants a type of its own
        position = stored_event.id  # type: ignore[attr-defined]  # of a notification
        stored = stored_event.originator_id, stored_event.originator_version, stored_event.topic
        return recorded(Stored(position, *stored, 0, stored_event.state))  # type: ignore[arg-type]


class Touchpoints(Application[str]):
    """The library's application over our log."""

    name = "stored"  # it reads stored_events

    def construct_mapper(self) -> TouchpointMapper:
        return TouchpointMapper(self.construct_transcoder())

    def construct_transcoder(self) -> Transcoder:
        return JSONTranscoder()


class ComplaintsView(PostgresTrackingRecorder):
    """The library's materialised view: states by key, and how far it is."""

    def __init__(self, datastore: Any, **named: Any) -> None:  # as the library hands them on
        super().__init__(datastore, **named)
        self.rows = sql.Identifier(datastore.schema, "complaint_states")
        create = sql.SQL("CREATE TABLE IF NOT EXISTS {} (key text PRIMARY KEY, state bytea NOT NULL)")
        self.sql_create_statements.append(create.format(self.rows))

    def states(self) -> dict[str, State]:
        with self.datastore.transaction() as cursor:
            cursor.execute(sql.SQL("SELECT key, state FROM {}").format(self.rows))
            return {row["key"]: msgspec.msgpack.decode(row["state"], type=State) for row in cursor.fetchall()}

    def fold(self, event: Recorded, tracking: Tracking) -> None:
        key = COMPLAINTS.row_key(event)
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute(sql.SQL("SELECT state FROM {} WHERE key = %s").format(self.rows), (key,))
            found = cursor.fetchone()
            state = COMPLAINTS.fold(None if found is None else msgspec.msgpack.decode(found["state"], type=State), [event])
            put = sql.SQL("INSERT INTO {} VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET state = excluded.state").format(self.rows)
            cursor.execute(put, (key, msgspec.msgpack.encode(state)))
            self._insert_tracking(cursor, tracking)


class Complaints(Projection[ComplaintsView]):
    """The library's projection, our fold."""

    name = "complaints"
    topics: ClassVar[tuple[str, ...]] = TOPICS  # type: ignore[misc]  # the library says it less exactly

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:  # as in the library
        self.view.fold(domain_event, tracking)


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[Ledger]:
    with Ledger.open(postgres_url, clock=lambda: NOW) as ledger:
        yield ledger


def environment(url: str) -> dict[str, str]:
    at = conninfo_to_dict(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        **{f"POSTGRES_{name.upper()}": str(at[name]) for name in ("dbname", "host", "port", "user", "password")},
        "POSTGRES_SCHEMA": "ledger",
        "POSTGRES_ORIGINATOR_ID_TYPE": "text",
        "CREATE_TABLE": "no",  # ours are there
        "COMPLAINTS_POSTGRES_SCHEMA": "public",
        "COMPLAINTS_CREATE_TABLE": "yes",
    }


def followed(url: str, upto: int) -> dict[str, State]:
    """What the library's projection has once it has got there."""
    with ProjectionRunner(
        application_class=Touchpoints, projection_class=Complaints, view_class=ComplaintsView, env=environment(url)
    ) as runner:
        runner.wait(upto, timeout=PATIENCE_S)
        return runner.view.states()


def test_the_librarys_projection_gives_the_rows_of_ours_and_goes_on_where_it_was(ledger: Ledger, postgres_url: str, tmp_path: Path) -> None:
    touchpoints = list(generate(SEED, NOW))
    complaints = [one for one in touchpoints if one.type in TOPICS][:120]
    for some in ([*touchpoints[:300], *complaints[:70]], complaints[70:]):
        ledger.append(some)
        newest = max(one.position for one in ledger.read(after=0, limit=1_000) if one.type in TOPICS)
        states = followed(postgres_url, newest)  # each time by another process of theirs
        assert states == ours(ledger, tmp_path)
    assert len(states) > 50
    assert {type(state.opening or state.resolution) for state in states.values()} == {Complaint}


def ours(ledger: Ledger, folder: Path) -> dict[str, State]:
    """The states of our view, by key."""
    views = Views.open(folder / "views.db")
    runner = Runner(ledger, views, [COMPLAINTS], clock=lambda: NOW)
    runner.catch_up()
    runner.close()
    found = {one.row.complaint: one.state for one in views.select(COMPLAINTS, state=True)}
    views.close()
    return found
