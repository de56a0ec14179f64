"""Standing: each rule, its reasons, and its hysteresis."""

import msgspec
import pytest

from projections.scoring.figures import Figures, Level
from projections.scoring.models import Model
from projections.scoring.standing import Facts, Standing, classify
from tests.projections.events import MODELS

CUSTOMER, PARTNER = MODELS["customer"], MODELS["partner"]
RULES = CUSTOMER.standing


def figures(quality: float = 65.0, half_width: float = 10.0, evidence: float = 20.0, **more: float) -> Figures:
    levels = tuple(Level(dimension.prior_mean, 10.0, 12.0, dimension.prior_mean, 12.0) for dimension in CUSTOMER.dimensions)
    lost, lost_ours = more.get("lost", 10.0), more.get("lost_ours", 0.0)
    bounds = quality - half_width, quality + half_width
    return Figures(0, levels, quality, evidence, (), (), 0.9, bounds, (lost, lost_ours))


@pytest.mark.parametrize(
    ("now", "facts", "standing", "rule"),
    [
        (figures(evidence=1.0), Facts(), "unproven", "little_evidence"),
        (figures(half_width=30.0), Facts(), "unproven", "wide_interval"),
        (figures(), Facts(), "keep", "sound"),
        (figures(80.0), Facts(), "grow", "high_quality"),
        (figures(40.0), Facts(), "repair", "low_quality"),
        (figures(), Facts(open_conflict=3.0), "repair", "open_conflict"),
        (figures(), Facts(silence=0.001, silent_days=90.0), "repair", "silent"),
        (figures(90.0), Facts(net_loss=0.9, actions=1, trend=0.0), "exit", "net_loss"),
        (figures(90.0), Facts(net_loss=0.9), "repair", "net_loss"),
        (figures(90.0, evidence=5.0), Facts(net_loss=0.9), "grow", "high_quality"),
        (figures(90.0), Facts(net_loss=0.7, actions=1), "grow", "high_quality"),
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


def levelled(number: int, level: float, model: Model = CUSTOMER, events: float = 40.0) -> Figures:
    """Sound figures, one dimension of which is surely at this level."""
    levels = [Level(dimension.prior_mean, 10.0, 12.0, dimension.prior_mean, 12.0) for dimension in model.dimensions]
    levels[number] = Level(level, events, events + 2, level, events + 2)
    return msgspec.structs.replace(figures(75.0), levels=tuple(levels))


def test_a_dimension_surely_worse_than_the_peers_calls_for_repair_and_is_named() -> None:
    found, reasons = classify(levelled(0, 0.3), Facts(), CUSTOMER)
    assert (found, reasons[0].rule) == ("repair", "weak_satisfaction")
    assert classify(levelled(0, 0.5, events=1.0), Facts(), CUSTOMER)[0] == "keep"


def test_deals_that_left_one_side_little_and_a_source_we_depend_on_call_for_repair() -> None:
    assert classify(levelled(CUSTOMER.numbers["balance"], 0.35, events=2.0), Facts(), CUSTOMER)[1][0].rule == "unequal"
    assert classify(levelled(PARTNER.numbers["exposure"], 0.7, PARTNER), Facts(), PARTNER)[1][0].rule == "exposed"


def test_a_partner_whose_main_dimension_is_beyond_hope_is_an_exit_once_repair_was_tried() -> None:
    hopeless = levelled(PARTNER.numbers["quality"], 0.2, PARTNER)
    assert classify(hopeless, Facts(actions=2, trend=1.0), PARTNER)[0] == "exit"
    assert [reason.rule for reason in classify(hopeless, Facts(actions=2, trend=1.0), PARTNER)[1]] == ["hopeless_quality", "repair_tried"]
    assert classify(hopeless, Facts(actions=2, trend=10.0), PARTNER)[0] == "repair"
    assert classify(levelled(CUSTOMER.numbers["satisfaction"], 0.1), Facts(actions=2, trend=1.0), CUSTOMER)[0] == "repair"


def test_a_fall_calls_for_repair_where_it_is_surely_one() -> None:
    assert classify(figures(60.0, 10.0), Facts(trend=-20.0), CUSTOMER, figures(80.0))[1][0].rule == "falling"
    assert classify(figures(60.0, 16.0), Facts(trend=-15.0), CUSTOMER, figures(75.0))[0] == "keep"


@pytest.mark.parametrize(("ours", "rule"), [(9.0, "our_conduct"), (1.0, "their_conduct")])
def test_repair_says_how_much_of_the_loss_is_our_own_conduct(ours: float, rule: str) -> None:
    _, reasons = classify(figures(40.0, lost_ours=ours), Facts(), CUSTOMER)
    assert reasons[-1].rule == rule


@pytest.mark.parametrize(
    ("quality", "then", "standing"),
    [
        (RULES.grow - 1, RULES.grow + 3, "grow"),
        (RULES.grow - 1, RULES.grow - 1, "keep"),
        (RULES.grow + 1, RULES.grow - 3, "keep"),
        (RULES.grow + 1, None, "grow"),
        (RULES.repair + 1, RULES.repair - 1, "repair"),
        (RULES.repair - 1, RULES.repair + 1, "keep"),
        (RULES.repair - 1, None, "repair"),
        (RULES.repair - RULES.margin - 1, RULES.grow, "repair"),
    ],
)
def test_near_a_threshold_a_standing_stays_where_it_was(quality: float, then: float | None, standing: Standing) -> None:
    assert classify(figures(quality), Facts(), CUSTOMER, None if then is None else figures(then))[0] == standing


def test_who_was_known_stays_so_until_clearly_more_has_faded() -> None:
    wide = figures(half_width=RULES.width_max / 2 + 3)
    assert classify(wide, Facts(), CUSTOMER)[0] == "unproven"
    assert classify(wide, Facts(), CUSTOMER, figures())[0] == "keep"
    assert classify(wide, Facts(), CUSTOMER, wide)[0] == "unproven"
