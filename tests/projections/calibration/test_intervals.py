"""Intervals hold: on relationships whose truth stands still, the 90 % interval of every level covers it 88 to 92 % of the time."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from projections.scoring.figures import STEADY, Figures, figures
from projections.scoring.state import empty, fold
from schemas import catalogue as c
from schemas.touchpoint import moment
from tests.projections.calibration.populations import delivered, numbered
from tests.projections.events import DAY, MODELS, NOW, POLICY, figured, happened

RELATIONSHIPS = 3000
SPAN_DAYS = 730
EURO = c.Money("1.00", "EUR")
Says = Callable[[int, float], list[c.Data]]


def paid(at_us: int, good: float) -> list[c.Data]:
    on = moment(at_us).date()
    return [c.Payment("i1", "them", EURO, on if good else on - timedelta(days=900), on)]


def dealt(at_us: int, good: float) -> list[c.Data]:
    """They gain this share of what serves them well."""
    issue, name = c.Issue("price", c.Ours(100, 90), theirs=c.Theirs(90, 100)), f"n{at_us}"
    return [
        c.NegotiationOpened(name, (issue,)),
        c.NegotiationClosed(name, "agreed", {"price": 100.0 - 10.0 * POLICY.deal.fair_gain * good}),
    ]


def rated(at_us: int, good: float) -> list[c.Data]:
    return [c.Rate(f"item-{at_us}", "piece", c.Money("0.80" if good else "1.20", "EUR"), moment(at_us).date(), EURO)]


SAYS: dict[str, Says] = {
    "customer/satisfaction": lambda _, good: [c.Feedback("nps", 10.0 * good)],
    "customer/trust": paid,
    "customer/balance": dealt,
    "partner/delivery": lambda at_us, good: [delivered(at_us, on_time=bool(good))],
    "partner/quality": lambda at_us, good: [c.Inspection(f"lot-{at_us}", 1, 1 - int(good))],
    "partner/cost": rated,
    "partner/responsiveness": lambda at_us, good: [c.Quote("q1", moment(at_us), answered_at=moment(at_us) if good else None)],
    "partner/trust": paid,
    "partner/balance": dealt,
}
"""What tells one event of evidence for (1) or against (0) each dimension. Commitment is told by purchases."""


def told(rng: np.random.Generator, name: str, expected: int) -> tuple[float, list[tuple[int, c.Data]]]:
    """A truth drawn from the policy's prior of a dimension, and some evidence of it from two years.

    All or nothing, but for deals: they count twice, so they vary half as much.
    """
    kind, _, dimension = name.partition("/")
    rule = MODELS[kind].dimensions[MODELS[kind].numbers[dimension]]
    truth = rng.beta(rule.prior_mean * rule.prior_events, (1.0 - rule.prior_mean) * rule.prior_events)
    found: list[tuple[int, c.Data]] = []
    for ago in rng.uniform(0, SPAN_DAYS, rng.poisson(expected)) if name in SAYS else ():
        at_us = NOW - int(ago * DAY)
        good = rng.beta(truth, 1.0 - truth) if dimension == "balance" else float(rng.random() < truth)
        found += [(at_us, data) for data in SAYS[name](at_us, good)]
    return truth, found


def bought(rng: np.random.Generator) -> tuple[float, list[tuple[int, c.Data]]]:
    """The true chance that a customer buys within the horizon, drawn as the policy has it, and what they bought."""
    rule = POLICY.purchases
    rate, first = rng.gamma(rule.shape + rule.first, 1.0 / rule.rate_days), int(rng.integers(1, SPAN_DAYS))
    days = np.unique([first, *rng.integers(0, first, rng.poisson(rate * first))])
    return 1.0 - np.exp(-rate * rule.horizon_days), [(NOW - int(day) * DAY, c.Purchase("o1", EURO)) for day in days]


def seen(kind: str, events: list[tuple[int, c.Data]]) -> Figures:
    """The figures of a relationship of which just this is known."""
    model = MODELS[kind]
    state = empty(f"{kind}/one", model)
    for event in numbered((f"{kind}/one", at_us, data) for at_us, data in events):
        state = fold(state, event, model, NOW)
    return figures(state, model, NOW)


@pytest.mark.parametrize("expected", [2, 8, 30, 120])
@pytest.mark.parametrize("dimension", ["customer/satisfaction", "partner/delivery"])
def test_the_interval_covers_the_truth_however_much_evidence_there_is(dimension: str, expected: int) -> None:
    rng = np.random.default_rng(14)
    kind, _, name = dimension.partition("/")
    covered, relationships = 0, 800
    for _ in range(relationships):
        truth, events = told(rng, dimension, expected)
        low, high = seen(kind, events).levels[MODELS[kind].numbers[name]].interval(POLICY.model.interval_mass)
        covered += low <= truth <= high
    assert 0.87 <= covered / relationships <= 0.93  # 88-92 %, and a standard deviation of the count


@pytest.mark.parametrize("kind", ["customer", "partner"])
def test_the_intervals_of_all_levels_and_of_quality_cover_the_truth(kind: str) -> None:
    """Each relationship with much or little known of each dimension, or nothing; three of four customers buy."""
    rng, model = np.random.default_rng(21), MODELS[kind]
    covered = dict.fromkeys([*model.names, "all together"], 0)
    for _ in range(RELATIONSHIPS):
        drawn = {name: told(rng, f"{kind}/{name}", rng.choice([0, 4, 15, 60])) for name in model.names}
        if kind == "customer" and rng.random() < 0.75:
            drawn["commitment"] = bought(rng)
        found = seen(kind, [event for _, events in drawn.values() for event in events])
        for (name, (truth, _)), level in zip(drawn.items(), found.levels, strict=True):
            low, high = level.interval(POLICY.model.interval_mass)
            covered[name] += low <= truth <= high
        truth = sum(100.0 * rule.weight * drawn[name][0] for name, rule in zip(model.names, model.dimensions, strict=True))
        covered["all together"] += found.low <= truth <= found.high
    for name, count in covered.items():
        assert 0.875 <= count / RELATIONSHIPS <= 0.925, name  # 88-92 %, and a standard deviation of the count


def test_the_interval_of_commitment_covers_the_true_chance_of_another_purchase() -> None:
    rng, number = np.random.default_rng(13), MODELS["customer"].numbers["commitment"]
    covered = 0
    for _ in range(RELATIONSHIPS):
        truth, events = bought(rng)
        low, high = seen("customer", events).levels[number].interval(POLICY.model.interval_mass)
        covered += low <= truth <= high
    assert 0.88 <= covered / RELATIONSHIPS <= 0.92


def test_old_evidence_alone_gives_the_interval_of_none_and_a_level_is_within_its_interval() -> None:
    praise = [happened(c.Feedback("nps", 10), days) for days in range(200)]
    number = MODELS["customer"].numbers["satisfaction"]
    old, new = (figured(praise, NOW + later * DAY).levels[number] for later in (3650, 0))
    unknown = figured([happened(c.Opened("Acme"))]).levels[number]
    assert old.interval(0.9) == pytest.approx(unknown.interval(0.9), abs=1e-6)
    assert new.worth == pytest.approx(STEADY * (new.events - 2) + 2, rel=0.25)
    low, high = new.interval(0.9)
    assert low <= new.level <= high
