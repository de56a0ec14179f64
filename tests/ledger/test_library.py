"""eventsourcing's own tools read our log, and are refused where they would write."""

import threading

import pytest
from eventsourcing.application import LocalNotificationLog
from eventsourcing.persistence import Notification, NotSupportedError, ProcessRecorder, StoredEvent, Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresProcessRecorder
from eventsourcing.sqlite import SQLiteDatastore, SQLiteProcessRecorder
from psycopg.conninfo import conninfo_to_dict

from ledger.interface import Delivered
from ledger.ledger import Ledger
from tests.ledger.events import everything, touchpoint, touchpoints


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    ledger.append(touchpoints(25), delivered=[Delivered("kafka/t/0", None, 25)])
    return ledger


def library_recorder(url: str) -> SQLiteProcessRecorder | PostgresProcessRecorder:
    """A recorder of the library's own, that has never heard of us, on our store."""
    if url.startswith("sqlite"):
        recorder = SQLiteProcessRecorder(SQLiteDatastore(url.removeprefix("sqlite:///"), originator_id_type="text"))
        recorder.create_table()
        return recorder
    at = conninfo_to_dict(url)
    datastore = PostgresDatastore(
        str(at["dbname"]),
        str(at["host"]),
        str(at["port"]),
        str(at["user"]),
        str(at["password"]),
        schema="ledger",
        originator_id_type="text",
        pool_size=2,  # the subscription keeps one to listen on
    )
    return PostgresProcessRecorder(datastore, events_table_name="stored_events", tracking_table_name="tracking")


def assert_reads_the_log(recorder: ProcessRecorder, ledger: Ledger) -> None:
    log = everything(ledger)
    notifications = recorder.select_notifications(start=1, limit=100)
    assert [(n.id, n.originator_id, n.originator_version, n.topic, n.state) for n in notifications] == [
        (event.position, event.relationship, event.version, event.type, event.event) for event in log
    ]
    assert recorder.max_notification_id() == 25
    assert recorder.select_events("customer/3", gt=1) == [
        StoredEvent(event.relationship, event.version, event.type, event.event) for event in ledger.history("customer/3", after_version=1)
    ]
    assert recorder.max_tracking_id("kafka/t/0") == 25
    assert recorder.has_tracking_id("kafka/t/0", 25)
    walk = LocalNotificationLog(recorder, section_size=10)
    sections = [walk["1,10"], walk["11,20"], walk["21,30"]]
    assert [notification.id for section in sections for notification in section.items] == list(range(1, 26))


def test_the_recorders_inherited_methods_read_the_log(filled: Ledger) -> None:
    assert isinstance(filled.recorder, ProcessRecorder)
    assert_reads_the_log(filled.recorder, filled)


def test_the_librarys_own_recorders_read_the_log_and_leave_it_as_it_is(filled: Ledger, url: str) -> None:
    recorder = library_recorder(url)
    assert_reads_the_log(recorder, filled)
    recorder.datastore.close()
    filled.append([touchpoint("after")])
    assert filled.next_offsets(["kafka/t/0"]) == {"kafka/t/0": 25}


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_the_librarys_subscription_is_woken_by_an_append(filled: Ledger, url: str) -> None:
    recorder = library_recorder(url)
    assert isinstance(recorder, PostgresProcessRecorder)
    received: list[Notification] = []
    with recorder.subscribe(gt=24) as subscription:
        received.append(next(subscription))
        appending = threading.Timer(0.2, filled.append, [[touchpoint("late")]])
        appending.start()
        received.append(next(subscription))
        appending.join()
    recorder.datastore.close()
    assert [notification.id for notification in received] == [25, 26]


def test_the_librarys_way_of_writing_is_refused(filled: Ledger) -> None:
    recorder = filled.recorder
    with pytest.raises(NotSupportedError, match=r"Ledger\.append"):
        recorder.insert_events([StoredEvent("customer/1", 99, "t", b"{}")])
    with pytest.raises(NotSupportedError, match=r"Ledger\.append"):
        recorder.insert_tracking(Tracking("kafka/t/0", 99))
    assert filled.head().position == 25
    assert filled.next_offsets(["kafka/t/0"]) == {"kafka/t/0": 25}
