"""``erase`` and ``hold``: what is personal goes from everything that this service keeps, once, for ever, and only when it may."""

import json
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from tests.service.commands import Rledger, bare
from tests.services.postgres import Postgres

ADA, BOB = "customer/ada", "customer/bob"
KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="


@pytest.fixture(params=["sqlite", "postgres"])
def rledger(request: pytest.FixtureRequest, tmp_path: Path) -> Rledger:
    """A ledger with two customers who said something, and its views."""
    store = {} if request.param == "sqlite" else {"RLEDGER_STORE": request.getfixturevalue("postgres_url"), "RLEDGER_MASTER_KEY": KEY}
    command = Rledger(bare(tmp_path / "data") | {"RLEDGER_ACTOR": "dpo"} | store)
    lines = [touch(f"{who}{number}", who, type_, data) for who in (ADA, BOB) for number, (type_, data) in enumerate(said(who))]
    assert command("append", "-", stdin="\n".join(lines)).returncode == 0
    command.json("show", ADA)
    return command


def said(who: str) -> list[tuple[str, dict[str, object]]]:
    return [
        ("opened", {"name": f"Name of {who}", "owner": f"Owner of {who}"}),
        ("feedback", {"scale": "nps", "value": 3, "comment": f"Words of {who}"}),
        ("complaint", {"complaint_id": "C", "by": "them", "severity": "critical"}),
        ("assessment", {"assessor": f"A of {who}", "dimension": "trust", "value": 0.2, "rationale": "Words"}),
        ("assessment", {"assessor": f"B of {who}", "dimension": "trust", "value": 0.9, "rationale": "Words"}),
    ]


def touch(id_: str, subject: str, type_: str, data: Mapping[str, object]) -> str:
    head = {"specversion": "1.0", "id": id_, "source": "/shop", "subject": subject, "time": "2026-03-01T12:00:00Z"}
    return json.dumps({**head, "type": f"relationship.{type_}.v1", "data": data})


def kept(rledger: Rledger) -> bytes:
    """All that is kept: every file of the data folder but the lock files; of PostgreSQL, every row of every table."""
    files = [one for one in Path(rledger.environ["RLEDGER_DATA"]).rglob("*") if one.is_file()]
    found = b"".join(one.read_bytes() for one in files)
    if url := rledger.environ.get("RLEDGER_STORE"):
        with psycopg.connect(url) as server:
            tables = server.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('ledger', 'views')").fetchall()
            for schema, table in tables:
                with server.cursor().copy(f'COPY {schema}."{table}" TO STDOUT (FORMAT BINARY)'.encode()) as copy:
                    found += b"".join(map(bytes, copy))
    return found


def test_what_is_personal_is_gone_from_log_views_and_answers_and_scores_stay(rledger: Rledger) -> None:
    before = rledger.json("show", ADA, "--as-of", "2026-06-01")[0]
    assert b"Name of customer/ada" in kept(rledger)  # in the views
    (erased,) = rledger.json("erase", ADA, "--why", "article 17", "--yes")
    assert (erased["relationship"], erased["position"], erased["already"], erased["plain"], erased["clean"]) == (ADA, 11, False, 0, True)
    there = kept(rledger)
    for gone in (b"Name of customer/ada", b"Owner of customer/ada", b"Words of customer/ada", b"A of customer/ada"):
        assert gone not in there
    assert b"Name of customer/bob" in there
    after = rledger.json("show", ADA, "--as-of", "2026-06-01")[0]
    changed = {"name", "owner", "position", "known_at"}
    assert {name: value for name, value in after.items() if name not in changed} == {
        name: value for name, value in before.items() if name not in changed
    }
    assert (after["name"], after["owner"]) == ("(erased)", "(erased)")
    lines = rledger.json("history", ADA)
    assert lines[1]["event"]["data"] == {"scale": "nps", "value": 3, "comment": "(erased)"}
    assert (lines[-1]["event"]["type"], lines[-1]["event"]["actor"]) == ("ledger.subject-erased.v1", "dpo")
    assert "of customer/ada" not in rledger("explain", ADA).stdout + rledger("history", ADA).stdout
    (verified,) = rledger.json("verify")
    assert verified["ok"], verified["problems"]
    assert rledger("rebuild", "--all").stdout.count("all as they were") >= 5


