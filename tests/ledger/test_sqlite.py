"""What only a file can do: be full, locked, damaged, foreign, moved."""

import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger import sqlite_connections as connections
from ledger.interface import Appended
from ledger.ledger import Ledger
from ledger.proof.leaf import hash_row
from ledger.proof.merkle import Frontier
from schemas.errors import ImmutableError, SettingsError, StoreNewerError, StoreOlderError, StoreUnavailableError
from schemas.identity import identity_of
from tests.ledger.events import Clock, assert_orderly, erasure, everything, letter, personal, positions, touchpoint, touchpoints, vault

FIXTURES = Path(__file__).parent.parent / "fixtures"

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.fixture
def path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process grows beyond ``size`` bytes meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 2_000, 40_000, 200_000])
def test_a_full_disk_keeps_nothing_of_the_append_and_the_ledger_works_after(ledger: Ledger, path: Path, room: int) -> None:
    ledger.append(touchpoints(10))
    before = everything(ledger)
    with file_size_limit(Path(f"{path}-wal").stat().st_size + room), pytest.raises(StoreUnavailableError, match="nothing was appended"):
        ledger.append(touchpoints(5_000, start=100), dead_letters=[letter()])
    assert everything(ledger) == before
    assert ledger.dead_letters(limit=10) == []
    assert positions(ledger.append(touchpoints(5_000, start=100))) == list(range(11, 5_011))
    assert_orderly(everything(ledger))
    assert ledger.check() == []


