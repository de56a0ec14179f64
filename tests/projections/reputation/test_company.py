"""The company's reputation: it adds up, each figure is what a recomputation gives, and the sample's truths show."""

from collections.abc import Callable, Iterator
from functools import cache

import msgspec
import pytest

from projections.moments import Moments
from projections.months import month_number, month_start
from projections.reputation.company import Company, company
from projections.reputation.groups import By, groups
from schemas import catalogue as c
from schemas.touchpoint import Recorded
from service.sample.generator import generate, truths
from tests.projections.events import DAY, NOW, POLICY, SEED, happened, sample
from tests.projections.houses import House, Storeless

HERE = Moments(NOW)
FREE = msgspec.structs.replace(  # nobody is capped, and a remedy takes all of a harm away: recomputing is exact
    POLICY, reputation=msgspec.structs.replace(POLICY.reputation, party_events_max=1e9, party_share_max=0.999, remedied=0.999999)
)


@cache
def everything() -> tuple[Recorded, ...]:
    return tuple(event for events in sample().values() for event in events)


def told(*stories: str) -> list[Recorded]:
    """What happened in the relationships with these stories."""
    return [event for truth in truths(SEED, NOW) if truth.story in stories for event in sample()[truth.relationship]]


def level(events: list[Recorded]) -> float:
    return company(Storeless(events, FREE), HERE).level


@cache
def whole() -> Company:
    return company(Storeless(everything()), HERE)


def test_the_base_and_every_topic_s_contribution_add_up_to_the_level() -> None:
    found = whole()
    assert found.base + sum(driver.contribution for driver in found.drivers) == pytest.approx(found.level, abs=0.01)
    assert found.interval[0] < found.level < found.interval[1]


def test_a_topic_costs_what_the_level_lacks_beside_one_recomputed_without_its_harm() -> None:
    events = told("late_payer", "steady")
    found = company(Storeless(events, FREE), HERE)
    cost = next(driver for driver in found.drivers if driver.topic == "invoices")
    without = level([event for event in events if not isinstance(event.data, c.InvoiceDisputed)])
    assert cost.parties > 10
    assert cost.cost == pytest.approx(without - found.level, abs=0.02)


def test_a_remedy_gains_what_the_level_recomputed_with_all_done_well_has_more() -> None:
    events = told("we_let_them_down", "steady")

    def in_time(event: Recorded) -> Recorded:
        if isinstance(event.data, c.Delivery):
            return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, delivered_at=event.data.promised_at))
        return event

    found = company(Storeless(events, FREE), HERE)
    gain = next(remedy.gain for remedy in found.remedies if remedy.topic == "deliveries")
    assert gain > 2
    assert gain == pytest.approx(level(list(map(in_time, events))) - found.level, abs=0.02)


def test_half_a_remedy_gains_less_than_the_whole_harm_costs() -> None:
    costs = {driver.topic: driver.cost for driver in whole().drivers}
    for remedy in whole().remedies:
        assert 0 <= remedy.gain <= costs[remedy.topic] + 0.01
        assert remedy.interval[0] <= remedy.gain <= remedy.interval[1]


def test_where_we_let_customers_down_that_harm_is_the_main_driver() -> None:
    found = company(Storeless(told("we_let_them_down")), HERE)
    assert {remedy.topic for remedy in found.remedies[:2]} == {"promises", "deliveries"}
    assert found.level < company(Storeless(told("steady")), HERE).level - 15
    assert found.remedies[0].remedy.endswith("halved")


def test_where_complaints_are_left_unheard_their_handling_is_the_main_driver() -> None:
    assert company(Storeless(told("angry")), HERE).remedies[0].topic == "handling"


def test_their_late_payments_are_no_conduct_of_ours() -> None:
    assert not {driver.topic for driver in company(Storeless(told("late_payer")), HERE).drivers} & {"payments", "contracts"}


@pytest.mark.parametrize("by", ["kind", "segment"])
def test_groups_divide_all_parties_and_name_a_remediable_driver(by: By) -> None:
    found = groups(Storeless(everything()), HERE, by)
    assert sum(group.parties for group in found) == whole().parties
    assert sum(group.evidence for group in found) == pytest.approx(whole().evidence, abs=0.1)
    assert [group.level for group in found] == sorted((group.level for group in found), reverse=True)
    assert all(group.main_driver != "feedback" and group.main_driver and group.cost for group in found)


def test_the_newest_month_is_now_and_each_month_is_what_was_so_at_its_end() -> None:
    found = groups(Storeless(everything()), HERE, "month")
    assert found[0].level == pytest.approx(whole().level, abs=0.02)
    assert [group.name for group in found] == sorted((group.name for group in found if group.name), reverse=True)
    for group in found[1::5]:
        end_us = month_start(month_number(group.name or "") + 1)
        then = company(Storeless([event for event in everything() if event.occurred_us < end_us]), Moments(end_us))
        assert group.level == pytest.approx(then.level, abs=0.6)  # a complaint open then stands with all it came to weigh


def test_nothing_known_is_the_base_with_a_wide_interval() -> None:
    found = company(Storeless([]), HERE)
    assert (found.level, found.parties, found.drivers, found.remedies) == (75.0, 0, (), ())
    assert found.interval[1] - found.interval[0] > 30
    assert groups(Storeless([]), HERE, "segment") == groups(Storeless([]), HERE, "month") == []


def test_old_conduct_fades() -> None:
    bad = [happened(c.Incident(f"e{n}", "us", "critical"), relationship=f"customer/{n}") for n in range(20)]
    levels = [company(Storeless(bad), Moments(NOW + years * 365 * DAY)).level for years in range(6)]
    assert levels == sorted(levels)
    assert levels[0] < 20
    assert levels[-1] > 70


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The sample, all recorded a week later."""
    house = House(tmp_path_factory.mktemp("house"))
    house.now_us = NOW + 7 * DAY
    house.append(list(generate(SEED, NOW)))
    yield house
    house.close()


def unmomented(found: Company) -> Company:
    return msgspec.structs.replace(found, as_of="", known_at="")


QUESTIONS: list[Callable[[House, Moments], object]] = [
    lambda house, asked: unmomented(company(house.reader, asked)),
    lambda house, asked: groups(house.reader, asked, "segment"),
    lambda house, asked: groups(house.reader, asked, "month"),
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_view_and_a_fold_from_the_ledger_give_the_same_answer(house: House, question: Callable[[House, Moments], object]) -> None:
    now_us = house.now_us
    assert question(house, Moments(now_us)) == question(house, Moments(now_us, as_of_us=now_us, known_us=now_us))


def test_as_of_tells_what_had_happened_and_known_at_what_was_recorded(house: House) -> None:
    then_us = NOW - 200 * DAY
    then = company(house.reader, Moments(house.now_us, as_of_us=then_us))
    had_happened = [event for event in everything() if event.occurred_us <= then_us]
    assert unmomented(then) == unmomented(company(Storeless(had_happened), Moments(then_us)))
    assert company(house.reader, Moments(house.now_us, known_us=NOW)).parties == 0


def test_parties_of_no_known_segment_are_a_group_of_their_own() -> None:
    found = groups(Storeless([happened(c.Feedback("nps", 9))]), HERE, "segment")
    assert [(group.name, group.parties, group.main_driver) for group in found] == [(None, 1, None)]
