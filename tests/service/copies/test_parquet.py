"""Parquet holds what the lines hold, proves itself as they do, and is refused where it was altered; on both stores."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import compute, parquet

from service.copies import export
from tests.service.commands import Rledger, bare
from tests.service.copies.conftest import COUNT, fill
from tests.service.copies.test_export import alter, verified

DOCS = Path(__file__).parents[3] / "docs" / "verification.md"
PART = ("--kind", "customer", "--from", "10", "--to", "90")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several row groups."""
    monkeypatch.setattr(export, "PAGE_EVENTS", 32)


def exported(ledger: Rledger, folder: Path, *options: str) -> Path:
    ledger.json("export", "--output", str(folder), "--why", "to count", *options)
    return folder


@pytest.mark.parametrize("options", [(), PART, ("--relationship", "customer/nobody")])
def test_rows_are_the_lines_and_prove_themselves(ledger: Rledger, tmp_path: Path, options: tuple[str, ...]) -> None:
    if options:  # the first export is an event that a whole second one would hold
        lines = (exported(ledger, tmp_path / "lines", *options) / "events.jsonl").read_text(encoding="utf-8")
    columns = exported(ledger, tmp_path / "columns", "--format", "parquet", *options)
    program = "".join(re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL))
    command = [sys.executable, "-c", program, str(columns / "events.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    if options:
        assert done.stdout == lines
    (columns / "events.jsonl").write_text(done.stdout, encoding="utf-8")
    found = verified(ledger, columns)
    assert found.returncode == 0, found.stderr
    table = parquet.read_table(columns / "events.parquet")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert table.column("recorded_at").to_pylist() == [
        datetime.fromtimestamp(row["recorded_us"] // 1_000_000, UTC).replace(microsecond=row["recorded_us"] % 1_000_000) for row in rows
    ]
    assert table.column("occurred_at").to_pylist() == [datetime.fromisoformat(json.loads(row["event"])["time"]) for row in rows]


def test_a_whole_one_becomes_the_same_ledger(ledger: Rledger, tmp_path: Path) -> None:
    columns = exported(ledger, tmp_path / "columns", "--format", "parquet")
    other = Rledger(bare(tmp_path / "other"))
    (made,) = other.json("restore", str(columns))
    assert made["events"] == COUNT + 1
    assert made["root"] == json.loads((columns / "manifest.json").read_text())["root"] == other.json("verify")[0]["root"]


def test_nothing_is_exported_of_a_log_that_was_altered(ledger: Rledger, tmp_path: Path) -> None:
    ledger("checkpoint")
    alter(ledger, 41)
    done = ledger("export", "--format", "parquet", "--output", str(tmp_path / "out"), "--why", "x")
    assert (done.returncode, list((tmp_path / "out").iterdir())) == (1, [])
    assert "the log is not what was signed" in done.stderr


def replaced(name: str, values: Callable[[Any], Any]) -> Callable[[pa.Table], pa.Table]:
    """A table with one column made from what it held."""
    return lambda table: table.set_column(table.schema.get_field_index(name), table.schema.field(name), values(table.column(name)))


ALTERATIONS: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "an event": (
        replaced("event", lambda column: compute.replace_substring(column, "inbound", "Inbound")),
        "are not those that were signed",
    ),
    "a position": (replaced("position", lambda column: compute.add(column, 1)), "line 1: it should hold position 1, it says 2"),
    "a moment": (replaced("occurred_at", lambda column: column.take([*range(1, len(column)), 0])), "the moments of position"),
    "no event": (replaced("event", lambda column: compute.replace_substring(column, "{", "[")), "holds no event"),
    "rows removed": (lambda table: table.slice(0, 50), "do not"),
    "other columns": (lambda table: table.drop_columns(["version"]), "has other columns"),
}


@pytest.mark.parametrize("how", ALTERATIONS)
def test_an_altered_one_is_refused_even_when_the_manifest_is_altered_with_it(tmp_path: Path, how: str) -> None:
    source = Rledger(bare(tmp_path / "data"))
    fill(source, 0, 60)
    columns = exported(source, tmp_path / "columns", "--format", "parquet")
    change, says = ALTERATIONS[how]
    path = columns / "events.parquet"
    parquet.write_table(change(parquet.read_table(path)), path)
    assert "is not the file that was written" in refused(columns, tmp_path) or "bytes, the manifest says" in refused(columns, tmp_path)
    manifest = json.loads((columns / "manifest.json").read_text())
    manifest["files"][0] |= {"bytes": path.stat().st_size, "sha256": sha256(path.read_bytes()).hexdigest()}
    (columns / "manifest.json").write_text(json.dumps(manifest))
    assert says in refused(columns, tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    manifest["files"][0] |= {"bytes": path.stat().st_size, "sha256": sha256(path.read_bytes()).hexdigest()}
    (columns / "manifest.json").write_text(json.dumps(manifest))
    assert "cannot be read as Parquet" in refused(columns, tmp_path)


def refused(folder: Path, tmp_path: Path) -> str:
    done = Rledger(bare(tmp_path / "none"))("restore", str(folder))
    assert done.returncode == 1
    return done.stderr
