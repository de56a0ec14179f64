"""``partners``: for people and for programs."""

from tests.service.commands import Rledger

ROW = "relationship name segment quality standing scorecard exposure leaks asks months"


def test_every_partner_is_a_line_of_json_where_most_leaks_first(sampled: Rledger) -> None:
    rows = sampled.json("partners")
    assert len(rows) == 100
    assert all(list(row) == ROW.split() for row in rows)
    leaking = [sum(leak["cost"] for leak in row["leaks"]) for row in rows]
    assert leaking == sorted(leaking, reverse=True)
    assert len(sampled.json("partners", "--limit", "3")) == 3


def test_one_partner_is_told_in_full(sampled: Rledger) -> None:
    worst = sampled.json("partners", "--limit", "1")[0]
    (one,) = sampled.json("partners", worst["relationship"], "--period", "2026-Q3")
    assert one["scorecard"]["period"] == "2026-Q3"
    assert all(month["period"] in ("2026-07", "2026-08", "2026-09") for month in one["months"])
    told = sampled("partners", worst["relationship"]).stdout
    for words in (worst["name"], worst["exposure"]["quadrant"], "costs a month", "OTIF", worst["leaks"][0]["remedy"]):
        assert words in told


def test_people_see_the_first_and_are_told_how_to_see_more(sampled: Rledger) -> None:
    table = sampled("partners").stdout
    assert "20 of 100 partners" in table
    assert len(sampled("partners", "--limit", "0").stdout.splitlines()) == 101


def test_what_is_no_period_and_who_is_no_partner_is_an_error(sampled: Rledger) -> None:
    for arguments, message in ((("--period", "spring"), "is no period"), (("customer/acme",), "is no partner")):
        done = sampled("partners", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert message in done.stderr
