"""The answer from the view is that of a fold from the ledger, on both stores; and it says what to do."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from projections.acquisition.answer import Answer, answers
from projections.acquisition.began import BYS, beginnings
from projections.acquisition.beginnings import EPOCH_DAY, acquisition
from projections.moments import Moments
from projections.queries import Reader
from projections.rebuild import rebuild
from projections.registry import projections
from schemas import catalogue as c
from schemas import cloudevents
from schemas.errors import SettingsError
from schemas.identity import digest
from schemas.touchpoint import Recorded, Touchpoint, moment
from service.days import day_closed
from service.sample.generator import generate
from tests.projections.chains import Place
from tests.projections.events import DAY, NOW, POLICY, SEED, happened, sample
from tests.projections.houses import House, Storeless

FAR, NEAR = POLICY.acquisition.far_days, POLICY.acquisition.near_days


def answer(reader: Reader, moments: Moments, kind: str, **asked: Any) -> Answer:
    (found,) = answers(reader, moments, [kind], **asked)
    return found


@cache
def touchpoints() -> tuple[Touchpoint, ...]:
    """Those of a fifth of the sample."""
    return tuple(one for one in generate(SEED, NOW) if digest(one.subject, "")[0] % 5 == 0)


@pytest.fixture
def house(place: Place) -> Iterator[House]:
    house = House(place.parent if not isinstance(place, str) else place)
    house.append(touchpoints())
    yield house
    house.close()


def told(found: Answer) -> object:
    """Without what is of this moment alone."""
    return found.cohorts, found.incentives, [one.text for one in found.proposals if one.what not in ("rate", "leak")]


def test_the_view_and_a_fold_from_the_ledger_give_the_same_answer_on_both_stores(house: House) -> None:
    for kind in ("customer", "partner"):
        now = answer(house.reader, Moments(NOW), kind)
        assert told(now) == told(answer(house.reader, Moments(NOW, as_of_us=NOW, known_us=NOW), kind))
        assert {one.by for one in now.cohorts} == set(BYS)
        assert any(one.relationships > 5 for one in now.cohorts)


def test_what_is_followed_day_by_day_is_told_by_the_first_close_and_is_what_is_made_anew(tmp_path: Path) -> None:
    house, view, judged = House(tmp_path), acquisition(POLICY), set[str]()
    log = sorted((event for name in sorted(sample())[::8] for event in sample()[name]), key=lambda event: event.occurred_us)
    first = log[0].occurred_us // DAY
    for day in range(first + 20, first + 340, 20):
        happened_ = sum(event.occurred_us < day * DAY for event in log)
        some, log = log[: happened_ - 2], log[happened_ - 2 :]  # of two nobody hears in time
        house.now_us = day * DAY - 1
        house.append([_touchpoint(event) for event in some])
        house.now_us = day * DAY + 60_000_000
        house.append([day_closed(house.now_us)])
        for one in house.views.select(view):
            age = day - (date.fromisoformat(one.row.begun_on).toordinal() - EPOCH_DAY)
            assert (one.row.near_active is None, one.row.far_active is None) == (age < NEAR, age < FAR)
            judged |= {one.row.relationship} if age >= FAR else set()
    assert len(judged) > 10
    both = rebuild(house.ledger, house.views, projections(POLICY), names=["acquisition", "alerts"], clock=lambda: NOW)
    assert [one.comparison is not None and one.comparison.equal for one in both] == [True, True]
    house.close()


def test_rates_and_leaks_of_partners_are_ranked_with_the_rest(house: House) -> None:
    found = answer(house.reader, Moments(NOW), "partner").proposals
    assert {"rate", "leak"} <= {one.what for one in found}
    assert [one.rank for one in found] == list(range(1, len(found) + 1))
    money = [one.saving is not None for one in found]
    assert money == sorted(money, reverse=True)
    assert all(one.relationship and one.currency for one in found if one.saving is not None)
    assert answer(house.reader, Moments(NOW, as_of_us=NOW), "partner").proposals == found
    then = answer(house.reader, Moments(NOW, as_of_us=NOW - 100 * DAY), "partner").proposals
    assert {"rate", "leak"} <= {one.what for one in then}
    assert then != found


def test_as_of_tells_who_was_old_enough_then() -> None:
    events = [event for relationship in sorted(sample())[::4] for event in sample()[relationship]]
    then = NOW - 400 * DAY
    reader = Storeless([event for event in events if event.occurred_us <= then])
    for days in (NEAR, FAR):
        began = beginnings(reader, Moments(then), days)
        assert max(one.begun_day for one in began) <= then // DAY
    early, late = (answer(reader, Moments(then), "customer", by="segment", horizon_days=days).cohorts for days in (NEAR, FAR))
    assert sum(one.young for one in early) < sum(one.young for one in late)
    assert sum(one.relationships + one.young + one.unknown for one in early) == sum(
        one.relationships + one.young + one.unknown for one in late
    )


def test_a_horizon_the_policy_does_not_have_is_refused() -> None:
    with pytest.raises(SettingsError, match="no horizon of 30 days: the policy has 90 and 180"):
        answer(Storeless([]), Moments(NOW), "customer", horizon_days=30)


def test_nothing_known_is_no_cohort_and_no_proposal() -> None:
    found = answer(Storeless([]), Moments(NOW), "customer")
    assert (found.cohorts, found.incentives, found.proposals) == ((), (), ())


@pytest.fixture
def rebates(tmp_path: Path) -> Iterator[House]:
    """Partners alike but for a rebate that half of them gave, after which they deliver in time."""
    house = House(tmp_path)
    made = []
    for number in range(24):
        to = f"partner/p{number}"
        for step in range(40):
            days_ago = 400 - step * 8
            good = number % 2 and days_ago < 200
            at = moment(NOW - days_ago * DAY)
            late = timedelta(days=0 if good or (step + number) % 3 == 0 else 4)
            made.append(happened(c.Delivery(f"d{number}.{step}", "them", at - late, at), days_ago, relationship=to))
        if number % 2:
            made.append(happened(c.Incentive(f"i{number}", "them", "rebate"), 200.5, relationship=to))
    house.append([_touchpoint(event) for event in sorted(made, key=lambda event: event.occurred_us)])
    yield house
    house.close()


def _touchpoint(event: Recorded) -> Touchpoint:
    assert event.data is not None
    return cloudevents.touchpoint(event.source, event.id, event.type, event.relationship, event.occurred_us, event.data)


def test_an_incentive_after_which_it_went_better_than_with_similar_partners_is_proposed(rebates: House) -> None:
    found = answer(rebates.reader, Moments(NOW), "partner", by="incentive")
    (effect,) = found.incentives
    assert (effect.play, effect.verdict, effect.cases) == ("rebate, from them", "better", 12)
    assert any(one.text.startswith("agree on rebate, from them with more partners: better than similar ones") for one in found.proposals)
