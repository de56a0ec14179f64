"""``append``, ``import``, ``deadletters``: touchpoints in, and what was refused in again."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.service.commands import Rledger, eventually

MAPPING = """
[csv]
delimiter = ";"
decimal = ","
[event]
id = "{order}"
source = "/shop"
type = "relationship.purchase.v1"
subject = "customer/{customer}"
time = "{ordered:time}"
[data]
order_id = "{order}"
amount = { amount = "{total:money}", currency = "EUR" }
"""
ORDERS = """order;customer;ordered;total
1;acme;2026-03-01T10:00:00;1.234,50
2;acme;2026-04-01T10:00:00;99,00
3;no body;2026-04-02T10:00:00;99,00
"""


def purchase(number: int, **changes: Any) -> str:
    """A CloudEvent on a line; ``changes`` replace attributes."""
    event = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "/shop",
        "type": "relationship.purchase.v1",
        "subject": "customer/acme",
        "time": "2026-03-01T10:00:00Z",
        "data": {"order_id": f"o{number}", "amount": {"amount": "12.50", "currency": "EUR"}},
    }
    return json.dumps(event | changes) + "\n"


BAD = purchase(9, subject="acme")


def test_append_counts_what_is_new_known_and_refused(rledger: Rledger) -> None:
    lines = purchase(1) + purchase(2) + purchase(1) + BAD + "no json\n"
    assert rledger.json("append", "-", stdin=lines) == [{"appended": 2, "duplicates": 1, "refused": 2, "position": 2}]
    assert rledger.json("append", "-", stdin=lines) == [{"appended": 0, "duplicates": 3, "refused": 2, "position": 2}]


def test_append_takes_a_file_and_says_so_in_words(rledger: Rledger, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(purchase(1) + BAD)
    done = rledger("append", str(file))
    assert done.returncode == 0
    assert done.stdout == "1 appended, 1 refused: `rledger deadletters list` says why\n"
    file.write_text(purchase(1) + BAD + purchase(2))
    assert rledger("append", str(file)).stdout == "1 appended\n"  # it goes on where it was


def test_a_batch_in_a_file_is_told_how_to_be_appended(rledger: Rledger) -> None:
    rledger("append", "-", stdin=f"[{purchase(1).strip()}, {purchase(2).strip()}]")
    (kept,) = rledger.json("deadletters", "list")
    assert (kept["code"], "jq -c '.[]' FILE | rledger append -" in kept["reason"]) == ("bad_envelope", True)


def test_the_same_identity_with_other_content_is_refused(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    assert rledger.json("append", "-", stdin=purchase(1, subject="customer/other"))[0]["refused"] == 1
    (letter,) = rledger.json("deadletters", "list")
    assert letter["code"] == "id_reused"


def test_a_file_that_is_not_there_is_an_error_and_makes_no_ledger(rledger: Rledger, tmp_path: Path) -> None:
    done = rledger("append", str(tmp_path / "nothing.jsonl"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no such file or directory: ")
    assert not Path(rledger.environ["RLEDGER_DATA"]).exists()


@pytest.mark.parametrize("way", ["file", "options"])
def test_a_csv_file_is_imported_by_its_mapping(rledger: Rledger, tmp_path: Path, way: str) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "orders.toml").write_text(MAPPING)
    pairs = ["csv.delimiter=;", "csv.decimal=,", "id={order}", "source=/shop", "type=relationship.purchase.v1", "time={ordered:time}"]
    pairs += ["subject=customer/{customer}", "data.order_id={order}", "data.amount.amount={total:money}", "data.amount.currency=EUR"]
    given = ["--mapping", str(tmp_path / "orders.toml")] if way == "file" else [part for pair in pairs for part in ("--map", pair)]
    assert rledger.json("import", str(tmp_path / "orders.csv"), *given) == [{"appended": 2, "duplicates": 0, "refused": 1, "position": 2}]
    first, _ = rledger.json("history", "customer/acme")
    assert first["event"]["data"] == {"order_id": "1", "amount": {"amount": "1234.50", "currency": "EUR"}}


def test_an_import_can_be_checked_before_anything_is_kept(rledger: Rledger, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS + "4;acme;2026-04-02T10:00:00;99.00\n")
    (tmp_path / "orders.toml").write_text(MAPPING)
    asked = ("import", str(tmp_path / "orders.csv"), "--mapping", str(tmp_path / "orders.toml"), "--check")
    done = rledger(*asked, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["accepted"], found["refused"], found["first"]["id"]) == (1, 2, 2, "1")
    assert [problem["code"] for problem in found["problems"]] == ["bad_subject", "bad_data"]
    assert found["problems"][1]["row"] == "4;acme;2026-04-02T10:00:00;99.00"
    told = rledger(*asked).stdout
    assert "2 would be appended or are known already, 2 would be refused" in told
    assert "column total: '99.00' is no number with decimal ','" in told
    assert not Path(rledger.environ["RLEDGER_DATA"]).exists()


def test_a_csv_file_without_a_mapping_is_a_usage_error(rledger: Rledger, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    done = rledger("import", str(tmp_path / "orders.csv"))
    assert done.returncode == 2
    assert "--mapping" in done.stderr


def test_a_wrong_mapping_is_an_error_that_names_the_place(rledger: Rledger, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    done = rledger("import", str(tmp_path / "orders.csv"), "--map", "id={order}")
    assert done.returncode == 1
    assert "[event]" in done.stderr


def test_a_dead_letter_is_shown_as_it_came(rledger: Rledger) -> None:
    rledger("append", "-", stdin=BAD)
    (listed,) = rledger.json("deadletters", "list")
    assert (listed["number"], listed["code"], listed["origin"]) == (1, "bad_subject", "stdin")
    (shown,) = rledger.json("deadletters", "show", "1")
    assert shown["body"] == BAD.strip()
    assert BAD.strip() in rledger("deadletters", "show", "1").stdout
    assert "bad_subject" in rledger("deadletters", "list").stdout


def test_a_corrected_dead_letter_is_appended_and_linked(rledger: Rledger, tmp_path: Path) -> None:
    rledger("append", "-", stdin=BAD)
    (tmp_path / "corrected.json").write_text(purchase(9))
    assert rledger.json("deadletters", "replay", "1", "--body", str(tmp_path / "corrected.json")) == [
        {"number": 1, "position": 1, "duplicate": False}
    ]
    assert rledger.json("deadletters", "list") == []
    (kept,) = rledger.json("deadletters", "list", "--all")
    assert kept["replayed_position"] == 1
    again = rledger("deadletters", "replay", "1", "--body", "-", stdin=purchase(9))
    assert again.stdout == "dead letter 1: /shop e9 stood already at position 1\n"


def test_a_dead_letter_that_needs_no_correction_is_dismissed_with_a_reason_and_stays_as_it_came(rledger: Rledger) -> None:
    rledger("append", "-", stdin=BAD + BAD.replace("e2", "e3"))
    assert rledger.json("deadletters", "dismiss", "1", "2", "--why", "a test message") == [
        {"number": 1, "position": 1, "duplicate": False},
        {"number": 2, "position": 2, "duplicate": False},
    ]
    assert rledger.json("deadletters", "list") == []
    assert "dismissed, a test message: " in rledger("deadletters", "list", "--all").stdout
    (shown,) = rledger.json("deadletters", "show", "1")
    assert (shown["dismissed"], shown["replayed_position"], shown["body"]) == ("a test message", 1, BAD.strip())
    (said, _) = rledger.json("history", "ledger")
    assert said["event"]["data"] == {"number": 1, "code": "bad_subject", "reason": "a test message"}
    again = rledger("deadletters", "dismiss", "1", "--why", "twice")
    assert again.stdout == "dead letter 1: was settled already at position 1\n"
    assert rledger.json("verify")[0]["ok"]


def test_none_of_several_dead_letters_is_dismissed_where_one_is_not_there(rledger: Rledger) -> None:
    rledger("append", "-", stdin=BAD)
    done = rledger("deadletters", "dismiss", "1", "7", "--why", "a test message")
    assert (done.returncode, "7" in done.stderr) == (1, True)
    assert len(rledger.json("deadletters", "list")) == 1


def test_a_correction_that_is_wrong_again_is_refused_and_the_letter_waits(rledger: Rledger) -> None:
    rledger("append", "-", stdin=BAD)
    done = rledger("deadletters", "replay", "1", "--body", "-", stdin="{}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: the CloudEvent's envelope is wrong")
    unchanged = rledger("deadletters", "replay", "1")
    assert unchanged.stderr.startswith("error: subject must be customer/<key>")
    assert len(rledger.json("deadletters", "list")) == 1


def test_there_is_no_dead_letter_that_was_not_refused(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    assert rledger("deadletters", "list").stdout.strip() == "no dead letter waits"
    done = rledger("deadletters", "show", "7")
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no dead letter 7")


def test_ctrl_c_while_waiting_for_stdin_ends_with_130_and_no_traceback(rledger: Rledger) -> None:
    process = rledger.start("append", "-", stdin=True)
    assert process.stdin is not None
    process.stdin.write(purchase(1))
    process.stdin.flush()
    eventually(lambda: Path(rledger.environ["RLEDGER_DATA"], "ledger.db").exists())
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=5)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_what_arrives_on_stdin_is_appended_before_the_stream_ends(rledger: Rledger) -> None:
    process = rledger.start("append", "-", stdin=True)
    assert process.stdin is not None
    for number in (1, 2):
        process.stdin.write(purchase(number))
        process.stdin.flush()
        eventually(lambda: f"e{number}" in rledger("history", "customer/acme").stdout)  # noqa: B023  # called here and now
    said, _ = process.communicate()
    assert said == "2 appended\n"


def test_an_import_puts_pseudonyms_in_place_of_addresses_and_who_has_the_secret_finds_them(rledger: Rledger, tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text("id,who,when\n1,ada@example.com,2026-01-01T09:00:00Z\n2,bob@example.com,2026-01-02T09:00:00Z\n")
    names = ["id={id}", "source=/calls", "type=relationship.contact.v1", "subject=customer/{who:pseudonym}", "time={when:time}"]
    given = [part for name in [*names, "data.channel=phone", "data.direction=inbound"] for part in ("--map", name)]
    assert "give it as RLEDGER_PSEUDONYM_KEY" in rledger("import", str(tmp_path / "calls.csv"), *given).stderr
    assert "give it as RLEDGER_PSEUDONYM_KEY" in rledger("pseudonym", "customer/ada@example.com").stderr
    rledger.environ["RLEDGER_PSEUDONYM_KEY"] = rledger("vault", "new").stdout.strip()
    assert rledger.json("import", str(tmp_path / "calls.csv"), *given)[0]["appended"] == 2
    whose = rledger("pseudonym", "customer/ada@example.com").stdout.strip()
    (event,) = rledger.json("history", whose)
    assert event["event"]["id"] == "1"
    assert rledger.json("pseudonym", stdin="customer/ada@example.com\n") == [{"name": "customer/ada@example.com", "relationship": whose}]
    assert rledger("pseudonym", "ada@example.com").returncode == 2
    kept = b"".join(path.read_bytes() for path in Path(rledger.environ["RLEDGER_DATA"]).rglob("*") if path.is_file())
    assert b"@example.com" not in kept
    rledger.environ["RLEDGER_PSEUDONYM_KEY"] = "secretsecret"
    told = rledger("pseudonym", "customer/ada@example.com")
    assert "RLEDGER_PSEUDONYM_KEY holds no secret" in told.stderr
    assert "secretsecret" not in told.stderr
