"""Cohorts: chance makes few proposals, a true difference is found, and nobody is praised for what others brought."""

import random

import pytest

from projections.acquisition.began import Began
from projections.acquisition.cohorts import Cohort, cohorts
from projections.acquisition.proposals import of_cohorts, ranked
from tests.projections.acquisition.worlds import ASKED, HORIZON, OLD_DAY, drawn, every, world
from tests.projections.events import POLICY

WORLDS = 30
RULE = POLICY.acquisition


def by_name(found: list[Cohort]) -> dict[str | None, Cohort]:
    return {one.cohort: one for one in found}


@pytest.mark.parametrize("count", [60, 300])
def test_a_world_without_differences_yields_hardly_a_proposal(count: int) -> None:
    """Some 24 cohorts a world, nine in ten of them large enough to be told; a test each at 5 % would name two."""
    rng = random.Random(11)
    named = [len(of_cohorts(every(world(rng, count)), RULE)) for _ in range(WORLDS)]
    assert sum(named) <= 0.2 * WORLDS


def test_a_channel_that_is_better_in_truth_is_found_and_little_else() -> None:
    rng, found, others = random.Random(12), 0, 0
    for _ in range(WORLDS):
        proposals = ranked(of_cohorts(every(world(rng, 300, {"referral": 9.0})), RULE))
        found += any(one.text.startswith("ask your referrers: customers won by referral are at") for one in proposals)
        others += sum(one.what != "attract" for one in proposals)
    assert found >= 0.85 * WORLDS
    assert others <= 0.2 * WORLDS


def test_a_first_experience_that_harms_in_truth_is_found() -> None:
    rng, found = random.Random(13), 0
    for _ in range(WORLDS):
        proposals = of_cohorts(every(world(rng, 300, {"late": -9.0})), RULE)
        found += any(one.text.startswith("see to it that the first delivery comes") for one in proposals)
    assert found >= 0.7 * WORLDS


def test_the_level_is_drawn_towards_all_and_the_less_the_more_there_are() -> None:
    rng = random.Random(14)
    few = [drawn(rng, won={"channel": "fair"}, quality=90.0) for _ in range(5)]
    many = [drawn(rng, won={"channel": "web"}, quality=rng.gauss(70.0, 10.0)) for _ in range(200)]
    found = by_name(cohorts(few + many, "channel", ASKED, POLICY))
    assert found["fair"].measured == 90.0
    assert found["fair"].quality is not None
    assert found["web"].quality is not None
    assert 72.0 < found["fair"].quality < 88.0
    assert found["web"].quality == pytest.approx(found["web"].measured, abs=0.3)


def test_a_channel_is_not_praised_for_the_segment_it_brings() -> None:
    """All of the difference is the segment's; of the fair's customers nine in ten are of it."""
    rng = random.Random(15)
    began = []
    for _ in range(400):
        channel = rng.choice(("fair", "web"))
        segment = "health" if rng.random() < (0.9 if channel == "fair" else 0.2) else "retail"
        began.append(drawn(rng, {"health": 12.0}, won={"channel": channel, "segment": segment, "incentive": None}))
    found = by_name(cohorts(began, "channel", ASKED, POLICY))
    assert found["fair"].quality is not None
    assert found["web"].quality is not None
    assert found["fair"].quality - found["web"].quality > 5.0
    assert {one.verdict for one in found.values()} == {"not sure"}
    assert by_name(cohorts(began, "segment", ASKED, POLICY))["health"].verdict == "better"


def test_incentives_are_held_against_those_who_had_none() -> None:
    rng = random.Random(16)
    began = world(rng, 600, {"free-trial": -8.0, "first-order-10": -8.0})
    found = by_name(cohorts(began, "incentive", ASKED, POLICY))
    assert found["free-trial"].verdict == found["first-order-10"].verdict == "worse"
    assert found["none"].verdict == "better"  # the other side of the same, and nothing to offer
    told = [one.text.partition(":")[0] for one in of_cohorts(found.values(), RULE)]
    assert sorted(told) == ["think twice before offering first-order-10", "think twice before offering free-trial"]


