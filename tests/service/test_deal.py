"""``rledger deal evaluate``, as a manager and as a program use it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from projections.deals.proposal import DEAL_CODES
from tests.service.commands import Rledger

MANUAL = Path(__file__).parents[2] / "docs" / "deals.md"
FIELDS = [
    "ours",
    "theirs",
    "joint_gain",
    "nash_product",
    "nash_efficiency",
    "pareto_dominated",
    "verdict",
    "nash_point",
    "ks_point",
    "counter_offer",
    "effects",
]
PRICE = {"issue": "price", "ours": {"target": 80, "reservation": 120}, "theirs": {"target": 120, "reservation": 80}}


def offer(price: float, **more: Any) -> str:
    return json.dumps({"issues": [PRICE], "terms": {"price": price}, **more})


def block(language: str) -> str:
    """The manual's block in a language."""
    found = re.search(rf"```{language}\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_manuals_example_is_what_the_command_says(rledger: Rledger, tmp_path: Path) -> None:
    file = tmp_path / "offer.json"
    file.write_text(block("json"))
    command, said = block("console").split("\n", maxsplit=1)
    done = rledger(*command.removeprefix("$ rledger ").replace("offer.json", str(file)).split())
    assert [line.rstrip() for line in done.stdout.rstrip().splitlines()] == said.rstrip().splitlines()


def test_the_manuals_figures_are_right_to_the_last_digit(rledger: Rledger) -> None:
    [found] = rledger.json("deal", "evaluate", "-", "--kind", "partner", stdin=block("json"))
    assert (found["ours"]["gain"], found["theirs"]["gain"], found["joint_gain"]) == (0.4375, 0.4375, 0.875)
    assert (found["ours"]["share"], found["nash_product"], found["pareto_dominated"]) == (0.5, 0.19140625, True)
    assert found["nash_efficiency"] == pytest.approx(0.19140625 / 0.31640625)
    for point in ("nash_point", "ks_point", "counter_offer"):
        assert found[point] == {"terms": {"price": 95, "payment_days": 20}, "ours": 0.5625, "theirs": 0.5625}
    assert found["effects"] == {"balance": 0.1875, "quality": 1.875, "reputation": 0, "warnings": []}


def test_the_manual_names_every_code() -> None:
    assert re.findall(r"^\| `([a-z_]+)` \| ", MANUAL.read_text().split("## Exactly")[1], re.MULTILINE) == list(DEAL_CODES)


def test_the_answer_has_the_fields_it_is_known_by(rledger: Rledger) -> None:
    [found] = rledger.json("deal", "evaluate", "-", stdin=offer(100))
    assert list(found) == FIELDS
    assert set(found["ours"]) == set(found["theirs"]) == {"gain", "share", "reservation", "target"}


def test_a_deal_a_line_is_answered_a_line_each_and_one_that_cannot_be_does_not_stop_the_rest(rledger: Rledger) -> None:
    lines = "\n".join([offer(100), "", offer(90, terms={"prise": 90}), "[]", offer(83)])
    done = rledger("deal", "evaluate", "-", "--json", stdin=lines)
    first, wrong, none, last = map(json.loads, done.stdout.splitlines())
    assert (first["verdict"], last["verdict"]) == ("balanced", "unequal")
    assert (wrong["line"], wrong["code"]) == (3, "unknown_issue")
    assert (none["line"], none["code"]) == (4, "bad_deal")
    assert (done.returncode, done.stderr) == (1, "error: 2 of 4 deals cannot be evaluated\n")
    told = rledger("deal", "evaluate", "-", stdin=lines).stdout
    assert "line 3 cannot be evaluated: terms names 'prise'" in told
    assert "they gain 0.07 of their range, less than 0.25" in told


def test_an_opening_with_terms_added_will_do(rledger: Rledger) -> None:
    [found] = rledger.json("deal", "evaluate", "-", stdin=offer(100, negotiation_id="N-1", about="steel"))
    assert found["verdict"] == "balanced"


def test_estimates_are_shown_as_ranges(rledger: Rledger) -> None:
    unknown = {**PRICE, "theirs": None, "benchmark": 100}
    told = rledger("deal", "evaluate", "-", stdin=offer(95, issues=[unknown])).stdout
    assert "cannot tell" in told
    assert "80 to 100" in told
    assert "-0.12 to 0.38" in told


@pytest.mark.parametrize(
    ("body", "says"), [("", "no JSON object"), ("{\n]", "no JSON object"), (offer(100, terms={}), "at least one of price")]
)
def test_what_cannot_be_evaluated_is_an_error(rledger: Rledger, body: str, says: str) -> None:
    done = rledger("deal", "evaluate", "-", "--json", stdin=body)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert says in done.stderr


def test_a_file_that_is_not_there_is_an_error(rledger: Rledger) -> None:
    done = rledger("deal", "evaluate", "nowhere.json")
    assert (done.returncode, done.stderr) == (1, "error: no such file or directory: nowhere.json\n")


def test_the_effects_on_a_relationship_start_from_where_it_stands(sampled: Rledger) -> None:
    [partner] = sampled.json("list", "--kind", "partner", "--sort", "level_balance", "--limit", "1")
    balance = partner["dimensions"]["balance"]["level"]
    [new] = sampled.json("deal", "evaluate", "-", "--kind", "partner", stdin=offer(100))
    [found] = sampled.json("deal", "evaluate", "-", "--relationship", partner["relationship"], stdin=offer(100))
    assert balance < 0.4
    assert 0 < found["effects"]["balance"] != new["effects"]["balance"]
    assert found["effects"]["quality"] == pytest.approx(10 * found["effects"]["balance"], abs=1e-3)
    assert {**found, "effects": new["effects"]} == new


def test_a_relationship_that_is_not_there_or_named_beside_a_kind_is_an_error(sampled: Rledger) -> None:
    done = sampled("deal", "evaluate", "-", "--relationship", "partner/nobody", stdin=offer(100))
    assert done.returncode == 1
    assert "partner/nobody is not in the ledger" in done.stderr
    done = sampled("deal", "evaluate", "-", "--relationship", "partner/nobody", "--kind", "partner", stdin=offer(100))
    assert done.returncode == 2
