"""Backups hold all that counts, grow, survive being interrupted, and are refused where they are wrong; on both stores, and between them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.interface import Beside, DeadLetter, Delivered
from service import settings
from service.copies import backup, export
from service.stores import open_ledger
from tests.service.commands import Rledger, bare
from tests.service.copies.conftest import COUNT, fill
from tests.service.copies.test_export import alter

SEGMENT = 50


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files, so that a small ledger has several."""
    monkeypatch.setattr(backup, "SEGMENT_EVENTS", SEGMENT)
    monkeypatch.setattr(export, "PAGE_EVENTS", 16)
    monkeypatch.setattr(backup, "PAGE_EVENTS", 16)


@pytest.fixture(params=["sqlite", "postgres"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rledger]:
    """The command line where there is no ledger yet."""
    environ = bare(tmp_path / "other") | {"RLEDGER_ACTOR": "the keeper"}
    if request.param == "postgres":
        with request.getfixturevalue("postgres").database() as url:
            yield Rledger(environ | {"RLEDGER_STORE": url})
    else:
        yield Rledger(environ)


@pytest.fixture
def plain(tmp_path: Path) -> Rledger:
    """A ledger of ``COUNT`` events on SQLite, for what no store has a part in."""
    command = Rledger(bare(tmp_path / "data") | {"RLEDGER_ACTOR": "ada"})
    fill(command, 0, COUNT)
    return command


def backed_up(rledger: Rledger, folder: Path, *options: str) -> dict[str, Any]:
    (made,) = rledger.json("backup", str(folder), *options)
    return dict(made)


def besides(rledger: Rledger) -> list[Beside]:
    found: list[Beside] = []
    with open_ledger(settings.read(rledger.environ), read_only=True) as store:
        store.recorder.besides(found.append)
    return found


def files(folder: Path) -> dict[str, int]:
    """By name: the inode, which is another once a file was written anew."""
    return {path.name: path.stat().st_ino for path in folder.glob("events-*")}


def test_all_that_stands_beside_the_events_comes_back(ledger: Rledger, other: Rledger, tmp_path: Path) -> None:
    letters = [
        DeadLetter("not_json", "no JSON", "t", 0, 7, 1_700_000_000_000, b"k\x00", (("h", None), ("h", b"\xff")), b"{\x00", "s", "i"),
        DeadLetter("unreadable", "no codec", "t"),
    ]
    with open_ledger(settings.read(ledger.environ)) as store:
        store.append([], delivered=[Delivered("kafka/c/t/i/0", None, 8), Delivered("file/x", None, 99)], dead_letters=letters)
    made = backed_up(ledger, tmp_path / "backup")
    kept = besides(ledger)
    (restored,) = other.json("restore", str(tmp_path / "backup"))
    assert (restored["events"], restored["besides"], restored["keys"], restored["lost"]) == (made["events"], True, 1, 0)
    assert besides(other) == kept
    assert {one.table for one in kept} >= {"tracking", "dead_letters", "checkpoints"}
    assert other.json("verify")[0]["ok"]
    assert other.json("keys", "list") == ledger.json("keys", "list")
    shutil.copytree(tmp_path / "data" / "keys", tmp_path / "other" / "keys", dirs_exist_ok=True)  # with the master key, kept apart
    fill(other, COUNT, 5)
    assert other.json("deadletters", "list") == ledger.json("deadletters", "list")
    assert other("checkpoint").returncode == 0  # it signs, with the key of before


def test_a_second_backup_adds_what_is_new_and_leaves_what_is_there(ledger: Rledger, other: Rledger, tmp_path: Path) -> None:
    backed_up(ledger, tmp_path / "backup")
    first = files(tmp_path / "backup")
    fill(ledger, COUNT, 100)
    made = backed_up(ledger, tmp_path / "backup")
    second = files(tmp_path / "backup")
    full = {name for name in first if int(name[20:32]) % SEGMENT == 0}
    assert {name: first[name] for name in full} == {name: second[name] for name in full}
    assert len(full) == 2
    assert [one["name"] for one in made["files"] if one["name"].startswith("events")] == sorted(second)
    assert other.json("restore", str(tmp_path / "backup"))[0]["events"] == made["events"] == COUNT + 100 + 2  # the key, the first backup
    assert other.json("verify")[0]["ok"]


def test_an_interrupted_backup_leaves_the_one_before_and_goes_on(plain: Rledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "backup"
    for number, events in enumerate((COUNT + 1, COUNT + 202)):
        before = number and json.loads((folder / "manifest.json").read_text())["events"]
        if number:
            fill(plain, 1_000, 200)
        read, calls = backup._rows, 0  # noqa: SLF001

        def interrupted(*arguments: Any, read: Any = read) -> Any:
            nonlocal calls
            calls += 1
            if calls == 7:
                raise KeyboardInterrupt
            return read(*arguments)

        monkeypatch.setattr(backup, "_rows", interrupted)
        assert plain("backup", str(folder)).returncode == 130
        monkeypatch.setattr(backup, "_rows", read)
        started = files(folder)
        if before:
            assert plain.json("restore", str(folder), "--check")[0]["events"] == before
        assert backed_up(plain, folder)["events"] == events
        done = files(folder)
        assert all(done.get(name) == inode for name, inode in started.items() if int(name[20:32]) % SEGMENT == 0)
        assert plain.json("restore", str(folder), "--check")[0]["events"] == events
        assert not list(folder.glob("*.partial"))


def test_a_ledger_that_was_altered_since_is_not_backed_up_over_the_good_one(ledger: Rledger, tmp_path: Path) -> None:
    made = backed_up(ledger, tmp_path / "backup")
    fill(ledger, COUNT, 60)
    alter(ledger, COUNT + 30)
    done = ledger("backup", str(tmp_path / "backup"))
    assert done.returncode == 1
    assert ledger.json("restore", str(tmp_path / "backup"), "--check")[0]["events"] == made["events"]


def test_a_folder_of_something_else_is_left_alone(plain: Rledger, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert "holds something else" in plain("backup", str(tmp_path / "mine")).stderr
    stranger = Rledger(bare(tmp_path / "stranger"))
    fill(stranger, 0, 3)
    backed_up(stranger, tmp_path / "theirs")
    assert "not a backup of" in plain("backup", str(tmp_path / "theirs")).stderr
    plain.json("export", "--output", str(tmp_path / "export"), "--why", "x")
    assert "not a backup of" in plain("backup", str(tmp_path / "export")).stderr


def test_a_backup_without_keys_has_none(plain: Rledger, tmp_path: Path) -> None:
    backed_up(plain, tmp_path / "with")
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "with" / "keys").iterdir()] == [0o600]
    backed_up(plain, tmp_path / "without", "--no-keys")
    assert not (tmp_path / "without" / "keys").exists()
    other = Rledger(bare(tmp_path / "other"))
    assert other.json("restore", str(tmp_path / "without"))[0]["keys"] == 0
    fill(other, COUNT, 1)
    assert "rledger keys rotate" in other("checkpoint").stderr


def test_who_backed_it_up_where_is_an_event(plain: Rledger, tmp_path: Path) -> None:
    made = backed_up(plain, tmp_path / "backup")
    event = plain.json("history", "ledger", "--all")[-1]["event"]
    assert (event["type"], event["actor"]) == ("ledger.exported.v1", "ada")
    assert (event["data"]["format"], event["data"]["events"], event["data"]["folder"]) == (
        "backup",
        made["events"],
        str(tmp_path / "backup"),
    )


def test_whatever_is_damaged_is_found_and_named(plain: Rledger, tmp_path: Path) -> None:
    backed_up(plain, tmp_path / "backup")
    other = Rledger(bare(tmp_path / "other"))
    for path in sorted(path for path in (tmp_path / "backup").rglob("*") if path.is_file() and path.name != "manifest.json"):
        content = path.read_bytes()
        middle = len(content) // 2
        for altered in (content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :], content[:middle], content + b"\n", None):
            path.unlink() if altered is None else path.write_bytes(altered)
            done = other("restore", str(tmp_path / "backup"))
            assert done.returncode == 1, path
            assert path.name in done.stderr
            path.write_bytes(content)
    assert not (tmp_path / "other" / "ledger.db").exists()
    assert other.json("restore", str(tmp_path / "backup"))[0]["events"] == COUNT + 1