def test_what_never_came_is_named_by_the_days_in_which_it_should_have() -> None:
    rng = random.Random(20)
    began = [drawn(rng, {"late": 0.0}, firsts={"delivery": None}, quality=rng.gauss(45.0, 9.0)) for _ in range(40)] + world(rng, 200)
    texts = [one.text for one in of_cohorts(cohorts(began, "first", ASKED, POLICY), RULE)]
    assert any("customers without a delivery in the first 45 days are at 4" in text for text in texts)


def test_who_is_too_young_or_unknown_is_left_out_and_counted() -> None:
    rng = random.Random(17)
    fair = {"channel": "fair", "segment": "retail", "incentive": None}
    began = [drawn(rng, won=fair, quality=80.0) for _ in range(6)]
    began += [drawn(rng, won=fair, quality=1.0, begun_day=OLD_DAY + 1) for _ in range(3)]
    began += [drawn(rng, won=fair, quality=None) for _ in range(2)]
    (found,) = cohorts(began, "channel", ASKED, POLICY)
    assert (found.relationships, found.young, found.unknown, found.measured) == (6, 3, 2, 80.0)
    assert (found.horizon_days, found.verdict, found.similar) == (HORIZON, "not enough cases", 0)


def test_too_few_are_told_and_not_judged() -> None:
    rng = random.Random(18)
    began = [
        drawn(rng, won={"channel": "fair", "segment": "retail", "incentive": None}, quality=99.0) for _ in range(RULE.relationships_min - 1)
    ]
    began += [drawn(rng, won={"channel": "web", "segment": "retail", "incentive": None}) for _ in range(100)]
    fair = by_name(cohorts(began, "channel", ASKED, POLICY))["fair"]
    assert (fair.verdict, fair.beside, fair.relationships) == ("not enough cases", None, RULE.relationships_min - 1)
    assert fair.quality is not None


def test_first_purchases_are_parted_by_size_in_each_currency() -> None:
    began = [drawn(random.Random(number), purchase=("EUR", float(number))) for number in range(1, 31)]
    began += [drawn(random.Random(number), purchase=("USD", 5.0)) for number in range(3)]  # too few to be parted
    began.append(drawn(random.Random(1), purchase=None))
    found = {one.cohort: one.relationships for one in cohorts(began, "first", ASKED, POLICY) if one.experience == "purchase"}
    assert found == {"up to 11 EUR": 10, "11 to 20 EUR": 10, "above 20 EUR": 10, "none in the first days": 1}


def test_no_experience_is_one_where_it_says_something() -> None:
    nothing = {"delivery": None, "complaint": None, "answer": None, "payment": None}
    found = {one.experience: one.cohort for one in cohorts([drawn(random.Random(1), firsts=nothing)], "first", ASKED, POLICY)}
    assert found["delivery"] == found["complaint"] == "none in the first days"
    assert "answer" not in found


def test_values_are_compared_in_the_currency_most_have() -> None:
    rng = random.Random(19)
    began = [drawn(rng, value=100.0 if number % 2 else 300.0, won={"channel": "web"}) for number in range(40)]
    began.append(drawn(rng, value=9e9, currency="JPY", won={"channel": "web"}))
    (found,) = cohorts(began, "channel", ASKED, POLICY)
    assert (found.currency, found.valued, found.cost) == ("EUR", 40, 50.0)
    assert found.value == pytest.approx(200.0, rel=0.02)
    assert found.active_interval is not None
    assert found.active_percent is not None
    assert 0.0 <= found.active_interval[0] < found.active_percent < found.active_interval[1] <= 100.0


def test_nothing_is_asked_of_nobody() -> None:
    none: list[Began] = []
    assert every(none) == []
