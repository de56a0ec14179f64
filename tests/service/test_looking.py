"""``show``, ``list``, ``explain``, ``history``: the questions, answered for people and for programs."""

import json
import subprocess
from datetime import date, timedelta

import pytest

from schemas.catalogue import Money, Opened, Purchase
from schemas.cloudevents import touchpoint
from tests.service.commands import COMMAND, Rledger

SHOWN = (
    "relationship kind name segment channel owner quality interval trend standing reasons dimensions value events first_at last_at"
    " position as_of known_at"
)
SOMEBODY = "customer/vale-printing"
ESCAPE = "\x1b["


def test_show_tells_everything_on_one_line_of_json(sampled: Rledger) -> None:
    (shown,) = sampled.json("show", SOMEBODY)
    assert list(shown) == [*SHOWN.split(), *["percentile", "ahead", "phase", "turned", "course", "net", "notices", "next_steps"]]
    assert shown["relationship"] == SOMEBODY
    assert 0 <= shown["interval"][0] <= shown["quality"] <= shown["interval"][1] <= 100
    assert set(shown["reasons"][0]) == {"rule", "figure", "threshold", "text"}
    assert all(set(one) == {"level", "interval", "evidence"} for one in shown["dimensions"].values())


def test_show_draws_a_card_for_people(sampled: Rledger) -> None:
    (shown,) = sampled.json("show", SOMEBODY)
    card = sampled("show", SOMEBODY).stdout
    for told in ("Vale Printing", SOMEBODY, shown["standing"], shown["segment"], f"{shown['quality']:.1f}", *shown["dimensions"]):
        assert told in card
    assert all(reason["text"] in card for reason in shown["reasons"])
    assert len({len(line) for line in card.splitlines()}) == 1  # its frame is straight


def test_a_rate_recorded_by_the_ledger_brings_currencies_together(rledger: Rledger) -> None:
    for number, (amount, currency) in enumerate((("100.00", "EUR"), ("100.00", "EUR"), ("50.00", "USD"))):
        bought = Purchase(f"o{number}", Money(amount, currency))
        event = touchpoint("shop", f"o{number}", "relationship.purchase.v1", "customer/acme", 1_780_000_000_000_000 + number, bought)
        rledger("append", "-", stdin=event.event.decode())
    (before,) = rledger.json("show", "customer/acme")
    assert list(before["value"]["others"]) == ["USD"]
    assert before["notices"][0]["notice"] == "no_exchange_rate"
    assert rledger("exchange", "usd", "eur", "0.5", "--on", "2026-01-01").stdout.startswith("1 USD is 0.5 EUR from 2026-01-01 on")
    (after,) = rledger.json("show", "customer/acme")
    assert (after["value"]["others"], after["notices"]) == ({}, [])
    assert float(after["value"]["amount"]) == pytest.approx(float(before["value"]["amount"]) * 225 / 200, rel=1e-3)
    wrong = rledger("exchange", "dollars", "eur", "0.5", "--on", "2026-01-01")
    assert (wrong.returncode, wrong.stderr.startswith("error: no exchange rate")) == (1, True)


def test_every_relationship_of_the_sample_can_be_shown(sampled: Rledger) -> None:
    rows = sampled.json("list", "--limit", "0")
    assert len(rows) == 300
    assert all(list(row) == SHOWN.split() for row in rows)


def test_list_filters_and_sorts(sampled: Rledger) -> None:
    everybody = sampled.json("list", "--limit", "0", "--sort", "quality")
    assert [row["quality"] for row in everybody] == sorted(row["quality"] for row in everybody)
    some = sampled.json("list", "--limit", "0", "--kind", "partner", "--standing", "repair", "--sort", "name", "--descending")
    assert {row["relationship"] for row in some} == {
        row["relationship"] for row in everybody if (row["kind"], row["standing"]) == ("partner", "repair")
    }
    assert [row["name"] for row in some] == sorted((row["name"] for row in some), reverse=True)
    assert len(sampled.json("list")) == 20


