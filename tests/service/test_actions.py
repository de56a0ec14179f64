"""``actions``: for people and for programs."""

from datetime import UTC, datetime, timedelta

from tests.service.commands import Rledger

FIELDS = [
    *("play", "kind", "after_days", "cases", "relationships", "similar", "change", "change_similar"),
    *("effect", "interval", "verdict", "text"),
]


def test_every_play_of_the_sample_is_compared_with_similar_relationships(sampled: Rledger) -> None:
    found = sampled.json("actions")
    assert all(list(one) == FIELDS for one in found)
    assert {one["play"] for one in found} >= {"call by the owner", "service review", "delivery plan", "quality audit"}
    for one in found:
        assert one["relationships"] <= one["cases"]
        if one["effect"] is not None:
            assert one["interval"][0] <= one["effect"] <= one["interval"][1]
    told = sampled("actions").stdout
    assert "beside similar ones" in told
    assert "delivery plan" in told


def test_as_of_an_earlier_day_there_are_fewer_cases_and_as_of_today_the_same(sampled: Rledger) -> None:
    found = sampled.json("actions")
    assert sampled.json("actions", "--as-of", found_day(0)) == found
    cases = {(one["play"], one["kind"]): one["cases"] for one in found}
    before = sampled.json("actions", "--as-of", found_day(200))
    assert before
    assert all(one["cases"] <= cases[one["play"], one["kind"]] for one in before)
    assert sum(one["cases"] for one in before) < sum(cases.values())


def found_day(ago: int) -> str:
    return (datetime.now(UTC) + timedelta(minutes=1) - timedelta(days=ago)).isoformat()


def test_without_actions_it_says_so(either: Rledger) -> None:
    event = '{"specversion":"1.0","id":"1","source":"s","type":"relationship.feedback.v1","subject":"customer/a",'
    either("append", "-", stdin=event + '"time":"2026-01-01T00:00:00Z","data":{"scale":"nps","value":9}}\n')
    assert either("actions").stdout == "no action was taken long enough ago\n"
    assert either.json("actions") == []
