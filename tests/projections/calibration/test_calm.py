"""Over the sample's two years standings are calm, and at the end every planted story stands where the truth behind it says."""

from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise

import pytest

from projections.relationships import assess
from projections.scoring.state import empty, fold
from service.sample.generator import SPAN_DAYS, truths
from tests.projections.events import DAY, MODELS, NOW, SEED, sample

LOOKED_EVERY = 14  # days
YEARS = SPAN_DAYS / 365
TRUTHS = truths(SEED, NOW)


@cache
def standings(relationship: str) -> tuple[str, ...]:
    """The standing every fortnight, told from what had happened by then."""
    model = MODELS[relationship.partition("/")[0]]
    events = sorted(sample()[relationship], key=lambda event: event.occurred_us)
    state, found, number = empty(relationship, model), [], 0
    first = events[0].occurred_us // DAY + 1
    for day in [*range(first, NOW // DAY, LOOKED_EVERY), NOW // DAY + 1]:
        while number < len(events) and events[number].occurred_us < day * DAY:
            fold(state, events[number], model, events[number].occurred_us)
            number += 1
        found.append(assess(state, model, day * DAY).standing)
    return tuple(found)


def changes(relationship: str) -> int:
    """How often the standing changed, but for the first time anything could be said."""
    known = list(standings(relationship))
    while known and known[0] == "unproven":
        known.pop(0)
    return sum(one != other for one, other in pairwise(known))


def test_standings_change_at_most_three_times_in_two_years_and_where_nothing_turned_less() -> None:
    every = [changes(truth.relationship) for truth in TRUTHS]
    still = [changes(truth.relationship) for truth in TRUTHS if truth.turned_us is None]
    assert sum(every) / len(every) <= 3.0
    assert sum(still) / len(still) <= 2.5
    assert sum(count == 0 for count in still) >= 0.25 * len(still)


def test_most_of_the_sample_stands_where_the_truth_behind_it_says() -> None:
    right = sum(standings(truth.relationship)[-1] == truth.standing for truth in TRUTHS)
    assert right >= 0.8 * len(TRUTHS)


@pytest.mark.parametrize("standing", ["grow", "keep", "unproven"])
def test_those_who_are_well_are_left_alone(standing: str) -> None:
    told = [truth.relationship for truth in TRUTHS if truth.standing == standing]
    alarmed = sum(standings(relationship)[-1] in ("repair", "exit") for relationship in told)
    assert alarmed <= 0.1 * len(told)


@pytest.mark.parametrize(
    "story", ["angry", "unfair_deal", "we_let_them_down", "unreliable", "expensive", "defective", "slow", "inaccurate", "disrupted"]
)
def test_a_planted_story_of_trouble_is_put_into_repair_or_exit(story: str) -> None:
    told = [truth.relationship for truth in TRUTHS if truth.story == story]
    caught = sum(standings(relationship)[-1] in ("repair", "exit") for relationship in told)
    assert caught >= 0.75 * len(told)


def test_a_partner_is_an_exit_only_where_the_truth_says_so() -> None:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for truth in TRUTHS:
        found[standings(truth.relationship)[-1]][truth.standing] += 1
    assert found["exit"]["exit"] >= 5
    assert found["exit"].total() == found["exit"]["exit"]
