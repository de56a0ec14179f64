"""What only a server can do: lose connections and answers, be locked, down, foreign."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

import ledger.postgres_connections as connections
from ledger import postgres_append, postgres_appender
from ledger.interface import Appended, Delivered
from ledger.ledger import Ledger
from schemas.errors import OvertakenError, SettingsError, StoreNewerError, StoreUnavailableError
from tests.ledger.events import Clock, assert_orderly, everything, letter, positions, touchpoint, touchpoints

pytestmark = pytest.mark.parametrize("url", ["postgres"], indirect=True)

STREAM = "kafka/topic-id/touchpoints/0"
OTHERWISE = {
    "statement_timeout": "1min",
    "idle_session_timeout": "1min",
    "standard_conforming_strings": "off",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "serializable",
    "synchronous_commit": "off",
    "enable_seqscan": "on",
    "lock_timeout": "1min",
}

Server = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def plain_role(url: str, server: Server) -> Iterator[tuple[str, str]]:
    """The name and the URL of a role that may do nothing but log in."""
    role = f"plain_{server.info.dbname}"
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'".encode())
    yield role, urlsplit(url)._replace(netloc=f"{role}:plain@{server.info.host}:{server.info.port}").geturl()
    server.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


def end_sessions(server: Server) -> None:
    """End every session of the ledger's."""
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rledger' AND datname = current_database()"
    )


