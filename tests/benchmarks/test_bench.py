"""``rledger bench`` runs every benchmark and tells its figures. How large they are is for docs/performance.md, not for a test."""

import json
import sqlite3
from importlib import import_module
from pathlib import Path

import psycopg
import pytest

from benchmarks.measure import medians, percentiles
from benchmarks.place import SCHEMAS
from benchmarks.run import BENCHMARKS, run
from schemas.errors import SettingsError
from service.cli.bench import NAMES
from tests.service.commands import Rledger, bare
from tests.services.kafka import Kafka

EVENTS = 1_000
FIGURES = {"name", "events", "events_per_s", "raw_per_s", "ratio", "cpu_s_per_100k", "peak_rss_mb"}
TIMED = {"latency", "append", "query", "soak"}


@pytest.mark.parametrize("name", ["append", "latency"])  # the others are made of the same parts, and take longer
def test_a_benchmark_tells_its_figures(name: str, kafka: Kafka, tmp_path: Path) -> None:
    rledger = Rledger(bare(tmp_path))
    done = rledger("bench", name, "--json", "--events", str(EVENTS), "--runs", "1", "--kafka", kafka.bootstrap)
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert told.keys() >= FIGURES | ({"p50_ms", "p99_ms"} if name in TIMED else set())
    assert told["name"] == name
    assert all(told[figure] > 0 for figure in FIGURES - {"name"})
    assert told["ratio"] == pytest.approx(told["events_per_s"] / told["raw_per_s"], abs=0.01, rel=0.01)
    assert list(tmp_path.iterdir()) == []  # a benchmark never touches the ledger of whoever runs it


def test_the_command_knows_every_benchmark() -> None:
    assert tuple(BENCHMARKS) == NAMES
    assert all(hasattr(import_module(f"benchmarks.{one.module}"), name) for name, one in BENCHMARKS.items())


def test_ingest_is_measured_on_postgresql_and_leaves_nothing(postgres_url: str, kafka: Kafka) -> None:
    told = run("ingest", events=EVENTS, runs=1, store=postgres_url, kafka=kafka.bootstrap)
    assert told["store"] == "postgresql"
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", (list(SCHEMAS),)).fetchall() == []


def test_a_store_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    sqlite3.connect(path).close()
    path.write_bytes(b"ours")
    with pytest.raises(SettingsError, match="holds something"):
        run("append", events=EVENTS, store=f"sqlite:///{path}")
    assert path.read_bytes() == b"ours"


def test_outside_of_a_checkout_the_command_says_where_it_runs(rledger: Rledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.cli.bench.MODULE", "benchmarks.gone")
    done = rledger("bench", "append")
    assert done.returncode == 1
    assert "in a checkout only" in done.stderr


def test_medians_are_taken_figure_by_figure() -> None:
    runs = [{"name": "x", "a": one, "more": {"b": -one}} for one in (3, 1, 2)]
    assert medians(runs) == {"name": "x", "a": 2, "more": {"b": -2}}


def test_percentiles_are_in_milliseconds() -> None:
    assert percentiles([number / 1e3 for number in range(1, 1_000)], "raw_") == {"raw_p50_ms": 500.0, "raw_p99_ms": 990.0}