def lose(rledger: Rledger) -> None:
    """The store is gone; keys and what was signed remain."""
    if (url := rledger.environ.get("RLEDGER_STORE")) is not None:
        with psycopg.connect(url) as server:
            server.execute("DROP SCHEMA ledger CASCADE")
        return
    for path in Path(rledger.environ["RLEDGER_DATA"]).glob("ledger.db*"):
        path.unlink()


def test_a_backup_behind_what_was_signed_is_restored_only_by_decision_and_that_is_recorded(ledger: Rledger, tmp_path: Path) -> None:
    made = backed_up(ledger, tmp_path / "backup")
    fill(ledger, COUNT, 40)
    note = ledger("checkpoint").stdout
    lose(ledger)
    done = ledger("restore", str(tmp_path / "backup"))
    assert done.returncode == 1
    assert "41 events would be lost" in done.stderr  # the backup's own event among them
    assert ledger.json("restore", str(tmp_path / "backup"), "--check")[0]["lost"] == 41
    (restored,) = ledger.json("restore", str(tmp_path / "backup"), "--accept-loss", "the disk was lost")
    assert (restored["events"], restored["lost"], restored["recorded"]) == (made["events"], 41, made["events"] + 1)
    event = ledger.json("history", "ledger", "--all")[-1]["event"]
    assert (event["type"], event["actor"], event["data"]["reason"]) == ("ledger.restored.v1", "the auditor", "the disk was lost")
    assert note.startswith(event["data"]["checkpoint"])
    fill(ledger, COUNT, 40)
    assert ledger("checkpoint").returncode == 0
    assert ledger.json("verify")[0]["ok"]
    (tmp_path / "old").write_text(note)
    done = ledger("verify", "--no-views", "--checkpoint", str(tmp_path / "old"))
    assert done.returncode == 1
    assert "the log does not continue" in done.stdout  # whoever kept it finds out


def test_a_backup_of_another_history_is_refused_by_a_checkpoint(plain: Rledger, tmp_path: Path) -> None:
    backed_up(plain, tmp_path / "first")
    shutil.copytree(plain.environ["RLEDGER_DATA"], tmp_path / "forked")
    forked = Rledger(plain.environ | {"RLEDGER_DATA": str(tmp_path / "forked")})
    fill(forked, 2_000, 5)
    fill(plain, 3_000, 5)
    (tmp_path / "seen").write_text(forked("checkpoint").stdout)
    fill(plain, 4_000, 5)
    backed_up(plain, tmp_path / "second")
    other = Rledger(bare(tmp_path / "other"))
    assert "is not of the log" in other("restore", str(tmp_path / "second"), "--checkpoint", str(tmp_path / "seen")).stderr
    assert other.json("restore", str(tmp_path / "second"))[0]["lost"] == 0