def test_list_finds_a_relationship_by_a_part_of_its_name_or_key(sampled: Rledger) -> None:
    everybody = sampled.json("list", "--limit", "0")
    for text in ("VALE", "vale-", "ale Print"):
        wanted = {row["relationship"] for row in everybody if text.lower() in row["relationship"] or text.lower() in row["name"].lower()}
        assert SOMEBODY in wanted
        assert {row["relationship"] for row in sampled.json("list", "--name", text, "--limit", "0")} == wanted
    by_trend = [row["relationship"] for row in sampled.json("list", "--sort", "trend", "--limit", "0") if "printing" in row["relationship"]]
    assert [row["relationship"] for row in sampled.json("list", "--name", "printing", "--sort", "trend", "--limit", "2")] == by_trend[:2]
    then = sampled.json("list", "--name", "vale printing", "--as-of", everybody[0]["as_of"])
    assert [row["relationship"] for row in then] == [SOMEBODY]
    assert "no relationship matches" in sampled("list", "--name", "nobody at all").stdout


def test_more_are_found_by_name_than_a_view_is_asked_for_at_once(sampled: Rledger, monkeypatch: pytest.MonkeyPatch) -> None:
    few = sampled.json("list", "--name", "a", "--limit", "3")
    monkeypatch.setattr("projections.names.NAMED_MAX", 1)
    assert [one["relationship"] for one in sampled.json("list", "--name", "a", "--limit", "3")] == [one["relationship"] for one in few]


@pytest.mark.parametrize(
    "typed", ["customer/vale-printin", "partner/vale-printing", "Vale Printing", "customer/vael-printing", "vale-print"]
)
def test_a_name_that_is_not_there_is_answered_with_those_that_may_be_meant(sampled: Rledger, typed: str) -> None:
    for command in ("show", "explain", "history"):
        done = sampled(command, typed)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{typed} is not in the ledger; did you mean {SOMEBODY}" in done.stderr
    assert f"did you mean {SOMEBODY}" in sampled("alerts", "list", "--relationship", typed).stderr
    assert "`rledger list --name TEXT` finds one" in sampled("show", "customer/qqq").stderr


def test_a_table_in_a_pipe_is_plain_and_aligned(sampled: Rledger) -> None:
    table = sampled("list", "--limit", "5").stdout
    assert ESCAPE not in table
    heading, *rows = table.splitlines()[:6]
    assert all(row[heading.index("segment") - 1] == " " and row[heading.index("segment")] != " " for row in rows)


def test_an_explanation_adds_up_to_the_score(sampled: Rledger) -> None:
    head, *events, others = sampled.json("explain", SOMEBODY)
    assert list(head) == ["relationship", "quality", "interval", "base", "as_of", "policy"]
    assert list(others) == ["others"]
    assert head["base"] + sum(event["contribution"] for event in events) + others["others"] == pytest.approx(head["quality"], abs=0.01)
    sizes = [abs(event["contribution"]) for event in events]
    assert sizes == sorted(sizes, reverse=True)


def test_an_explanation_for_people_adds_up_too(sampled: Rledger) -> None:
    lines = sampled("explain", SOMEBODY, "--limit", "3").stdout.splitlines()
    points = [float(line.split()[0]) for line in lines if line.strip() and line.split()[0].lstrip("+-").replace(".", "").isdigit()]
    *parts, quality = points
    assert len(parts) == 1 + 3 + 1 + 1
    assert sum(parts) == pytest.approx(quality, abs=0.04)