def test_an_erasure_is_made_once(rledger: Rledger) -> None:
    (first,) = rledger.json("erase", ADA, "--why", "article 17", "--yes")
    (again,) = rledger.json("erase", ADA, "--why", "asked again", "--yes")
    assert again == first | {"already": True}
    assert len(rledger.json("history", ADA)) == 6
    (answer,) = rledger.json("append", "-", stdin=touch(f"{ADA}0", ADA, "opened", {"name": "Name of customer/ada"}))
    assert (answer["appended"], answer["duplicates"]) == (0, 1)
    rledger.json("append", "-", stdin=touch("new", ADA, "opened", {"name": "Name of customer/ada"}))
    assert b"Name of customer/ada" not in kept(rledger)


def test_a_correction_still_counts_and_its_words_are_gone(rledger: Rledger) -> None:
    right = {"scale": "nps", "value": 10, "comment": "Words of customer/ada, put right"}
    rledger.json("correct", "/shop", f"{ADA}1", "--why", "misheard customer/ada", "--replace", "-", stdin=json.dumps(right))
    before = rledger.json("show", ADA)[0]["quality"]
    rledger.json("erase", ADA, "--why", "article 17", "--yes")
    assert rledger.json("show", ADA)[0]["quality"] == pytest.approx(before, abs=0.01)
    assert b"put right" not in kept(rledger)
    assert b"misheard" not in kept(rledger)
    replaced = rledger.json("history", ADA)[-2]["event"]["data"]["replacement"]
    assert replaced == {"scale": "nps", "value": 10, "comment": "(erased)"}


def test_a_hold_keeps_until_it_is_released(rledger: Rledger) -> None:
    assert rledger.json("hold", ADA, "--why", "case 12")[0] == {"relationship": ADA, "held": True, "position": 11}
    done = rledger("erase", ADA, "--why", "article 17", "--yes")
    assert done.returncode == 1
    assert "is held since" in done.stderr
    assert "by dpo (position 11): case 12" in done.stderr
    assert "is held since" in rledger("hold", ADA, "--why", "again").stderr
    assert b"Name of customer/ada" in kept(rledger)
    rledger.json("erase", BOB, "--why", "article 17", "--yes")
    rledger.json("hold", ADA, "--release", "--why", "settled")
    assert "is not held" in rledger("hold", ADA, "--release", "--why", "settled").stderr
    assert rledger.json("erase", ADA, "--why", "article 17", "--yes")[0]["already"] is False
    assert "nothing left to hold" in rledger("hold", ADA, "--why", "late").stderr


def test_who_does_not_mean_it_is_asked_first(rledger: Rledger) -> None:
    assert rledger("erase", ADA, "--why", "x", stdin="n\n").returncode == 1
    assert "is not in the ledger" in rledger("erase", "customer/nobody", "--why", "x", "--yes").stderr
    assert "is not in the ledger" in rledger("erase", "ledger", "--why", "x", "--yes").stderr
    assert b"Name of customer/ada" in kept(rledger)
    assert "is erased, position 11" in rledger("erase", ADA, "--why", "x", stdin="y\n").stdout


@pytest.mark.parametrize("rledger", ["sqlite"], indirect=True)
def test_the_first_master_key_is_a_file_only_its_owner_reads(rledger: Rledger) -> None:
    key = Path(rledger.environ["RLEDGER_DATA"]) / "keys" / "master"
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    key.chmod(0o644)
    assert "others can read" in rledger("history", ADA).stderr
    key.chmod(0o600)
    key.rename(key.with_name("away"))
    told = rledger("history", ADA)
    assert told.returncode == 1
    assert f"is not at {key}: bring it there" in told.stderr
    told = rledger("append", "-", stdin=touch("n", ADA, "opened", {"name": "N"}))
    assert told.returncode == 1
    assert f"is not at {key}: bring it there" in told.stderr
    rledger.environ["RLEDGER_MASTER_KEY_COMMAND"] = f"cat {key.with_name('away')}"
    assert len(rledger.json("history", ADA)) == 5
    rledger.environ["RLEDGER_MASTER_KEY_COMMAND"] = "echo secretsecret"
    told = rledger("history", ADA)
    assert "holds no master key" in told.stderr
    assert "secretsecret" not in told.stderr


