"""Exports hold what was asked for, prove it without us, say who took it, and are not made of what was altered; on both stores."""

import json
import sqlite3
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.service.commands import Rledger
from tests.service.copies.conftest import COUNT, fill

VERIFY = (sys.executable, "-I", "-S", str(Path(__file__).parents[3] / "bin" / "verify-ledger"))


def exported(ledger: Rledger, folder: Path, *options: str) -> dict[str, Any]:
    (manifest,) = ledger.json("export", *options, "--output", str(folder), "--why", "audit")
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    return dict(manifest)


def verified(ledger: Rledger, folder: Path) -> subprocess.CompletedProcess[str]:
    vkey = ledger("checkpoint", "--vkey").stdout.strip()
    proof = folder / "left-out.proof"
    how = ("part", folder / "events.jsonl", proof) if proof.exists() else ("leaves", folder / "events.jsonl")
    command = [*VERIFY, *map(str, (*how, folder / "checkpoint", "--vkey", vkey))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_whole_export_is_the_whole_log_and_proves_it(ledger: Rledger, tmp_path: Path) -> None:
    manifest = exported(ledger, tmp_path / "out")
    assert (manifest["events"], manifest["first_position"], manifest["last_position"]) == (COUNT + 1, 1, COUNT + 1)  # and the signing key
    assert "selection" not in manifest
    done = verified(ledger, tmp_path / "out")
    assert f"{COUNT + 1} records of 5 relationships" in done.stdout, done.stderr
    for file in manifest["files"]:
        path = tmp_path / "out" / file["name"]
        assert (path.stat().st_size, sha256(path.read_bytes()).hexdigest()) == (file["bytes"], file["sha256"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    known = [
        (one["position"], one["recorded_us"], one["event"]) for one in records(tmp_path / "out") if one["relationship"] == "customer/bob"
    ]
    history = ledger.json("history", "customer/bob", "--all")
    assert [(one["position"], json.dumps(one["event"])) for one in history] == [(p, json.dumps(json.loads(e))) for p, _, e in known]


@pytest.mark.parametrize(
    ("options", "takes"),
    [
        (("--relationship", "customer/ada"), lambda one, _: one["relationship"] == "customer/ada"),
        (("--relationship", "customer/ada", "--relationship", "partner/dune"), lambda one, _: one["relationship"][-3:] in {"ada", "une"}),
        (("--kind", "partner"), lambda one, _: one["relationship"].startswith("partner/")),
        (("--from", "40", "--to", "71"), lambda one, _: 40 <= one["position"] <= 71),
        (("--since", "2026-02-01", "--until", "2026-02-10"), lambda _, event: "2026-02-01" <= event["time"][:10] <= "2026-02-10"),
        (
            ("--kind", "customer", "--from", "9", "--until", "2026-03-02"),
            lambda one, event: one["position"] >= 9 and event["time"] < "2026-03-03" and one["relationship"].startswith("customer/"),
        ),
        (("--relationship", "customer/nobody"), lambda *_: False),
    ],
)
def test_a_part_is_what_was_asked_for_and_proves_itself(ledger: Rledger, tmp_path: Path, options: tuple[str, ...], takes: Any) -> None:
    exported(ledger, tmp_path / "whole")
    manifest = exported(ledger, tmp_path / "part", *options)
    expected = [one for one in records(tmp_path / "whole") if takes(one, json.loads(one["event"]))]
    assert records(tmp_path / "part") == expected
    assert manifest["events"] == len(expected)
    assert manifest["selection"]
    done = verified(ledger, tmp_path / "part")
    assert f"verified: {len(expected)} records" in done.stdout, done.stderr


def test_who_took_what_is_an_event(ledger: Rledger, tmp_path: Path) -> None:
    exported(ledger, tmp_path / "out", "--relationship", "customer/ada")
    exported(ledger, tmp_path / "more", "--from", str(COUNT + 2))
    (record,) = records(tmp_path / "more")
    event = json.loads(record["event"])
    assert (event["type"], event["actor"]) == ("ledger.exported.v1", "the auditor")
    assert event["data"] == {
        "format": "jsonl",
        "events": 30,
        "first_position": 1,
        "last_position": 117,
        "reason": "audit",
        "size": COUNT + 1,
        "selection": {"relationships": ["customer/ada"]},
        "folder": str(tmp_path / "out"),
    }


def test_an_export_needs_a_reason_and_a_folder_of_its_own(ledger: Rledger, tmp_path: Path) -> None:
    assert ledger("export", "--output", str(tmp_path / "out")).returncode == 2
    exported(ledger, tmp_path / "out")
    done = ledger("export", "--output", str(tmp_path / "out"), "--why", "again")
    assert done.returncode == 1
    assert "already: name a new folder" in done.stderr
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "events.jsonl.partial").write_text("half")
    exported(ledger, tmp_path / "killed")
    assert verified(ledger, tmp_path / "killed").returncode == 0


def alter(ledger: Rledger, position: int) -> None:
    """Add a byte to an event, past all guards."""
    if (url := ledger.environ.get("RLEDGER_STORE")) is not None:
        with psycopg.connect(url) as server:
            server.execute("SET session_replication_role = replica")
            server.execute("UPDATE ledger.stored_events SET state = state || %s WHERE notification_id = %s", (b" ", position))
        return
    with sqlite3.connect(Path(ledger.environ["RLEDGER_DATA"]) / "ledger.db") as store:
        store.execute("DROP TRIGGER stored_events_no_update")
        store.execute("UPDATE stored_events SET state = CAST(state || ' ' AS BLOB) WHERE rowid = ?", (position,))
    store.close()


def test_nothing_is_exported_of_a_log_that_was_altered(ledger: Rledger, tmp_path: Path) -> None:
    exported(ledger, tmp_path / "before")
    ledger("checkpoint")
    alter(ledger, 41)
    for options in ((), ("--relationship", "customer/ada")):
        done = ledger("export", "--output", str(tmp_path / "out"), "--why", "audit", *options)
        assert done.returncode == 1
        assert "the log is not what was signed" in done.stderr
        assert list((tmp_path / "out").iterdir()) == []


def test_a_part_without_the_altered_event_is_still_proven(ledger: Rledger, tmp_path: Path) -> None:
    ledger("checkpoint")
    alter(ledger, 41)
    exported(ledger, tmp_path / "out", "--from", "50", "--to", "60")
    assert verified(ledger, tmp_path / "out").returncode == 0


def test_without_the_signing_key_an_export_rests_on_the_newest_checkpoint(ledger: Rledger, tmp_path: Path) -> None:
    done = ledger("checkpoint")
    assert done.returncode == 0, done.stderr
    vkey = ledger("checkpoint", "--vkey").stdout.strip()
    fill(ledger, COUNT, 9)
    for key in (Path(ledger.environ["RLEDGER_DATA"]) / "keys").glob("*.key"):
        key.unlink()
    manifest = exported(ledger, tmp_path / "out")
    assert (manifest["events"], manifest["size"]) == (COUNT + 1, COUNT + 1)
    assert (tmp_path / "out" / "checkpoint").read_text() == done.stdout
    command = [*VERIFY, "leaves", str(tmp_path / "out" / "events.jsonl"), str(tmp_path / "out" / "checkpoint"), "--vkey", vkey]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_each_byte_of_a_part_and_of_its_proof_counts(ledger: Rledger, tmp_path: Path) -> None:
    exported(ledger, tmp_path / "out", "--relationship", "customer/ada", "--to", "30")
    for name in ("events.jsonl", "left-out.proof", "checkpoint"):
        path = tmp_path / "out" / name
        content = path.read_bytes()
        for at in range(0, len(content), max(1, len(content) // 6)):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            assert verified(ledger, tmp_path / "out").returncode == 1, (name, at)
        for other in (content[:-1], content[:-45], content + content[-45:]):
            path.write_bytes(other)
            assert verified(ledger, tmp_path / "out").returncode == 1, name
        path.write_bytes(content)
    assert verified(ledger, tmp_path / "out").returncode == 0


def test_an_export_of_nothing_says_so(ledger: Rledger, tmp_path: Path) -> None:
    done = ledger("export", "--relationship", "customer/nobody", "--output", str(tmp_path / "none"), "--why", "a slip")
    assert (done.returncode, "no event is of what was chosen" in done.stdout) == (0, True)
