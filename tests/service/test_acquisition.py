"""``acquisition``: for people and for programs."""

import pytest

from tests.service.commands import Rledger


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("channel", {"referral", "web", "fair", "partner", "campaign"}),
        ("segment", {"retail", "hospitality", "health", "public"}),
        ("incentive", {"none", "first-order-10", "free-trial"}),
    ],
)
def test_cohorts_are_a_line_each(sampled: Rledger, by: str, names: set[str]) -> None:
    rows = [row for row in sampled.json("acquisition", "--kind", "customer", "--by", by) if row["line"] == "cohort"]
    assert {row["cohort"] for row in rows} == names
    assert sum(row["relationships"] + row["young"] + row["unknown"] for row in rows) == 200
    assert all(row["interval"][0] <= row["quality"] <= row["interval"][1] for row in rows)
    assert all((row["by"], row["kind"], row["horizon_days"]) == (by, "customer", 180) for row in rows)


def test_everything_is_told_at_once_and_proposals_are_ranked(sampled: Rledger) -> None:
    rows = sampled.json("acquisition", "--kind", "partner", "--limit", "0")
    assert {row["line"] for row in rows} == {"cohort", "incentive", "proposal"}
    proposals = [row for row in rows if row["line"] == "proposal"]
    assert [row["rank"] for row in proposals] == list(range(1, len(proposals) + 1))
    assert all(row["text"] and row["kind"] == "partner" for row in proposals)


def test_people_read_what_to_do_and_that_much_was_looked_at(sampled: Rledger) -> None:
    done = sampled("acquisition")
    assert done.returncode == 0
    for words in ("customers, 180 days after they began", "partners, 180 days", "would leave them", "cohorts were looked at", "by chance"):
        assert words in done.stdout
    told = sampled("acquisition", "--kind", "customer", "--by", "first", "--horizon", "90").stdout
    for words in ("first purchase", "first delivery", "on time and in full", "still buy", "beside similar", "90 days"):
        assert words in told


def test_the_past_can_be_asked_about_and_what_does_not_fit_is_refused(sampled: Rledger) -> None:
    told = sampled("acquisition", "--kind", "customer", "--by", "channel", "--as-of", "2001-01-01").stdout
    assert "no proposal" in told
    refused = sampled("acquisition", "--horizon", "30")
    assert (refused.returncode, "no horizon of 30 days" in refused.stderr) == (1, True)
