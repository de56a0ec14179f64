"""Standing: each rule, its reasons, and its hysteresis."""

import msgspec
import pytest

from projections.scoring.figures import Figures, Level
from projections.scoring.standing import Facts, Standing, classify
from tests.projections.events import MODELS

CUSTOMER = MODELS["customer"]
RULES = CUSTOMER.standing


def figures(quality: float = 65.0, half_width: float = 10.0, evidence: float = 20.0, **more: float) -> Figures:
    levels = tuple(Level(dimension.prior_mean, 10.0, 12.0, dimension.prior_mean, 12.0) for dimension in CUSTOMER.dimensions)
    return Figures(
        0, levels, quality, quality - half_width, quality + half_width, evidence, more.get("lost", 10.0), more.get("lost_ours", 0.0)
    )


@pytest.mark.parametrize(
    ("now", "facts", "standing", "rule"),
    [
        (figures(evidence=1.0), Facts(), "unproven", "little_evidence"),
        (figures(half_width=30.0), Facts(), "unproven", "wide_interval"),
        (figures(), Facts(), "keep", "sound"),
        (figures(80.0), Facts(), "grow", "high_quality"),
        (figures(40.0), Facts(), "repair", "low_quality"),
        (figures(), Facts(open_conflict=3.0), "repair", "open_conflict"),
        (figures(), Facts(trend=-20.0), "repair", "falling"),
        (figures(), Facts(silence=5.0), "repair", "silent"),
        (figures(20.0), Facts(actions=2, trend=-1.0), "exit", "poor"),
        (figures(20.0), Facts(actions=0), "repair", "poor"),
        (figures(20.0), Facts(actions=2, trend=8.0), "repair", "poor"),
        (figures(20.0, evidence=5.0), Facts(actions=2), "repair", "low_quality"),
    ],
)
def test_each_rule_decides_and_says_which_figure_met_which_threshold(now: Figures, facts: Facts, standing: str, rule: str) -> None:
    found, reasons = classify(now, facts, CUSTOMER)
    assert (found, reasons[0].rule) == (standing, rule)
    assert all(reason.text[0].isalpha() or reason.text[0].isdigit() for reason in reasons)
    assert all("{" not in reason.text for reason in reasons)


def test_a_dimension_surely_worse_than_the_peers_calls_for_repair_and_is_named() -> None:
    levels = (Level(0.3, 40.0, 42.0, 0.3, 42.0), *figures().levels[1:])
    found, reasons = classify(msgspec.structs.replace(figures(), levels=levels), Facts(), CUSTOMER)
    assert (found, reasons[0].rule) == ("repair", "weak_satisfaction")


@pytest.mark.parametrize(("ours", "rule"), [(9.0, "our_conduct"), (1.0, "their_conduct")])
def test_repair_says_how_much_of_the_loss_is_our_own_conduct(ours: float, rule: str) -> None:
    _, reasons = classify(figures(40.0, lost_ours=ours), Facts(), CUSTOMER)
    assert reasons[-1].rule == rule


@pytest.mark.parametrize(
    ("quality", "before", "standing"),
    [
        (RULES.grow - 1, "grow", "grow"),
        (RULES.grow - 1, "keep", "keep"),
        (RULES.grow + 1, "keep", "keep"),
        (RULES.grow + 1, "grow", "grow"),
        (RULES.grow + 1, None, "grow"),
        (RULES.grow + 1, "unproven", "grow"),
        (RULES.repair + 1, "repair", "repair"),
        (RULES.repair - 1, "keep", "keep"),
        (RULES.repair - 1, None, "repair"),
        (RULES.repair - RULES.margin - 1, "grow", "repair"),
    ],
)
def test_near_a_threshold_a_standing_stays_where_it_was(quality: float, before: Standing | None, standing: Standing) -> None:
    assert classify(figures(quality), Facts(), CUSTOMER, before)[0] == standing
