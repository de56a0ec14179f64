"""``correct``: a touchpoint is withdrawn or replaced; history keeps both, every answer follows, and what was believed can be told again."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.service.commands import Rledger, bare

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACME = "customer/acme"


@pytest.fixture(params=["sqlite", "postgres"])
def acme(request: pytest.FixtureRequest, tmp_path: Path) -> Rledger:
    """A ledger with one customer: opened, five purchases, a complaint."""
    store = {} if request.param == "sqlite" else {"RLEDGER_STORE": request.getfixturevalue("postgres_url")}
    rledger = Rledger(bare(tmp_path / "data") | {"RLEDGER_ACTOR": "ada"} | store)
    lines = [touch(0, "opened", {"name": "Acme"}), *[touch(number, "purchase", purchase(100)) for number in range(1, 6)]]
    lines.append(touch(6, "complaint", {"complaint_id": "C-1", "by": "them", "severity": "critical"}))
    rledger("append", "-", stdin="\n".join(lines))
    return rledger


def touch(number: int, type_: str, data: dict[str, Any]) -> str:
    moment = (START + timedelta(days=number)).isoformat()
    head = {"specversion": "1.0", "id": f"e{number}", "source": "/shop", "subject": ACME, "time": moment}
    return json.dumps(head | {"type": f"relationship.{type_}.v1", "data": data})


def purchase(amount: int) -> dict[str, Any]:
    return {"order_id": "O-1", "amount": {"amount": f"{amount}.00", "currency": "EUR"}}


def test_a_withdrawn_touchpoint_counts_for_nothing_and_history_keeps_both(acme: Rledger) -> None:
    before, moment = acme.json("show", ACME)[0], datetime.now(UTC).isoformat()
    (made,) = acme.json("correct", "/shop", "e6", "--why", "it was another customer's")
    assert made == {"position": 8, "relationship": ACME, "corrects": 7, "now": "withdrawn"}
    after = acme.json("show", ACME)[0]
    assert after["quality"] > before["quality"]
    assert (before["events"], after["events"], after["position"]) == (7, 6, 8)
    assert after["last_at"] == "2026-03-06T12:00:00Z"
    believed = acme.json("show", ACME, "--known-at", moment)[0]
    assert (believed["events"], believed["quality"]) == (7, pytest.approx(before["quality"], abs=0.01))
    assert acme.json("show", ACME, "--as-of", "2026-03-31")[0]["events"] == 6  # what had happened by then, as it is known now

    *_, complaint, correction = acme.json("history", ACME)
    assert complaint["corrected"] == {"position": 8, "now": "withdrawn", "reason": "it was another customer's"}
    assert complaint["event"]["data"]["severity"] == "critical"
    assert (correction["corrects"], correction["event"]["actor"]) == (7, "ada")
    assert list(acme.json("history", ACME)[0]) == ["position", "version", "recorded_at", "event"]
    assert "corrected" not in acme.json("history", ACME, "--known-at", moment)[-1]
    table = acme("history", ACME).stdout
    assert "withdrawn by 8" in table
    assert "corrects 7" in table


def test_an_explanation_says_what_was_corrected_and_still_adds_up(acme: Rledger) -> None:
    acme.json("correct", "/shop", "e6", "--why", "not ours")
    acme.json("correct", "/shop", "e5", "--why", "a digit", "--replace", "-", stdin=json.dumps(purchase(1)))
    head, *events, others = acme.json("explain", ACME)
    assert head["base"] + sum(event["contribution"] for event in events) + others["others"] == pytest.approx(head["quality"], abs=0.01)
    corrected = {event["position"]: event["corrected"]["now"] for event in events if "corrected" in event}
    assert corrected == {7: "withdrawn", 6: "replaced"}
    assert (events[-1]["position"], events[-1]["contribution"], events[-1]["effect"]) == (7, 0.0, 0.0)
    told = acme("explain", ACME).stdout
    assert "the complaint at position 7 was withdrawn and counts for nothing: not ours (position 8)" in told
    assert "the purchase at position 6 was replaced: a digit (position 9)" in told


def test_a_replacement_counts_in_place_of_the_data(acme: Rledger, tmp_path: Path) -> None:
    right = tmp_path / "right.json"
    right.write_text(json.dumps(purchase(5000)))
    before = acme.json("show", ACME)[0]["value"]["amount"]
    (made,) = acme.json("correct", "/shop", "e1", "--why", "a zero was missing", "--replace", str(right))
    assert made["now"] == "replaced"
    assert float(acme.json("show", ACME)[0]["value"]["amount"]) > 5 * float(before)
    assert acme.json("show", ACME)[0]["events"] == 7


def test_the_last_correction_recorded_counts(acme: Rledger) -> None:
    for replacement in (purchase(7), None, purchase(9)):
        given = ("--replace", "-") if replacement else ()
        (made,) = acme.json("correct", "/shop", "e1", "--why", "again", *given, stdin=json.dumps(replacement))
    assert (made["position"], made["corrects"], made["instead_of"]) == (10, 2, 9)
    lines = acme.json("history", ACME)
    assert lines[1]["corrected"]["position"] == 10
    assert [line["corrects"] for line in lines[-3:]] == [2, 2, 2]
    done = acme("correct", "/shop", "e1", "--why", "again", "--replace", "-", stdin=json.dumps(purchase(9)))
    assert done.stderr == "error: it says so already: nothing would change\n"
    acme.json("correct", "/shop", "e1", "--why", "again")
    assert "withdrawn at position 11 already" in acme("correct", "/shop", "e1", "--why", "and again").stderr
    told = acme("correct", "/shop", "e1", "--why", "it was there", "--replace", "-", stdin=json.dumps(purchase(9))).stdout
    assert told == f"position 2 of {ACME} is replaced by position 12; the correction at position 11 no longer holds\n"


@pytest.mark.parametrize("acme", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (("/shop", "e99", "--why", "x"), "", "no touchpoint has source '/shop' and id 'e99'"),
        (("/shop", "e1", "--why", " "), "", "needs a reason"),
        (("/shop", "e1", "--why", "x", "--replace", "-"), "{", "not UTF-8 JSON"),
        (("/shop", "e1", "--why", "x", "--replace", "-"), "[1]", "a JSON object"),
        (("/shop", "e1", "--why", "x", "--replace", "-"), '{"order_id": "O"}', "not that of relationship.purchase.v1: Object missing"),
        (
            ("/shop", "e1", "--why", "x", "--replace", "-"),
            '{"order_id": "O", "amount": {"amount": "1,50", "currency": "EUR"}}',
            "expected money",
        ),
        (("/shop", "e1", "--why", "x", "--replace", "-"), '{"order_id": "\\u0000"}', "U+0000"),
        (("/shop", "e1", "--why", "x", "--replace", "-"), '{"deep": ' + "[" * 40 + "]" * 40 + "}", "nested over 32 levels"),
    ],
)
def test_what_cannot_be_corrected_is_refused_in_words(acme: Rledger, arguments: tuple[str, ...], stdin: str, message: str) -> None:
    done = acme("correct", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert acme.head() == 7


def test_a_correction_is_not_corrected_and_neither_is_what_else_the_ledger_wrote(acme: Rledger) -> None:
    acme.json("correct", "/shop", "e6", "--why", "x")
    correction = acme.json("history", ACME)[-1]["event"]
    done = acme("correct", "rledger", correction["id"], "--why", "no")
    assert "is itself a correction: correct its touchpoint again (source '/shop', id 'e6')" in done.stderr


def test_a_relationship_whose_touchpoints_are_all_withdrawn_is_gone_and_its_history_is_not(acme: Rledger) -> None:
    for number in range(7):
        acme.json("correct", "/shop", f"e{number}", "--why", "a test")
    assert "customer/acme is not in the ledger" in acme("show", ACME).stderr
    assert acme.json("list") == []
    assert len(acme.json("history", ACME)) == 14
