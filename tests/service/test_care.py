"""``doctor``, ``rebuild``, ``schema``, ``project --once``: looking after the service."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from schemas.catalogue import CATALOGUE
from service.clock import now_us
from service.days import day_closed
from tests.service.commands import Rledger
from tests.service.test_putting import BAD, purchase


def verdicts(rledger: Rledger) -> dict[str, str]:
    """The name of every check and its verdict."""
    done = rledger("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1)
    return {check["name"]: check["verdict"] for check in found["checks"]}


def test_a_doctor_finds_nothing_wrong_with_the_sample(sampled: Rledger) -> None:
    assert set(verdicts(sampled).values()) == {"ok"}
    assert "✗" not in sampled("doctor").stdout


def test_a_doctor_says_what_to_do_where_there_is_no_ledger(rledger: Rledger) -> None:
    assert verdicts(rledger)["ledger"] == "wrong"
    assert "rledger up --sample" in rledger("doctor").stdout
    assert not Path(rledger.environ["RLEDGER_DATA"]).exists()


def test_a_doctor_finds_views_that_nobody_keeps(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    assert verdicts(rledger)["views"] == "wrong"
    rledger("project", "--once")
    assert verdicts(rledger)["view relationships"] == "ok"
    rledger("append", "-", stdin=purchase(2) + BAD)
    found = verdicts(rledger)
    assert (found["view relationships"], found["dead letters"]) == ("wrong", "low")


def test_a_doctor_finds_damaged_files_and_looks_at_all_else(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    rledger("project", "--once")
    data = Path(rledger.environ["RLEDGER_DATA"])
    for log in data.glob("*.db-*"):
        log.unlink()
    (data / "views.db").write_bytes(b"no database " * 1_000)
    found = verdicts(rledger)
    assert (found["ledger"], found["views"], found["dead letters"]) == ("ok", "wrong", "ok")
    (data / "ledger.db").write_bytes(b"no database " * 1_000)
    assert "sample" not in rledger.process("doctor").stdout
    assert verdicts(rledger)["ledger"] == "wrong"


def test_a_doctor_finds_a_clock_that_went_back(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    with sqlite3.connect(Path(rledger.environ["RLEDGER_DATA"], "ledger.db")) as store:
        store.execute("UPDATE ledger_head SET recorded_us = ?", (now_us() + 3_600_000_000,))
    store.close()
    assert verdicts(rledger)["clock"] == "wrong"


def test_a_doctor_finds_a_broker_that_cannot_be_reached(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    rledger.environ["RLEDGER_KAFKA"] = "127.0.0.1:1"
    done = rledger.process("doctor")  # kafka-python leaves the sockets it could not connect to the garbage collector
    assert done.returncode == 1
    assert "✗  kafka" in done.stdout
    assert "Traceback" not in done.stderr


def test_projecting_once_catches_up_and_closes_yesterday(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    assert rledger("project", "--once").stdout == "the views are at position 2\n"
    (closed,) = rledger.json("history", "ledger")
    assert closed["event"] == json.loads(day_closed(now_us()).event)
    assert rledger("project", "--once").stdout == "the views are at position 2\n"


def test_parked_relationships_can_be_tried_again(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    rledger("project", "--once")
    assert rledger("project", "--retry-parked").stdout == "relationships that flow again: 0; that still wait: 0\n"


def test_an_altered_event_makes_its_relationship_wait_and_no_other(rledger: Rledger) -> None:
    envelope = {"specversion": "1.0", "source": "crm", "type": "relationship.opened.v1", "time": "2026-01-01T00:00:00Z"}
    names = ("ada", "bob")
    opened = [envelope | {"id": name, "subject": f"customer/{name}", "data": {"name": name}} for name in names]
    rledger("append", "-", stdin="".join(json.dumps(one) + "\n" for one in opened))
    with closing(sqlite3.connect(Path(rledger.environ["RLEDGER_DATA"], "ledger.db"), isolation_level=None)) as store:
        ((guard,),) = store.execute("SELECT sql FROM sqlite_schema WHERE name = 'stored_events_no_update'")
        store.execute("DROP TRIGGER stored_events_no_update")
        altered = "CAST(replace(CAST(state AS TEXT), 'enc:v1:2:', 'enc:v1:2:AAAA') AS BLOB)"
        store.execute(f"UPDATE stored_events SET state = {altered} WHERE originator_id = 'customer/ada'")
        store.execute(guard)
    rledger("project", "--once")
    assert [one["name"] for one in rledger.json("list")] == ["bob"]
    assert "not what was accepted" in rledger.process("history", "customer/ada").stderr
    done = rledger.process("doctor")
    assert "1 relationship waits customer/ada" in " ".join(done.stdout.split())
    assert "rledger verify" in done.stdout


def test_a_rebuild_compares_with_what_was_there(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    rledger("project", "--once")
    said = rledger("rebuild", "relationships").stdout
    assert re.fullmatch(r"relationships version \d+, position 2: 1 rows, all as they were\n", said)
    with sqlite3.connect(Path(rledger.environ["RLEDGER_DATA"], "views.db")) as views:
        views.execute("UPDATE relationships SET standing = 'grow'")
    views.close()
    said = rledger("rebuild", "--all").stdout
    assert "customer/acme: changed standing" in said


def test_a_rebuild_needs_a_view_that_exists(rledger: Rledger) -> None:
    assert rledger("rebuild").returncode == 2
    rledger("append", "-", stdin=purchase(1))
    done = rledger("rebuild", "nothing")
    assert done.returncode == 1
    assert "relationships" in done.stderr


def test_schema_writes_a_document_for_every_type(rledger: Rledger, tmp_path: Path) -> None:
    assert rledger("schema", str(tmp_path / "reference")).returncode == 0
    assert {path.stem for path in (tmp_path / "reference" / "schemas").iterdir()} == set(CATALOGUE)
    assert json.loads((tmp_path / "reference" / "asyncapi.json").read_text())["asyncapi"].startswith("3.")


def test_the_same_commands_work_on_postgresql(rledger: Rledger, postgres_url: str) -> None:
    rledger.environ["RLEDGER_STORE"] = postgres_url
    rledger("append", "-", stdin=purchase(1) + BAD)
    assert rledger.json("show", "customer/acme")[0]["events"] == 1
    assert rledger("project", "--once").stdout == "the views are at position 2\n"
    assert verdicts(rledger)["view relationships"] == "ok"
    assert len(rledger.json("deadletters", "list")) == 1