def test_history_gives_each_event_as_it_was_stored(sampled: Rledger) -> None:
    lines = sampled.json("history", SOMEBODY)
    assert list(lines[0]) == ["position", "version", "recorded_at", "event"]
    assert [line["version"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[0]["event"]["type"] == "relationship.opened.v1"
    assert lines == sampled.json("history", SOMEBODY, "--all")
    assert lines[-3:] == sampled.json("history", SOMEBODY, "--limit", "3")
    assert len(sampled("history", SOMEBODY).stdout.splitlines()) == 20 + 3  # heading, rows, an empty line, a note


def test_a_bare_date_means_the_end_of_that_utc_day(sampled: Rledger) -> None:
    assert sampled.json("show", SOMEBODY, "--as-of", "2026-05-01")[0]["as_of"] == "2026-05-01T23:59:59.999999Z"
    offset, utc = (sampled.json("show", SOMEBODY, "--as-of", moment)[0] for moment in ("2026-05-01T12:00:00+02:00", "2026-05-01T10:00:00"))
    assert offset["as_of"] == utc["as_of"] == "2026-05-01T10:00:00Z"


def test_the_past_is_told_from_what_had_happened_and_from_what_was_known(sampled: Rledger) -> None:
    (now,), (then,) = sampled.json("show", SOMEBODY), sampled.json("show", SOMEBODY, "--as-of", "2026-01-31")
    assert then["events"] < now["events"]
    assert then["last_at"] <= "2026-02-01"
    yesterday = str(date.fromisoformat(now["known_at"][:10]) - timedelta(days=1))
    unknown = sampled("show", SOMEBODY, "--known-at", yesterday)
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("error: customer/vale-printing had no touchpoint")


@pytest.mark.parametrize("command", ["show", "explain", "history"])
def test_an_unknown_relationship_is_an_error_that_says_where_to_look(sampled: Rledger, command: str) -> None:
    done = sampled(command, "customer/nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: customer/nobody")
    assert "Traceback" not in done.stderr


def test_a_moment_that_is_none_is_a_usage_error(sampled: Rledger) -> None:
    done = sampled("list", "--as-of", "yesterday")
    assert done.returncode == 2
    assert "2026-05-01T09:30:00Z" in done.stderr


def test_the_views_are_brought_up_to_date_when_no_worker_runs(rledger: Rledger) -> None:
    for number, name in enumerate(("Acme", "Acme & Sons")):
        opened = touchpoint("crm", name, "relationship.opened.v1", "customer/acme", 1_780_000_000_000_000 + number, Opened(name))
        rledger("append", "-", stdin=opened.event.decode())
        assert rledger.json("show", "customer/acme")[0]["name"] == name


def test_a_reader_that_goes_away_ends_a_command_quietly(sampled: Rledger) -> None:
    command = " ".join([*COMMAND, "list", "--limit", "0", "--json"])
    done = subprocess.run(["bash", "-c", f"{command} | head -c 50"], env=sampled.environ, capture_output=True, text=True, check=True)
    assert done.stdout.startswith('{"relationship"')
    assert done.stderr == ""


def test_colours_are_for_terminals_and_can_be_refused(sampled: Rledger) -> None:
    def in_a_terminal(**environ: str) -> str:
        command = " ".join([*COMMAND, "show", SOMEBODY])
        done = subprocess.run(
            ["script", "-qec", command, "/dev/null"], env=sampled.environ | {"TERM": "xterm"} | environ, capture_output=True, check=True
        )
        return done.stdout.decode()

    assert f"{ESCAPE}3" in in_a_terminal() or f"{ESCAPE}1;3" in in_a_terminal()
    refused = in_a_terminal(NO_COLOR="1")
    assert f"{ESCAPE}3" not in refused
    assert f"{ESCAPE}1;3" not in refused


def test_json_is_ascii_or_utf_8_and_one_object_a_line(sampled: Rledger) -> None:
    assert all(isinstance(json.loads(line), dict) for line in sampled("list", "--json").stdout.splitlines())


def test_a_limit_of_nought_means_all_of_a_history_too(sampled: Rledger) -> None:
    every = sampled.json("history", SOMEBODY)
    assert sampled.json("history", SOMEBODY, "--limit", "0") == sampled.json("history", SOMEBODY, "--all") == every
    assert sampled("history", SOMEBODY, "--limit", "0").stdout == sampled("history", SOMEBODY, "--all").stdout
    assert sampled.json("history", SOMEBODY, "--limit", "3") == every[-3:]