@pytest.fixture
def lose_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The next COMMIT loses its connection, ``done`` or not, and ``meanwhile`` something else happens."""

    def lose(*, done: bool, meanwhile: Callable[[], object] = lambda: None) -> None:
        execute = psycopg.Cursor.execute

        def lossy(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            if query != "COMMIT":
                return execute(self, query, *arguments, **options)
            monkeypatch.setattr(psycopg.Cursor, "execute", execute)
            if done:
                with self.connection.pipeline():  # sent with what waits in the one around it, and answered
                    execute(self, query)
            self.connection.close()
            meanwhile()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(psycopg.Cursor, "execute", lossy)

    return lose


@pytest.mark.parametrize("done", [True, False], ids=["made", "not made"])
def test_a_commit_without_an_answer_is_looked_up_and_made_once(ledger: Ledger, lose_commit: Callable[..., None], done: bool) -> None:
    ledger.append(touchpoints(3), delivered=[Delivered(STREAM, None, 3)])
    lose_commit(done=done)
    answer = ledger.append(touchpoints(4, start=3), delivered=[Delivered(STREAM, 3, 7)], dead_letters=[letter(None)])
    assert answer == [
        Appended(3, duplicate=True),
        Appended(4, duplicate=False),
        Appended(5, duplicate=False),
        Appended(6, duplicate=False),
    ]
    assert_orderly(everything(ledger))
    assert ledger.next_offsets([STREAM]) == {STREAM: 7}
    assert len(ledger.dead_letters(limit=10)) == 1


@pytest.mark.parametrize("done", [True, False], ids=["made", "not made"])
def test_a_commit_of_dead_letters_alone_is_looked_up_too(ledger: Ledger, lose_commit: Callable[..., None], done: bool) -> None:
    lose_commit(done=done)
    ledger.append([], dead_letters=[letter(None)], delivered=[Delivered(STREAM, None, 1)])
    assert len(ledger.dead_letters(limit=10)) == 1


@pytest.mark.parametrize("done", [True, False], ids=["made", "not made"])
def test_a_commit_of_offsets_alone_is_looked_up_too(ledger: Ledger, lose_commit: Callable[..., None], done: bool) -> None:
    lose_commit(done=done)
    ledger.append([], delivered=[Delivered(STREAM, None, 1)])
    assert ledger.next_offsets([STREAM]) == {STREAM: 1}


def test_a_replay_without_an_answer_is_made_once(ledger: Ledger, lose_commit: Callable[..., None]) -> None:
    ledger.append([], dead_letters=[letter()])
    lose_commit(done=True)
    assert ledger.replay(1, touchpoint(1)) == Appended(1, duplicate=False)
    assert ledger.dead_letter(1).replayed_position == 1


def test_who_was_overtaken_while_its_commit_was_lost_learns_it(
    ledger: Ledger, open_ledger: Callable[[], Ledger], clock: Clock, lose_commit: Callable[..., None]
) -> None:
    other = open_ledger()

    def take_over() -> None:
        clock.now_us += 1
        other.append(touchpoints(5), delivered=[Delivered(STREAM, None, 5)])

    lose_commit(done=False, meanwhile=take_over)
    with pytest.raises(OvertakenError):
        ledger.append(touchpoints(3), delivered=[Delivered(STREAM, None, 3)])
    assert len(everything(ledger)) == 5


def test_sessions_ended_by_the_server_are_made_anew(ledger: Ledger, server: Server) -> None:
    for id_ in range(1, 4):
        assert positions(ledger.append([touchpoint(id_)])) == [id_]
        assert ledger.head().position == id_
        end_sessions(server)
    assert_orderly(everything(ledger))


def test_a_lost_notification_costs_a_second_at_most(ledger: Ledger, open_ledger: Callable[[], Ledger], server: Server) -> None:
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(ledger.wait(0, 20)))
    waiting.start()
    time.sleep(0.3)  # until it listens
    end_sessions(server)
    started = time.monotonic()
    open_ledger().append([touchpoint(1)])
    waiting.join()
    assert answers == [True]
    assert time.monotonic() - started < 3


def test_a_reader_that_is_never_notified_looks_by_itself(
    ledger: Ledger, open_ledger: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ledger.wait(0, 0.01) is False  # it listens now
    monkeypatch.setattr(postgres_append, "CHANNEL", "elsewhere")  # and hears nothing, as behind a pooler that shares sessions
    other = open_ledger()
    with ThreadPoolExecutor(1) as pool:
        for position in range(3):
            woken = pool.submit(ledger.wait, position, 20)
            other.append([touchpoint(position + 1)])
            assert woken.result() is True


def test_a_zombie_that_stops_holding_the_head_row_loses_it_and_finds_itself_overtaken(
    url: str, open_ledger: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_TIMEOUT_S", 1)
    stopped, wakes = threading.Event(), threading.Event()

    def stop() -> int:
        """Read the clock, within the transaction, and stop as SIGSTOP would."""
        stopped.set()
        assert wakes.wait(20)
        return 0

    with Ledger.open(url, clock=stop) as zombie, ThreadPoolExecutor(1) as pool:
        zombies_answer = pool.submit(zombie.append, touchpoints(3), delivered=[Delivered(STREAM, None, 3)])
        assert stopped.wait(10)
        other = open_ledger()
        assert positions(other.append(touchpoints(5), delivered=[Delivered(STREAM, None, 5)])) == [1, 2, 3, 4, 5]
        wakes.set()
        with pytest.raises(OvertakenError):
            zombies_answer.result()
        assert_orderly(everything(other))


def test_a_lock_held_for_long_is_told_and_nothing_is_kept(ledger: Ledger, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LOCK_TIMEOUT_S", 1)
    with server.transaction():
        server.execute("SELECT * FROM ledger.ledger_head FOR UPDATE")
        with pytest.raises(StoreUnavailableError, match="locked by another session"):
            ledger.append([touchpoint(1)])
    assert positions(ledger.append([touchpoint(1)])) == [1]


def test_a_server_that_stays_away_is_told(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_appender, "RETRY_S", 0.3)

    def refuse(_: str) -> connections.Connection:
        raise psycopg.OperationalError("connection refused")

    monkeypatch.setattr(postgres_appender, "connect", refuse)
    with pytest.raises(StoreUnavailableError, match="connection refused"):
        ledger.append([touchpoint(1)])
    monkeypatch.undo()
    assert positions(ledger.append([touchpoint(1)])) == [1]


def test_a_server_that_is_not_there_is_told_at_once_without_the_password(url: str, clock: Clock) -> None:
    absent = urlsplit(url)._replace(netloc="postgres:secret@127.0.0.1:1").geturl()
    with pytest.raises(StoreUnavailableError, match=r"postgresql://127\.0\.0\.1:1/") as refused:
        Ledger.open(absent, clock=clock)
    assert "secret" not in str(refused.value)


def test_a_url_that_is_none_is_told(url: str, clock: Clock) -> None:
    with pytest.raises(SettingsError, match=r"URL is wrong .*colour"):
        Ledger.open(f"{url}?colour=red", clock=clock)


@pytest.mark.parametrize("password", ["se@cret", "se/cret", "se%cret", "se cret"])
def test_a_password_that_was_not_written_as_urls_want_it_is_told_and_not_shown(url: str, clock: Clock, password: str) -> None:
    with pytest.raises(SettingsError, match="%40 for @") as refused:
        Ledger.open(urlsplit(url)._replace(netloc=f"rledger:{password}@127.0.0.1:1").geturl(), clock=clock)
    assert "cret" not in str(refused.value)


def test_what_role_and_database_default_to_changes_nothing(url: str, clock: Clock, plain_role: tuple[str, str], server: Server) -> None:
    role, theirs = plain_role
    server.execute(f"GRANT CREATE ON DATABASE {server.info.dbname} TO {role}".encode())
    for setting, value in OTHERWISE.items():
        server.execute(f"ALTER ROLE {role} SET {setting} = '{value}'".encode())
    for _ in range(2):
        with Ledger.open(theirs, clock=clock) as ledger_:
            ledger_.append(touchpoints(200), dead_letters=[letter(None, source="\N{LATIN CAPITAL LETTER Z WITH CARON}")])
            assert_orderly(everything(ledger_))
            assert ledger_.recorder.differing() == []
    with connections.connect(connections.parse(theirs)[0]) as connection:
        shown = {setting: connection.execute(f"SHOW {setting}".encode()).fetchone() for setting in OTHERWISE}
    assert not [setting for setting, value in OTHERWISE.items() if shown[setting] == (value,)], shown


@pytest.mark.parametrize("right", ["GRANT CREATE ON DATABASE {database} TO {role}", "CREATE SCHEMA ledger AUTHORIZATION {role}"])
def test_a_role_without_rights_is_told_and_one_that_owns_its_schema_needs_no_more(
    clock: Clock, server: Server, plain_role: tuple[str, str], right: str
) -> None:
    role, theirs = plain_role
    with pytest.raises(StoreUnavailableError, match=r"refuses us .* create the schemas ledger and views"):
        Ledger.open(theirs, clock=clock)
    server.execute(right.format(database=server.info.dbname, role=role).encode())
    with Ledger.open(theirs, clock=clock) as ledger_:
        assert positions(ledger_.append(touchpoints(3))) == [1, 2, 3]
        assert ledger_.wait(3, 0.01) is False


def test_a_newer_store_is_left_alone(ledger: Ledger, url: str, clock: Clock, server: Server) -> None:
    server.execute("UPDATE ledger.ledger_head SET schema_version = 99")
    with pytest.raises(StoreNewerError, match="schema version 99"):
        Ledger.open(url, clock=clock)


def test_one_that_only_reads_creates_nothing_and_appends_nothing(url: str, clock: Clock, server: Server) -> None:
    with pytest.raises(SettingsError, match="there is no ledger"):
        Ledger.open(url, clock=clock, read_only=True)
    assert server.execute("SELECT FROM pg_namespace WHERE nspname = 'ledger'").fetchone() is None
    Ledger.open(url, clock=clock).close()
    with Ledger.open(url, clock=clock, read_only=True) as reader:
        assert everything(reader) == []
        with pytest.raises(ValueError, match="read-only"):
            reader.append([touchpoint(1)])


def test_an_acknowledged_append_is_on_the_disk_whatever_the_server_defaults_to(url: str, server: Server) -> None:
    server.execute(f"ALTER DATABASE {server.info.dbname} SET synchronous_commit = off".encode())
    with connections.connect(url) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_a_repeat_is_known_also_where_somebody_took_a_constraint_away(ledger: Ledger, server: Server) -> None:
    assert positions(ledger.append(touchpoints(150))) == list(range(1, 151))
    server.execute("ALTER TABLE ledger.stored_events DROP CONSTRAINT stored_events_identity_key")
    assert positions(ledger.append(touchpoints(200))) == list(range(1, 201))
    assert positions(ledger.append(touchpoints(150, start=300))) == list(range(201, 351))
    assert positions(ledger.append(touchpoints(150, start=300))) == list(range(201, 351))
    assert_orderly(everything(ledger))