def test_a_limit_on_pages_is_told_as_no_space_left(ledger: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    writer = ledger.recorder._writer  # type: ignore[attr-defined]  # noqa: SLF001
    writer.execute("PRAGMA max_page_count = 30")
    with pytest.raises(StoreUnavailableError, match="no space left"):
        ledger.append(touchpoints(5_000))
    writer.execute("PRAGMA max_page_count = 1000000")
    assert positions(ledger.append([touchpoint(1)])) == [1]
    assert len(everything(open_ledger())) == 1


def test_a_lock_held_for_long_is_told_and_nothing_is_kept(ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LOCK_TIMEOUT_S", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="locked by another process"):
        ledger.append([touchpoint(1)])
    other.execute("ROLLBACK")
    other.close()
    assert ledger.append([touchpoint(1)]) == [Appended(1, duplicate=False)]


def test_an_append_waits_for_another_process_to_finish(ledger: Ledger, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.1, other.execute, ["COMMIT"])
    release.start()
    assert ledger.append([touchpoint(1)]) == [Appended(1, duplicate=False)]
    release.join()
    other.close()


def test_an_append_waits_no_longer_for_a_process_that_is_killed(ledger: Ledger, path: Path) -> None:
    program = f"""
import sqlite3, time
holder = sqlite3.connect({str(path)!r}, isolation_level=None)
holder.execute("BEGIN IMMEDIATE")
holder.execute("UPDATE ledger_head SET reserved = reserved + 7")
print("holds", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds\n"
        kill = threading.Timer(0.1, holder.kill)
        kill.start()
        assert ledger.append([touchpoint(1)]) == [Appended(1, duplicate=False)]
        assert holder.wait() == -signal.SIGKILL
    assert ledger.check() == []


def test_readers_never_wait_for_the_writer(ledger: Ledger, path: Path) -> None:
    ledger.append([touchpoint(1)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert len(everything(ledger)) == 1
    other.close()


def test_an_acknowledged_append_is_on_the_disk(ledger: Ledger) -> None:
    writer = ledger.recorder._writer  # type: ignore[attr-defined]  # noqa: SLF001
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: the write-ahead log is synced at every commit
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_new_ledger_is_its_owners_alone(path: Path, clock: Clock) -> None:
    deep = path.parent / "a b" / "ä?#%" / "ledger.db"
    quoted = str(deep).replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    with Ledger.open(f"sqlite:///{quoted}", clock=clock) as ledger_:
        ledger_.append([touchpoint(1)])
        files = list(deep.parent.iterdir())
        assert deep in files
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_path_is_relative_with_three_slashes(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    Ledger.open("sqlite:///here.db", clock=clock).close()
    assert (path.parent / "here.db").exists()


def test_positions_survive_a_vacuum(ledger: Ledger, path: Path) -> None:
    ledger.append(touchpoints(50))
    before = everything(ledger)
    connection = sqlite3.connect(path)
    connection.execute("VACUUM")
    connection.close()
    assert everything(ledger) == before
    assert positions(ledger.append([touchpoint("next")])) == [51]


def test_one_that_only_reads_creates_nothing(path: Path, clock: Clock) -> None:
    with pytest.raises(SettingsError, match="there is no ledger"):
        Ledger.open(f"sqlite:///{path}", clock=clock, read_only=True)
    assert not path.exists()


def test_one_that_only_reads_sees_appends_and_makes_none(ledger: Ledger, url: str, clock: Clock) -> None:
    with Ledger.open(url, clock=clock, read_only=True) as reader:
        ledger.append([touchpoint(1)])
        assert reader.wait(0, 5)
        assert everything(reader) == everything(ledger)
        with pytest.raises(ValueError, match="read-only"):
            reader.append([touchpoint(2)])
    assert ledger.head().position == 1


def test_a_newer_store_is_left_alone(ledger: Ledger, path: Path, url: str, clock: Clock) -> None:
    ledger.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for read_only in (False, True):
        with pytest.raises(StoreNewerError, match="schema version 99"):
            Ledger.open(url, clock=clock, read_only=read_only)


def test_another_programs_database_is_left_alone(path: Path, url: str, clock: Clock) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="not a ledger"):
        Ledger.open(url, clock=clock)
    assert path.read_bytes() == before


def test_a_file_of_another_kind_is_left_alone(path: Path, url: str, clock: Clock) -> None:
    path.write_bytes(b"name,amount\n" * 1_000)
    with pytest.raises(StoreUnavailableError, match="not a SQLite file"):
        Ledger.open(url, clock=clock)
    assert path.read_bytes() == b"name,amount\n" * 1_000


def test_a_folder_that_cannot_be_made_is_told(path: Path, clock: Clock) -> None:
    (path.parent / "file").touch()
    with pytest.raises(StoreUnavailableError, match="cannot be used"):
        Ledger.open(f"sqlite:///{path.parent / 'file' / 'ledger.db'}", clock=clock)


def test_a_ledger_closed_leaves_one_file(ledger: Ledger, path: Path) -> None:
    ledger.append(touchpoints(10))
    everything(ledger)
    ledger.close()
    assert list(path.parent.iterdir()) == [path]


def test_a_busy_thread_does_not_hold_up_appends(ledger: Ledger) -> None:
    """Python hands its lock over at every row that SQLite takes or gives; the appends must not depend on it."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            pass

    busy = threading.Thread(target=spin)
    busy.start()
    try:
        started = time.perf_counter()
        ledger.append(touchpoints(2_000))
        took_s = time.perf_counter() - started
    finally:
        stop.set()
        busy.join()
    assert took_s < 2  # one by one, 2,000 times Python's switch interval of 5 ms: over 10


def test_an_event_written_past_the_ledger_stops_it(ledger: Ledger, path: Path) -> None:
    ledger.append([touchpoint(1)])
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE ledger_head SET reserved = 5")
    connection.close()
    with pytest.raises(ImmutableError):
        ledger.append([touchpoint(2)])
    assert [event.position for event in everything(ledger)] == [1]


def test_a_file_that_is_just_being_made_is_no_ledger_yet(url: str, path: Path) -> None:
    path.touch()
    with pytest.raises(SettingsError, match="there is no ledger at"):
        Ledger.open(url, clock=lambda: 0, read_only=True)


def test_a_ledger_of_the_former_version_is_brought_up_to_date_and_says_what_it_said(
    path: Path, url: str, open_ledger: Callable[..., Ledger], clock: Clock
) -> None:
    """``ledger-v4.sql``: what the program of that version wrote, dumped; with a key destroyed, an offset, a letter, a checkpoint."""
    former = sqlite3.connect(path)
    former.executescript((FIXTURES / "ledger-v4.sql").read_text())
    head = former.execute("SELECT position, recorded_us, origin, frontier, root FROM ledger_head").fetchone()
    columns = "rowid, originator_id, originator_version, topic, recorded_us, state"
    rows = former.execute(f"SELECT {columns} FROM stored_events ORDER BY rowid").fetchall()
    former.close()
    with pytest.raises(StoreOlderError):
        Ledger.open(url, clock=clock, read_only=True)
    ledger_ = open_ledger(vault())
    assert ledger_.recorder.rows(0, 100) == [(*row, identity_of(row[5])) for row in rows]
    tree = ledger_.tree()
    assert (ledger_.head().position, ledger_.head().recorded_us, tree.origin, tree.frontier.encode(), tree.root) == head
    assert tree.frontier == Frontier().extended(hash_row(*row) for row in rows)
    assert ledger_.next_offsets(["kafka/a/0"]) == {"kafka/a/0": 13}
    assert [len(ledger_.dead_letters(limit=9)), len(ledger_.checkpoints())] == [1, 1]
    assert ledger_.check() == []
    assert ledger_.altered() == []
    assert positions(ledger_.append(touchpoints(14))) == [*range(1, 13), 16, 17]
    assert_orderly(everything(ledger_))
    assert "Ada Lovelace" in ledger_.history("customer/ada")[0].event.decode()
    assert "erased" in ledger_.history("customer/bob")[0].event.decode()
    assert ledger_.check() == []


def test_what_was_altered_before_an_upgrade_is_found_after_it(path: Path, url: str, open_ledger: Callable[..., Ledger]) -> None:
    former = sqlite3.connect(path)
    former.executescript((FIXTURES / "ledger-v4.sql").read_text())
    former.execute("UPDATE dead_letters SET origin = 'elsewhere'")
    former.commit()
    former.close()
    assert open_ledger(vault()).altered() == ["dead letters"]


def test_an_erasure_takes_as_many_steps_among_thousands_of_relationships_as_among_few(
    ledger: Ledger, open_ledger: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in instructions of SQLite's virtual machine, so that no clock and no neighbour plays a part."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connect = sqlite3.connect

    def counted(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_progress_handler(count, 1)
        return connection

    def erased(name: str) -> int:
        nonlocal steps
        before = steps
        eraser.erase(name, eraser.history_sealed(name)[-1].version, erasure(name))
        eraser.erase_letters(name)
        return steps - before

    filler = open_ledger(vault())
    filler.append([personal(number, f"customer/{number}") for number in range(10)], dead_letters=[letter()])
    monkeypatch.setattr(sqlite3, "connect", counted)
    eraser = open_ledger(vault())
    few = [erased(f"customer/{number}") for number in range(5)]
    filler.append([personal(number, f"customer/{number}") for number in range(10, 4_000)])
    many = [erased(f"customer/{number}") for number in range(2_000, 2_005)]
    assert many == few
