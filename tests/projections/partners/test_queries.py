"""Partners of the sample: what is really wrong with each is what leaks most."""

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.moments import Moments
from projections.partners.period import period
from projections.partners.queries import Partner, Partners
from schemas.errors import NotFoundError
from schemas.records import recorded
from schemas.touchpoint import Stored
from service.sample.generator import generate, truths
from tests.projections.events import DAY, NOW, SEED
from tests.projections.houses import House

STORY = {truth.relationship: truth.story for truth in truths(SEED, NOW)}
YEAR = period(None, NOW)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Partners]:
    house = House(tmp_path_factory.mktemp("house"))
    house.append([one for one in generate(SEED, NOW) if one.subject.startswith("partner/")])
    yield Partners(house.reader, Moments(NOW))
    house.close()


@pytest.fixture(scope="module")
def every(asked: Partners) -> list[Partner]:
    return asked.all(YEAR)


def of(every: list[Partner], story: str) -> list[Partner]:
    return [one for one in every if STORY[one.relationship] == story]


@pytest.mark.parametrize(
    ("story", "leak"), [("expensive", "rates"), ("defective", "defects"), ("inaccurate", "defects"), ("unreliable", "deliveries")]
)
def test_what_is_wrong_with_a_partner_is_where_most_leaks(every: list[Partner], story: str, leak: str) -> None:
    partners = of(every, story)
    assert sum(one.leaks[0].leak == leak for one in partners) >= 0.8 * len(partners)


def test_slow_partners_leak_answers(every: list[Partner]) -> None:
    def cost(story: str) -> float:
        return sum(leak.cost for one in of(every, story) for leak in one.leaks if leak.leak == "answers") / len(of(every, story))

    assert cost("slow") > 5 * cost("reliable")


def test_good_partners_leak_least(every: list[Partner]) -> None:
    stories = [STORY[one.relationship] for one in every]
    assert set(stories[:15]) <= {"expensive", "defective", "inaccurate", "unreliable", "disrupted"}
    assert set(stories[-15:]) <= {"reliable", "accurate", "improving", "unfair_deal", "slow"}


def test_rates_worth_asking_about_are_those_of_the_expensive(asked: Partners) -> None:
    found = asked.asks()
    assert {STORY[name] for name, _ in found} == {"expensive"}
    assert len({name for name, _ in found}) == 10
    assert [ask.saving or 0.0 for _, ask in found] == sorted((ask.saving or 0.0 for _, ask in found), reverse=True)


def test_sole_sources_are_at_risk(every: list[Partner]) -> None:
    for one in every:
        risky = one.exposure.quadrant in ("strategic", "bottleneck")
        assert risky == (STORY[one.relationship] == "disrupted")
        assert bool(one.exposure.sole_source) == risky


def test_shares_of_spend_add_up_in_each_currency(every: list[Partner]) -> None:
    for currency in ("EUR", "USD"):
        told = [one.exposure.share_percent or 0.0 for one in every if one.exposure.currency == currency]
        assert sum(told) == pytest.approx(100.0, abs=0.5)


def test_scorecards_show_the_story(every: list[Partner]) -> None:
    def mean(story: str, figure: str) -> float:
        told: list[float] = [value for one in of(every, story) if (value := getattr(one.scorecard, figure)) is not None]
        return sum(told) / len(told)

    assert mean("unreliable", "otif_percent") < mean("reliable", "otif_percent") - 35
    assert mean("defective", "defect_ppm") > 80_000
    assert mean("reliable", "defect_ppm") < 5_000
    assert mean("expensive", "price_variance_percent") > 20
    assert mean("reliable", "price_variance_percent") < 0
    assert mean("slow", "response_hours") > 4 * mean("reliable", "response_hours")


def test_one_partner_in_full_has_its_months_and_what_each_remedy_does_to_its_quality(asked: Partners, every: list[Partner]) -> None:
    known = of(every, "defective")[0]
    one = asked.one(known.relationship, YEAR)
    assert one.scorecard == known.scorecard
    assert sum(month.deliveries for month in one.months) == one.scorecard.deliveries
    assert [month.period for month in one.months] == sorted((month.period for month in one.months), reverse=True)
    assert all((leak.effect.quality or 0.0) > 0 for leak in one.leaks if leak.leak != "renewals")
    assert one.leaks[0].effect.quality is not None
    assert one.leaks[0].effect.quality > 3


def test_a_period_before_the_ledger_is_empty(asked: Partners) -> None:
    one = asked.one(next(iter(STORY.keys() - {name for name in STORY if name.startswith("customer/")})), period("2001", NOW))
    assert (one.scorecard.orders, one.scorecard.otif_percent, one.months) == (0, None, ())


def test_as_of_a_day_it_is_told_as_it_was_told_on_that_day(tmp_path: Path) -> None:
    """What was known then, of what had happened by then, is what the views said then."""
    then_us, partner = NOW - 200 * DAY, next(name for name, story in STORY.items() if story == "defective")
    touchpoints = [one for one in generate(SEED, NOW) if one.subject.startswith("partner/")]  # in order of time
    until = bisect_right(touchpoints, then_us, key=lambda one: recorded(Stored(1, one.subject, 1, one.type, 0, one.event)).occurred_us)
    house = House(tmp_path)
    house.now_us = then_us
    house.append(touchpoints[:until])
    on_the_day = Partners(house.reader, Moments(then_us))
    told = (on_the_day.all(period(None, then_us)), on_the_day.one(partner, period(None, then_us)), on_the_day.asks())
    house.now_us = NOW
    house.append(touchpoints[until:])
    later = Partners(house.reader, Moments(NOW, then_us, then_us))
    assert (later.all(period(None, then_us)), later.one(partner, period(None, then_us)), later.asks()) == told
    assert Partners(house.reader, Moments(NOW)).asks() != told[2]
    house.close()


def test_who_is_no_partner_is_said_to_be_none(asked: Partners) -> None:
    with pytest.raises(NotFoundError, match="customer/acme is no partner"):
        asked.one("customer/acme", YEAR)
