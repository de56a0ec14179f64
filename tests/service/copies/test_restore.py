"""A ledger made of an export is the same ledger, on either store; of one that was altered, or beside other events, none is made."""

import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ledger.ledger import Ledger
from ledger.plan import Row
from ledger.proof.merkle import Frontier
from ledger.sqlite import SQLiteLedgerRecorder
from service import settings
from service.copies import reading
from service.stores import open_ledger
from tests.service.commands import Rledger, bare
from tests.service.copies.conftest import COUNT, fill, lines


@pytest.fixture(params=["sqlite", "postgres"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rledger]:
    """The command line where there is no ledger yet."""
    environ = bare(tmp_path / "other") | {"RLEDGER_ACTOR": "the keeper"}
    if request.param == "postgres":
        with request.getfixturevalue("postgres").database() as url:
            yield Rledger(environ | {"RLEDGER_STORE": url})
    else:
        yield Rledger(environ)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Rledger:
    """A ledger that was exported; tests only look at it."""
    folder = tmp_path_factory.mktemp("source")
    source = Rledger(bare(folder / "data"))
    fill(source, 0, COUNT)
    source.json("export", "--output", str(folder / "copy"), "--why", "to move")
    return source


@pytest.fixture
def copy(source: Rledger, tmp_path: Path) -> Path:
    """A whole export, to do with as one likes."""
    shutil.copytree(Path(source.environ["RLEDGER_DATA"]).with_name("copy"), tmp_path / "copy")
    return tmp_path / "copy"


def opened(rledger: Rledger, *, read_only: bool = True) -> Ledger:
    return open_ledger(settings.read(rledger.environ), read_only=read_only)


def rows(rledger: Rledger) -> list[Row]:
    with opened(rledger) as store:
        return store.recorder.rows(0, 10_000)


def test_the_same_events_stand_at_the_same_positions_under_the_same_root(ledger: Rledger, other: Rledger, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    ledger.json("export", "--output", str(copy), "--why", "to move")
    (made,) = other.json("restore", str(copy))
    assert (made["events"], made["checkpoint"]) == (COUNT + 1, COUNT + 1)
    assert rows(other) == rows(ledger)[: COUNT + 1]  # recorded_us, versions and identities are among them
    with opened(other) as store:
        tree = store.tree()
    assert (made["origin"], made["root"]) == (tree.origin, json.loads((copy / "manifest.json").read_text())["root"])
    assert other.json("verify") == [{"ok": True, "size": COUNT + 1, "root": made["root"], "problems": []}]
    assert other.json("restore", str(copy)) == [made]  # a second time changes nothing


def test_the_copy_goes_on_as_the_ledger_would(other: Rledger, copy: Path) -> None:
    other.json("restore", str(copy))
    answer = other.json("append", "-", stdin=lines(COUNT - 5, 10))[0]
    assert (answer["appended"], answer["duplicates"], answer["position"]) == (5, 5, COUNT + 6)
    history = other.json("history", "customer/ada", "--all")
    assert [one["version"] for one in history] == list(range(1, len(history) + 1))
    assert other.json("verify", "--no-views")[0]["ok"]


def test_a_ledger_with_other_events_is_left_alone(other: Rledger, copy: Path) -> None:
    fill(other, 1_000, 3)
    done = other("restore", str(copy))
    assert done.returncode == 1
    assert "holds 3 events that are not of this copy" in done.stderr
    assert len(rows(other)) == 3


def test_a_part_makes_no_ledger(source: Rledger, tmp_path: Path) -> None:
    source.json("export", "--to", "50", "--output", str(tmp_path / "part"), "--why", "some")
    done = Rledger(bare(tmp_path / "none"))("restore", str(tmp_path / "part"))
    assert done.returncode == 1
    assert "holds a part of the log only, 50 events" in done.stderr


def test_it_goes_on_where_it_was_interrupted(other: Rledger, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_EVENTS", 16)
    with opened(other, read_only=False) as store:
        recorder = type(store.recorder)
    load, done = recorder.load, 0

    def interrupted(self: Any, page: list[Row], tree: Frontier) -> None:
        nonlocal done
        if done == 3:
            raise KeyboardInterrupt
        done += 1
        load(self, page, tree)

    monkeypatch.setattr(recorder, "load", interrupted)
    assert other("restore", str(copy)).returncode == 130
    assert len(rows(other)) == 48
    monkeypatch.setattr(recorder, "load", load)
    monkeypatch.setattr(reading, "PAGE_EVENTS", 21)
    assert other.json("restore", str(copy))[0]["events"] == COUNT + 1
    assert other.json("verify")[0]["ok"]


def test_where_something_was_appended_meanwhile_it_stops(other: Rledger, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_EVENTS", 16)
    with opened(other, read_only=False) as store:
        recorder = type(store.recorder)
    load = recorder.load

    def beside(self: Any, page: list[Row], tree: Frontier) -> None:
        if page[0][0] > 48:
            monkeypatch.setattr(recorder, "load", load)
            fill(other, 5_000, 1)
        load(self, page, tree)

    monkeypatch.setattr(recorder, "load", beside)
    done = other("restore", str(copy))
    assert done.returncode == 1
    assert "49 events that are not of this copy" in done.stderr
    assert "not of this copy" in other("restore", str(copy)).stderr


def altered(content: bytes) -> dict[str, tuple[bytes, str]]:
    """Ways to alter the events of a copy, and what is said."""
    head, *tail = content.splitlines(keepends=True)
    return {
        "a byte": (content.replace(b"inbound", b"Inbound", 1), "is not the file that was written"),
        "a line removed": (b"".join(tail), "line 1: it should hold position 1, it says 2"),
        "two lines swapped": (b"".join([tail[0], head, *tail[1:]]), "line 1: it should hold position 1, it says 2"),
        "a line twice": (b"".join([head, head, *tail]), "line 2: it should hold position 2, it says 1"),
        "cut off within a line": (content[:-9], "not a record of an export"),
        "cut off behind a line": (b"".join([head, *tail[:-1]]), "it was cut off"),
        "spaces": (content.replace(b'{"position":7,', b'{"position": 7,', 1), "was written anew"),
    }


@pytest.mark.parametrize("how", list(altered(b"{}\n{}\n")))
def test_of_an_altered_copy_nothing_is_made(copy: Path, tmp_path: Path, how: str) -> None:
    content, says = altered((copy / "events.jsonl").read_bytes())[how]
    (copy / "events.jsonl").write_bytes(content)
    other = Rledger(bare(tmp_path / "none"))
    done = other("restore", str(copy))
    assert done.returncode == 1
    assert "events.jsonl" in done.stderr
    assert says in done.stderr
    assert not (tmp_path / "none" / "ledger.db").exists()


def rewritten(copy: Path) -> None:
    """Bring the manifest in line with the files, as a careful forger would."""
    manifest = json.loads((copy / "manifest.json").read_text())
    for file in manifest["files"]:
        content = (copy / file["name"]).read_bytes()
        file |= {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    (copy / "manifest.json").write_text(json.dumps(manifest))


def test_a_forged_manifest_does_not_help(copy: Path, tmp_path: Path) -> None:
    other = Rledger(bare(tmp_path / "none"))
    kept = (copy / "events.jsonl").read_bytes()
    (copy / "events.jsonl").write_bytes(kept.replace(b"inbound", b"Inbound", 1))
    rewritten(copy)
    assert "are not those that were signed" in other("restore", str(copy)).stderr
    (copy / "events.jsonl").write_bytes(kept.replace(b'"version":2,', b'"version":3,', 1))
    rewritten(copy)
    assert "does not follow the events in front of it" in other("restore", str(copy)).stderr
    (copy / "events.jsonl").write_bytes(kept)
    rewritten(copy)
    stranger = Rledger(bare(tmp_path / "stranger"))
    fill(stranger, 0, 1)
    (copy / "checkpoint").write_text(stranger("checkpoint").stdout)
    rewritten(copy)
    assert "is of" in other("restore", str(copy)).stderr
    assert not (tmp_path / "none" / "ledger.db").exists()


def test_who_holds_the_key_believes_no_other(source: Rledger, copy: Path, tmp_path: Path) -> None:
    stranger = Rledger(bare(tmp_path / "stranger"))
    fill(stranger, 0, 1)
    others, ours = (one("checkpoint", "--vkey").stdout.strip() for one in (stranger, source))
    other = Rledger(bare(tmp_path / "none"))
    assert "no key that you trust signed" in other("restore", str(copy), "--vkey", others).stderr
    assert other.json("restore", str(copy), "--vkey", ours)[0]["events"] == COUNT + 1


@pytest.mark.parametrize("missing", ["manifest.json", "events.jsonl", "checkpoint"])
def test_a_file_that_is_missing_is_named(copy: Path, tmp_path: Path, missing: str) -> None:
    (copy / missing).unlink()
    done = Rledger(bare(tmp_path / "none"))("restore", str(copy))
    assert done.returncode == 1
    assert missing in done.stderr


def test_a_manifest_that_was_altered_is_refused(copy: Path, tmp_path: Path) -> None:
    other = Rledger(bare(tmp_path / "none"))
    manifest = (copy / "manifest.json").read_text()
    for old, new, says in (
        ('"events.jsonl"', '"../events.jsonl"', "outside of"),
        ('"rledger-copy/1"', '"rledger-copy/2"', "use a newer version"),
        ('"first": 1', '"first": 2', "do not follow each other"),
        ("{", "", "cannot be read"),
    ):
        assert old in manifest
        (copy / "manifest.json").write_text(manifest.replace(old, new, 1))
        done = other("restore", str(copy))
        assert (done.returncode, says in done.stderr) == (1, True), done.stderr
    shutil.rmtree(copy)
    assert "it is no export or backup" in other("restore", str(copy)).stderr


def test_the_guards_are_there_again_once_it_is_restored(other: Rledger, copy: Path) -> None:
    other.json("restore", str(copy))
    with opened(other, read_only=False) as store:
        assert store.check() == []
        assert isinstance(store.recorder, SQLiteLedgerRecorder) == ("RLEDGER_STORE" not in other.environ)
        with pytest.raises(Exception, match="not of this copy"):
            store.recorder.take_origin("another")


def test_a_restore_says_when_the_master_key_is_missing(tmp_path: Path) -> None:
    before, after = Rledger(bare(tmp_path / "before")), Rledger(bare(tmp_path / "after"))
    event = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "relationship.opened.v1", "subject": "customer/1"}
    before("append", "-", stdin=json.dumps(event | {"time": "2026-01-01T00:00:00Z", "data": {"name": "Ada"}}))
    before("backup", str(tmp_path / "copy"))
    assert "which is NOT at" in after("restore", str(tmp_path / "copy")).stderr
    shutil.copy(tmp_path / "before/keys/master", tmp_path / "after/keys/master")
    assert after("restore", str(tmp_path / "copy")).stderr == ""
    assert "Ada" in after("list").stdout
