"""The course and the turn are those of ``show --as-of``, whatever the order of arrival; phase and net view say what they rest on."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.alerts.queries import turned
from projections.alerts.view import Row
from projections.answers import Dimension, Shown
from projections.portrait import net
from projections.scoring.course import WEEK_US, Alerted, course, of_that_week, one_turn
from projections.scoring.phase import phase
from projections.scoring.standing import Reason, Standing
from projections.scoring.turn import ALL, Turn
from schemas import catalogue as c
from service.sample.generator import truths
from tests.projections.alerts.folds import VIEW, folded
from tests.projections.events import DAY, MODELS, NOW, POLICY, SEED, figured, happened, sample


@given(st.sampled_from(sorted(sample())), st.integers(0, 60), st.randoms(use_true_random=False))
def test_each_point_is_the_score_of_then_and_arrival_does_not_matter(relationship: str, back: int, rng: random.Random) -> None:
    events = list(sample()[relationship])
    moment_us = NOW - back * DAY
    events = [event for event in events if event.occurred_us <= moment_us]
    model = MODELS[relationship.partition("/")[0]]
    found = course(events, model, moment_us, weeks=12)
    rng.shuffle(events)
    again = course(events, model, moment_us, weeks=12)
    assert [point.moment_us for point in again.points] == [point.moment_us for point in found.points]
    assert [point.quality for point in again.points] == pytest.approx([point.quality for point in found.points], abs=1e-7)
    for point in found.points[:: max(1, len(found.points) // 3)]:
        then = [event for event in events if event.occurred_us < point.moment_us or point.moment_us == moment_us]
        assert point.quality == pytest.approx(figured(then, point.moment_us).quality, abs=1e-6)
    if found.points:
        assert found.points[-1].moment_us == moment_us


def test_those_the_sample_lets_down_turned_worse_about_when_it_says() -> None:
    told = [truth for truth in truths(SEED, NOW) if truth.story in ("we_let_them_down", "defective")]
    near = 0
    for truth in told:
        events = sample()[truth.relationship]
        found = course(events, MODELS[truth.relationship.partition("/")[0]], NOW)
        assert truth.turned_us is not None
        if found.turn is not None and found.turn.direction == "worse" and abs(found.turn.since_us - truth.turned_us) <= 100 * DAY:
            near += 1
            week = of_that_week(events, found.turn)
            assert week
            assert all(0 <= event.occurred_us - found.turn.since_us // DAY * DAY < WEEK_US for event in week)
    assert near >= 0.8 * len(told)


def test_who_is_alerted_to_a_turn_is_shown_no_other_day_of_it() -> None:
    told, found = Turn("worse", 50, 60, ALL), Turn("worse", 40, 70, 0)
    assert one_turn(found, Alerted(told, None)) == told
    assert one_turn(None, Alerted(told, 90)) == told
    assert one_turn(found, None) == found
    later, better, before = Turn("worse", 95, 99, 0), Turn("better", 65, 80, ALL), Turn("better", 30, 45, ALL)
    assert one_turn(later, Alerted(told, 90)) == later
    assert one_turn(later, Alerted(told, None)) == told
    assert one_turn(better, Alerted(told, None)) == better
    assert one_turn(before, Alerted(told, None)) == told


def test_the_alerts_of_the_sample_name_the_day_that_show_names() -> None:
    """Where both see a turn for the worse; wherever an alert tells one, its text has that day."""
    agreed = differ = 0
    for relationship, events in sample().items():
        row = VIEW.publish(folded(events), NOW)
        assert isinstance(row, Row)
        alerted = turned(row.alerts)
        found = course(events, MODELS[relationship.partition("/")[0]], NOW).turn
        if alerted is None:
            continue
        assert alerted.turn.since_us <= alerted.turn.seen_us
        shown = one_turn(found, alerted)
        agreed += shown == alerted.turn
        differ += found is not None and found.direction == "worse" and found.since_us // DAY != alerted.turn.since_us // DAY
    assert differ > 10  # two detectors, two days: this is what is mended
    assert agreed > 50


def test_a_relationship_nothing_is_known_of_has_no_course() -> None:
    opened = [happened(c.Opened("Acme"), 100)]
    found = course(opened, MODELS["customer"], NOW)
    assert (found.points, found.turn) == ((), None)
    assert course([], MODELS["customer"], NOW).points == ()


@pytest.mark.parametrize(
    ("standing", "rules", "exchanges", "age_days", "closed", "expected"),
    [
        ("unproven", (), 0, 10, False, "awareness"),
        ("unproven", (), 1, 10, False, "exploration"),
        ("keep", (), 2, 500, False, "exploration"),
        ("keep", (), 9, 200, False, "expansion"),
        ("repair", ("falling",), 9, 800, False, "expansion"),
        ("grow", (), 9, 800, False, "commitment"),
        ("repair", ("silent",), 9, 800, False, "dissolution"),
        ("exit", (), 9, 800, False, "dissolution"),
        ("grow", (), 9, 800, True, "dissolution"),
    ],
)
def test_the_phase_follows_exchange_age_and_standing(  # noqa: PLR0917  # the parameters of one case
    standing: Standing, rules: tuple[str, ...], exchanges: int, age_days: float, closed: bool, expected: str
) -> None:
    reasons = tuple(Reason(rule, 1.0, 1.0, rule) for rule in rules)
    assert phase(standing, reasons, exchanges=exchanges, age_days=age_days, closed=closed, policy=POLICY.phase) == expected


def shown(relationship: str, standing: Standing, quality: float | None, evidence: float) -> Shown:
    kind = relationship.partition("/")[0]
    dimensions = {"trust": Dimension(0.5, (0.4, 0.6), evidence)}
    nothing = dict.fromkeys(("name", "segment", "channel", "owner", "interval", "trend", "value"))
    told = {"events": 1, "first_at": "", "last_at": "", "position": 1, "as_of": "", "known_at": "", "reasons": ()}
    return Shown(relationship=relationship, kind=kind, quality=quality, standing=standing, dimensions=dimensions, **nothing, **told)  # type: ignore[arg-type]


def test_two_relationships_of_one_party_have_a_net_view_and_one_has_none() -> None:
    sells, buys = shown("partner/acme", "exit", 30.0, 30.0), shown("customer/acme", "grow", 90.0, 10.0)
    found = net(sells, "party:acme", [buys])
    assert found is not None
    assert found.quality == pytest.approx(45.0)
    assert found.standing == "repair"
    assert "puts the other at risk" in found.text
    assert [other.relationship for other in found.others] == ["customer/acme"]
    assert net(sells, "party:acme", []) is None
    unknown = net(shown("partner/acme", "unproven", None, 0.0), "party:acme", [shown("customer/acme", "unproven", None, 0.0)])
    assert unknown is not None
    assert (unknown.quality, unknown.standing) == (None, "unproven")
