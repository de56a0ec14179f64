"""The CUSUM: false alarms stay below what the policy allows, turns are found, and the day is right."""

import statistics
from collections.abc import Callable
from functools import partial
from math import log

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.scoring.turn import ALL, GAPS, Trial, Turn, Turning, gap, limit, silence, trial
from tests.projections.calibration.populations import Floats
from tests.projections.events import DAY, POLICY

RULE = POLICY.turn
YEARS = 3
RELATIONSHIPS = 250


def told(rng: np.random.Generator, days: list[float], bad: Callable[[float, int], float], *, graded: bool, mean: float) -> list[Turn]:
    """The turns seen in three dimensions together, of trials that go badly with these probabilities."""
    turning, found = Turning(), []
    for at in days:
        number = int(rng.integers(3))
        badly = float(rng.random() < bad(at, number)) * (rng.uniform(0.2, 1.0) if graded else 1.0)
        if turn := trial(turning, Trial(number, badly, 1.0), mean, int(at * DAY), RULE):
            found.append(turn)
    return found


def _known(bad: Floats, _: float, number: int) -> float:
    return float(bad[number])


def times(rng: np.random.Generator, a_year: float) -> list[float]:
    return sorted(rng.uniform(0, 365 * YEARS, rng.poisson(a_year * YEARS)))


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("a_year", [12, 60, 400])
def test_where_nothing_turns_there_is_at_most_one_false_alarm_a_year(a_year: float, graded: bool) -> None:  # a parameter
    rng = np.random.default_rng(21)
    relationships, alarms = RELATIONSHIPS if a_year < 100 else 60, 0
    for _ in range(relationships):
        bad = 1.0 - rng.beta(0.75 * 4, 0.25 * 4, 3)
        alarms += len(told(rng, times(rng, a_year), partial(_known, bad), graded=graded, mean=0.75))
    assert alarms / relationships / YEARS <= 1.0


@pytest.mark.parametrize("before_days", [7.0, 30.0])
def test_a_customer_who_buys_at_random_gives_at_most_one_false_alarm_a_year(before_days: float) -> None:
    rng = np.random.default_rng(22)
    alarms = 0
    for _ in range(RELATIONSHIPS):
        turning, day, last = Turning(), 0, 0
        while day < 365 * YEARS:
            day += max(1, round(rng.exponential(before_days)))
            alarms += gap(turning, day - last, day * DAY, RULE) is not None
            last = day
    assert alarms / RELATIONSHIPS / YEARS <= 1.0


@pytest.mark.parametrize(("then", "within_days"), [(0.5, 90), (0.8, 60)])
def test_a_turn_is_seen_in_time_and_the_day_it_began_is_told(then: float, within_days: float) -> None:
    rng = np.random.default_rng(23)
    seen, since = [], []
    for _ in range(RELATIONSHIPS):
        days = times(rng, 60)
        found = told(rng, days, lambda day, _: 0.1 if day < 500 else then, graded=False, mean=0.8)
        later = [turn for turn in found if turn.direction == "worse" and turn.seen_us >= 500 * DAY]
        if later:
            seen.append(later[0].seen_us / DAY - 500)
            since.append(later[0].since_us / DAY - 500)
    assert len(seen) >= 0.95 * RELATIONSHIPS
    assert statistics.median(seen) <= within_days
    assert abs(statistics.median(since)) <= 14


def test_silence_beyond_the_customers_own_rhythm_is_a_turn_that_began_with_it() -> None:
    turning = Turning()
    for number in range(1, 25):
        assert gap(turning, 20, number * 20 * DAY, RULE) is None
    assert silence(turning, 30, 510 * DAY, RULE) is None
    assert silence(turning, 160, 640 * DAY, RULE) == Turn("worse", 480 * DAY, 640 * DAY, GAPS)
    assert silence(Turning(), 1000, 1000 * DAY, RULE) is None


def test_a_customer_who_buys_ever_more_often_turned_for_the_better() -> None:
    turning, day, found = Turning(), 0, None
    for days in [40] * 10 + [8] * 12:
        day += days
        found = gap(turning, days, day * DAY, RULE) or found
    assert found is not None
    assert found.direction == "better"
    assert abs(found.since_us / DAY - 408) <= 8


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 1)), max_size=60))
def test_a_sum_is_the_largest_gain_over_all_starts_since_the_last_turn(trials: list[tuple[float, float]]) -> None:
    """Page's recursion against its definition, with a past that is known beforehand."""
    rule = msgspec.structs.replace(RULE, prior_events=1e12, learned=1e-9)
    turning, gains = Turning(), []
    trial(turning, Trial(0, 0.0, 1.0), 0.8, 0, rule)  # the first only teaches
    for number, (badly, weight) in enumerate(trials, start=1):
        gains.append(weight * (badly * log(rule.odds) - log(1.0 + (rule.odds - 1.0) * 0.2)))
        if trial(turning, Trial(0, badly, weight), 0.8, number * DAY, rule):
            gains.clear()
            trial(turning, Trial(0, 0.0, 1e-6), 0.8, number * DAY, rule)
            gains.append(1e-6 * -log(1.0 + (rule.odds - 1.0) * 0.2))
        for stream in (0, ALL):
            best = max((sum(gains[start:]) for start in range(len(gains))), default=0.0)
            assert turning.streams[stream].worse.sum == pytest.approx(max(0.0, best), abs=1e-6)


def test_the_limit_grows_with_what_happens_in_a_year() -> None:
    rare, busy = Turning(trials=30.0, first_us=0), Turning(trials=2000.0, first_us=0)
    assert limit(rare, 730 * DAY, RULE) == pytest.approx(log(2.0 * RULE.trials_min / RULE.alarms))
    assert limit(busy, 730 * DAY, RULE) == pytest.approx(log(2.0 * 1000.0 / RULE.alarms))
