"""Backups and erasure: what is encrypted comes back with its keys, and an erasure reaches a backup once it is made again."""

import json
import shutil
from pathlib import Path

from tests.service.commands import Rledger, bare

REL = "customer/acme"
OPENED = {
    "specversion": "1.0",
    "id": "1",
    "source": "/crm",
    "type": "relationship.opened.v1",
    "subject": REL,
    "time": "2026-01-01T09:00:00Z",
}


def restored(ledger: Rledger, folder: Path, data: Path) -> Rledger:
    """A ledger made of a backup where the same master key is."""
    other = Rledger(bare(data))
    (data / "keys").mkdir(parents=True, mode=0o700)
    shutil.copy(Path(ledger.environ["RLEDGER_DATA"]) / "keys" / "master", data / "keys" / "master")
    other.json("restore", str(folder))
    return other


def test_an_erasure_names_the_backups_that_hold_the_key_and_a_new_one_does_not(tmp_path: Path) -> None:
    ledger = Rledger(bare(tmp_path / "data"))
    assert ledger.json("append", "-", stdin=json.dumps(OPENED | {"data": {"name": "Zebulon Quirk"}}))[0]["appended"] == 1
    backup, old = tmp_path / "backup", tmp_path / "old"
    for folder in (backup, tmp_path / "elsewhere"):
        assert ledger("backup", str(folder)).returncode == 0
    shutil.copytree(backup, old)
    assert not any(b"Zebulon" in path.read_bytes() for path in old.rglob("*") if path.is_file())
    assert not list(old.rglob("master*"))
    assert restored(ledger, old, tmp_path / "before").json("show", REL)[0]["name"] == "Zebulon Quirk"

    done = ledger("erase", REL, "--why", "GDPR article 17", "--yes")
    assert done.returncode == 0
    assert f"the backup in {backup} still holds the key" in done.stderr
    assert str(tmp_path / "elsewhere") in done.stderr
    assert ledger("backup", str(backup)).returncode == 0
    again = ledger("erase", REL, "--why", "to be sure", "--yes")
    assert (str(tmp_path / "elsewhere") in again.stderr, f"in {backup} " in again.stderr) == (True, False)
    after = restored(ledger, backup, tmp_path / "after")
    assert "Zebulon" not in json.dumps(after.json("show", REL) + after.json("history", REL, "--all"))
    assert after.json("verify")[0]["ok"]