def test_on_postgresql_no_master_key_is_made_by_itself(tmp_path: Path, postgres: Postgres) -> None:
    with postgres.database() as url:
        rledger = Rledger(bare(tmp_path / "data") | {"RLEDGER_STORE": url})
        rledger.json("append", "-", stdin=touch("1", ADA, "opened", {"name": "Name of customer/ada"}))
        assert not (tmp_path / "data" / "keys" / "master").exists()
        (erased,) = rledger.json("erase", ADA, "--why", "article 17", "--yes")
        assert erased["plain"] == 1
        told = rledger("erase", ADA, "--why", "article 17", "--yes").stdout
        assert "1 of its events came before encryption was on" in told


def test_dead_letters_about_it_keep_only_why_they_were_refused(rledger: Rledger) -> None:
    bad = touch("bad", ADA, "opened", {"name": "Name of customer/ada", "owner": 7})
    other = touch("bad", f"{ADA}m", "opened", {"name": "Name of another", "owner": 7})
    rledger.json("append", "-", stdin=f"{bad}\n{bad[:-1]}\n{other}\n{other[:-1]}\n")
    (erased,) = rledger.json("erase", ADA, "--why", "article 17", "--yes")
    assert erased["letters"] == 2
    assert b"Name of another" not in kept(rledger)
    first, _, third, fourth = rledger.json("deadletters", "list")
    for one in (third, fourth):
        assert "Name of another" in rledger.json("deadletters", "show", str(one["number"]))[0]["body"]
    assert (first["code"], first["reason"]) == ("bad_data", "its relationship was erased, and what it said with it")
    assert "owner" in third["reason"]
    assert rledger.json("erase", ADA, "--why", "again", "--yes")[0]["letters"] == 0
    assert "dead letter 1 holds nothing to replay (" in rledger("deadletters", "replay", "1").stderr
    (verified,) = rledger.json("verify")
    assert verified["ok"], verified["problems"]


@pytest.mark.parametrize("rledger", ["sqlite"], indirect=True)
def test_a_rotation_makes_a_new_file_and_leaves_the_old_key_worthless(rledger: Rledger) -> None:
    path = Path(rledger.environ["RLEDGER_DATA"]) / "keys" / "master"
    old, before = path.read_text(), rledger.json("vault", "show")[0]
    (rotated,) = rledger.json("vault", "rotate", "--why", "the yearly change")
    (after,) = rledger.json("vault", "show")
    assert (rotated["keys"], after["master"], after["here"]) == (3, rotated["master"], True)
    assert after["master"] != before["master"]
    assert old.strip() not in path.read_text()
    assert rledger.json("show", ADA)[0]["name"] == "Name of customer/ada"
    rledger.json("append", "-", stdin=touch("new", "customer/eve", "opened", {"name": "Eve"}))
    path.write_text(old)
    told = rledger("doctor", "--json").stdout
    (privacy,) = (check for check in json.loads(told)["checks"] if check["name"] == "privacy")
    assert privacy["verdict"] == "wrong"
    assert f"is NOT at {path}" in privacy["found"]
    assert old.strip() not in told


def test_a_given_master_key_is_rotated_by_giving_both(rledger: Rledger) -> None:
    old = rledger.environ.get("RLEDGER_MASTER_KEY") or (Path(rledger.environ["RLEDGER_DATA"]) / "keys" / "master").read_text().strip()
    new = rledger("vault", "new").stdout.strip()
    rledger.environ["RLEDGER_MASTER_KEY"] = f"{new} {old}"
    assert rledger.json("vault", "rotate", "--why", "the yearly change")[0]["keys"] == 3
    assert rledger.json("vault", "rotate", "--why", "again")[0]["keys"] == 0
    rledger.environ["RLEDGER_MASTER_KEY"] = new
    assert rledger.json("show", ADA)[0]["name"] == "Name of customer/ada"
    rledger.environ["RLEDGER_MASTER_KEY"] = old
    assert "is not at RLEDGER_MASTER_KEY" in rledger("history", ADA).stderr
