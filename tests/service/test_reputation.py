"""``reputation``: for people and for programs."""

import pytest

from tests.service.commands import Rledger

WHOLE = "level interval base parties evidence drivers remedies as_of known_at policy"


def test_the_company_is_one_object_and_it_adds_up(sampled: Rledger) -> None:
    (found,) = sampled.json("reputation")
    assert list(found) == WHOLE.split()
    assert found["base"] + sum(driver["contribution"] for driver in found["drivers"]) == pytest.approx(found["level"], abs=0.01)
    gains = [remedy["gain"] for remedy in found["remedies"]]
    assert gains == sorted(gains, reverse=True)
    assert all(low <= gain <= high for gain, (low, high) in ((one["gain"], one["interval"]) for one in found["remedies"]))


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("kind", {"customer", "partner"}),
        ("segment", {"retail", "hospitality", "health", "public", "metal", "plastics", "freight", "packaging"}),
    ],
)
def test_parts_are_a_line_each(sampled: Rledger, by: str, names: set[str]) -> None:
    rows = sampled.json("reputation", "--by", by)
    assert {row["name"] for row in rows} == names
    assert all(row["by"] == by and row["interval"][0] <= row["level"] <= row["interval"][1] for row in rows)


def test_topics_are_the_drivers_of_the_whole(sampled: Rledger) -> None:
    (whole,) = sampled.json("reputation")
    assert [row["topic"] for row in sampled.json("reputation", "--by", "topic")] == [driver["topic"] for driver in whole["drivers"]]


def test_people_read_what_costs_points_and_what_would_win_some_back(sampled: Rledger) -> None:
    told = sampled("reputation").stdout
    for words in ("reputation", "late or short deliveries halved", "what costs them", "between", "300 counterparties"):
        assert words in told
    for by, words in {"segment": "hospitality", "month": "-12  ", "topic": "handling", "kind": "partner"}.items():
        assert words in sampled("reputation", "--by", by).stdout


def test_it_can_be_told_as_of_a_moment_before_anything_happened(sampled: Rledger) -> None:
    (found,) = sampled.json("reputation", "--as-of", "2001-01-01")
    assert (found["parties"], found["level"], found["as_of"]) == (0, found["base"], "2001-01-01T23:59:59.999999Z")
    assert "nothing is known" in sampled("reputation", "--as-of", "2001-01-01", "--by", "month").stdout
