"""Effects of actions beside similar relationships: what gets better by itself is no effect, and too few cases say so."""

import random
from collections.abc import Iterable
from statistics import stdev

import pytest
from scipy.special import stdtrit

from projections.actions.courses import acted, unacted
from projections.actions.effects import Course, Effect, Moment, effects, neighbours
from schemas.catalogue import Action, Feedback
from tests.projections.events import DAY, MODELS, NOW, POLICY, happened

RULE = POLICY.actions
MASS = POLICY.model.interval_mass


def course(name: str, quality: float, after: float, *, play: str | None = None, trend: float = 0.0, standing: str = "repair") -> Course:
    return Course(f"customer/{name}", play, Moment(NOW, standing, quality, trend), after)


def only(cases: Iterable[Course], others: Iterable[Course]) -> Effect:
    (found,) = effects(cases, others, RULE, MASS)
    return found


def simulated(seed: int, effect: float) -> tuple[list[Course], list[Course]]:
    """Relationships that return to 60 from wherever they are; actions are taken where things are worst, and add ``effect``."""
    rng = random.Random(seed)
    cases, others = [], []
    for number in range(400):
        quality = rng.gauss(55.0, 12.0)
        after = quality + 0.5 * (60.0 - quality) + rng.gauss(0.0, 4.0)
        if quality < 50.0 and rng.random() < 0.3:
            cases.append(course(f"c{number}", quality, after + effect, play="call"))
        else:
            others.append(course(f"c{number}", quality, after))
    return cases, others


def test_what_gets_better_by_itself_is_no_effect() -> None:
    found = only(*simulated(1, 0.0))
    assert found.change is not None
    assert found.change > 5.0  # the plain change looks like success
    assert found.verdict == "no difference"


@pytest.mark.parametrize("effect", [6.0, -5.0])
def test_an_effect_is_found(effect: float) -> None:
    found = [only(*simulated(seed, effect)) for seed in range(30)]
    assert all(one.verdict == ("better" if effect > 0.0 else "worse") for one in found)


@pytest.mark.parametrize(("cases", "others"), [(6, 100), (12, 60), (25, 50)])
def test_the_interval_covers_the_effect_though_cases_share_neighbours(cases: int, others: int) -> None:
    covered, runs = 0, 1200
    for seed in range(runs):
        found = only(*few(seed, cases, others))
        assert found.interval is not None
        covered += found.interval[0] <= 0.0 <= found.interval[1]
    assert 0.87 <= covered / runs <= 0.93  # 88-92 %, and a standard deviation of the count


def few(seed: int, cases: int, others: int) -> tuple[list[Course], list[Course]]:
    """So many cases of no effect, with few to compare with."""
    rng = random.Random(seed)

    def drawn(name: str, low: float, high: float, play: str | None) -> Course:
        quality = rng.uniform(low, high)
        return course(name, quality, quality + 0.2 * (60.0 - quality) + rng.gauss(0.0, 4.0), play=play)

    return [drawn(f"a{one}", 35.0, 50.0, "call") for one in range(cases)], [drawn(f"o{one}", 30.0, 80.0, None) for one in range(others)]


def test_a_case_is_compared_with_its_like_alone() -> None:
    case = course("a", 50.0, 60.0, play="call")
    near = course("near", 52.0, 53.0)
    strangers = [
        course("far", 50.0 + RULE.quality_apart + 1.0, 99.0),
        course("falling", 50.0, 99.0, trend=-RULE.trend_apart - 1.0),
        Course("customer/later", None, Moment(NOW + RULE.apart_us + 1, "repair", 50.0, 0.0), 99.0),
        course("a", 50.0, 99.0),  # itself, at another time
    ]
    assert neighbours(case, [*strangers, near], RULE) == [near]
    (found,) = effects([case], [course("kept", 50.0, 99.0, standing="keep"), near], RULE, MASS)
    assert (found.change, found.change_similar, found.similar) == (10.0, 1.0, 1)


def test_each_neighbour_is_one_relationship_and_there_are_not_too_many() -> None:
    case = course("a", 50.0, 60.0, play="call")
    others = [course(f"o{number % 20}", 50.0 + number / 20.0, 50.0) for number in range(100)]
    near = neighbours(case, others, RULE)
    assert len(near) == RULE.neighbours == len({one.relationship for one in near})
    assert [one.before.quality for one in near] == sorted(one.before.quality for one in near)


def test_too_few_cases_are_said_to_be_too_few() -> None:
    cases = [course(f"c{number}", 50.0, 60.0, play="call") for number in range(RULE.cases_min - 1)]
    found = only(cases, [course("o", 50.0, 50.0)])
    assert (found.effect, found.interval, found.verdict, found.change) == (None, None, "not enough cases", 10.0)
    assert found.text.startswith("not enough cases: 4 with similar relationships")
    alone = only(cases, [])
    assert (alone.cases, alone.relationships, alone.change) == (4, 0, None)


def test_a_neighbour_of_all_cases_is_known_but_once() -> None:
    """Forty cases beside the same five: the mean beside them is as unsure as that of five, whatever the number of cases."""
    rng = random.Random(3)
    others = [course(f"o{number}", 50.0, 50.0 + rng.gauss(0.0, 4.0)) for number in range(5)]
    found = only([course(f"a{number}", 50.0, 55.0 + rng.gauss(0.0, 0.5), play="call") for number in range(40)], others)
    assert found.interval is not None
    known = 2.0 * float(stdtrit(4, 0.95)) * stdev([one.change for one in others]) / 5**0.5
    assert found.interval[1] - found.interval[0] == pytest.approx(known, rel=0.05)


def test_repeats_in_one_relationship_are_one_case_for_the_interval() -> None:
    often = [course("a", 50.0, 60.0, play="call") for _ in range(50)]
    assert only(often, [course("o", 50.0, 50.0)]).verdict == "not enough cases"


def test_the_course_after_an_action_begins_just_before_it_and_controls_have_none_near() -> None:
    words = [happened(Feedback("nps", 3.0), 600.0 - 20.0 * number) for number in range(30)]
    action = happened(Action("A-1", "call"), 300.0)
    again = happened(Action("A-2", "visit"), 280.0)
    events = sorted([*words, action, again], key=lambda event: event.occurred_us)
    (found,) = acted(events, MODELS["customer"], NOW)  # the second is part of what followed the first
    assert (found.play, found.before.at_us) == ("call", action.occurred_us - 1)
    starts = [one.before.at_us for one in unacted(events, MODELS["customer"], NOW)]
    assert starts
    assert all(min(abs(at - one.occurred_us) for one in (action, again)) >= RULE.after_days * DAY for at in starts)


def test_an_action_that_is_too_new_is_no_case_yet() -> None:
    events = [happened(Feedback("nps", 3.0), 200.0), happened(Action("A-1", "call"), RULE.after_days - 1.0)]
    assert acted(events, MODELS["customer"], NOW) == []
