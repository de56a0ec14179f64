"""What the answer says: who judges it from where, what is not known, what does not fit, and what the deal would do."""

import random
from math import isfinite
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.deals.effects import Balance
from projections.deals.evaluate import Between, Evaluation, Figure, Offer, evaluate
from projections.deals.proposal import DealError, Proposal, decode
from schemas import catalogue as c
from tests.projections.deals.games import Game, continuous_game, gain, judged, proposal, small_game, swapped
from tests.projections.events import MODELS, figured, happened, level

SEEDS = st.integers(0, 2**32)
MIRRORED = {"tilted_to_us": "tilted_to_them", "tilted_to_them": "tilted_to_us"}


def price(target: float, reservation: float, theirs: Any = None, **more: Any) -> dict[str, Any]:
    """One issue; ``theirs``: (target, reservation), each a number or a (low, high)."""
    if theirs is not None:
        ends = [{"low": end[0], "high": end[1]} if isinstance(end, tuple) else end for end in theirs]
        more["theirs"] = {"target": ends[0], "reservation": ends[1]}
    return {"issue": "price", "ours": {"target": target, "reservation": reservation}, **more}


def any_game(seed: int) -> tuple[Game, dict[str, float]]:
    rng = random.Random(seed)
    return small_game(rng) if rng.random() < 0.5 else continuous_game(rng, rng.randint(1, 4))


def codes(found: Evaluation) -> set[str]:
    return {caution.code for caution in found.effects.warnings}


def ends(figure: Figure | None) -> tuple[float, float]:
    assert figure is not None
    return (figure.low, figure.high) if isinstance(figure, Between) else (figure, figure)


# ---- from whose chair and in what units does not matter ----------------------------------------------------


def points(found: Evaluation) -> list[Offer | None]:
    return [found.nash_point, found.ks_point, found.counter_offer]


@given(SEEDS)
def test_swapping_the_sides_swaps_the_answer(seed: int) -> None:
    issues, terms = any_game(seed)
    one, other = judged(issues, terms), judged(swapped(issues), terms)
    assert (one.ours.gain, one.ours.share) == pytest.approx((other.theirs.gain, other.theirs.share))
    assert (one.ours.target, one.ours.reservation) == (other.theirs.target, other.theirs.reservation)
    for figure in ("joint_gain", "nash_product", "nash_efficiency", "pareto_dominated"):
        assert getattr(one, figure) == pytest.approx(getattr(other, figure), abs=1e-9)
    assert MIRRORED.get(one.verdict, one.verdict) == other.verdict
    for mine, yours in zip(points(one), points(other), strict=True):
        assert (mine is None) == (yours is None)
        if mine is not None and yours is not None:
            assert mine.terms == pytest.approx(yours.terms)
            assert (mine.ours, mine.theirs) == pytest.approx((yours.theirs, yours.ours))
    mirrored = {"ours": "theirs", "theirs": "ours", None: None}
    told, told_back = ({(one.code, one.issue, one.side) for one in found.effects.warnings} for found in (one, other))
    assert told == {(code, issue, mirrored[side]) for code, issue, side in told_back}


@given(SEEDS, st.floats(0.01, 100), st.floats(0.1, 10), st.floats(-50, 50), st.booleans())
def test_scaling_a_sides_utility_or_an_issues_unit_changes_nothing(
    seed: int, weight: float, factor: float, shift: float, reversed_: bool
) -> None:
    issues, terms = any_game(seed)
    factor = -factor if reversed_ else factor

    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: moved(one) for name, one in value.items()}
        return [moved(one) for one in value] if isinstance(value, list) else value * factor + shift

    scaled = [
        {**issue, "weight_ours": issue["weight_ours"] * weight}
        | {name: moved(issue[name]) for name in ("ours", "theirs", "options") if name in issue}
        for issue in issues
    ]
    one, other = judged(issues, terms), judged(scaled, moved(terms))
    assert (one.verdict, one.pareto_dominated) == (other.verdict, other.pareto_dominated)
    assert (one.ours.gain, one.theirs.gain, one.nash_efficiency) == pytest.approx(
        (other.ours.gain, other.theirs.gain, other.nash_efficiency), abs=1e-7
    )
    assert codes(one) == codes(other)
    for mine, same in zip(points(one), points(other), strict=True):
        assert (mine is None) == (same is None)
        if mine is not None and same is not None:
            assert mine.ours * ends(mine.theirs)[0] == pytest.approx(same.ours * ends(same.theirs)[0], abs=1e-7)


# ---- the verdict -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agreed", "verdict"),
    [
        (100, "balanced"),
        (96, "balanced"),
        (95, "tilted_to_us"),
        (105, "tilted_to_them"),
        (83, "unequal"),
        (117, "unequal"),
        (79, "unequal"),
        (121, "unequal"),
    ],
)
def test_the_verdict_goes_from_balanced_over_tilted_to_unequal(agreed: float, verdict: str) -> None:
    assert judged([price(80, 120, (120, 80))], {"price": agreed}).verdict == verdict


def test_low_gains_are_warned_of_and_gaps_are_not() -> None:
    assert codes(judged([price(80, 120, (120, 80))], {"price": 83})) == {"low_gain"}
    wide = judged([price(80, 120, (120, 80)), price(0, 10, (0, 10)) | {"issue": "delay", "weight_ours": 8}], {"price": 100, "delay": 1})
    assert (wide.verdict, codes(wide)) == ("balanced", {"same_direction"})
    narrow = judged([price(80, 101, (120, 99))], {"price": 100})
    assert (narrow.verdict, codes(narrow)) == ("balanced", {"low_gain"})
    assert len(narrow.effects.warnings) == 2


def test_no_zone_where_no_terms_give_both_their_walk_away() -> None:
    found = judged([price(80, 90, (120, 100))], {"price": 95})
    assert found.verdict == "no_zone"
    assert (found.nash_point, found.ks_point, found.counter_offer, found.nash_efficiency) == (None, None, None, None)
    assert (found.nash_product, found.ours.share, found.pareto_dominated) == (0.0, None, False)
    assert codes(found) == {"below_walk_away", "past_walk_away"}


def test_a_loss_on_one_issue_may_be_made_good_on_another() -> None:
    delay = {"issue": "delay", "ours": {"target": 60, "reservation": 20}, "theirs": {"target": 20, "reservation": 60}}
    found = judged([price(80, 90, (120, 100)), delay], {"price": 98, "delay": 50})
    assert found.verdict == "unequal"
    assert found.nash_point is not None
    assert 90 <= found.nash_point.terms["price"] <= 100
    assert found.nash_point.ours > 0 < ends(found.nash_point.theirs)[0]


def test_issues_that_weigh_the_same_are_conceded_side_by_side() -> None:
    issues = [price(80, 120, (120, 80)) | {"issue": name} for name in ("steel", "copper")]
    found = judged(issues, {"steel": 85, "copper": 115})
    assert found.nash_point is not None
    assert found.nash_point.terms == {"steel": 100, "copper": 100}
    assert (found.pareto_dominated, found.nash_efficiency) == (False, 1.0)


def test_a_deal_at_the_only_terms_both_would_take_is_balanced() -> None:
    found = judged([price(80, 100, (120, 100))], {"price": 100})
    assert (found.verdict, found.joint_gain, found.nash_efficiency, found.pareto_dominated) == ("balanced", 0.0, None, False)
    assert found.nash_point is not None
    assert found.nash_point.terms == {"price": 100}


def test_terms_past_a_walk_away_are_never_more_than_wholly_efficient() -> None:
    delay = {"issue": "delay", "ours": {"target": 60, "reservation": 50}, "theirs": {"target": 20, "reservation": 60}, "weight_ours": 9}
    found = judged([price(80, 90, (120, 85)), delay], {"price": 150, "delay": 60})
    assert "past_walk_away" in codes(found)
    assert ends(found.nash_efficiency)[1] <= 1.0


# ---- the other side is an estimate -------------------------------------------------------------------------


@st.composite
def estimated(draw: st.DrawFn) -> tuple[Game, Game, dict[str, float]]:
    """Issues with ranges for the other side, the same with numbers somewhere in them, and a deal."""
    rng = random.Random(draw(SEEDS))
    truth, terms = any_game(draw(SEEDS))
    guessed = []
    for issue in truth:
        theirs = issue["theirs"]
        room = abs(theirs["target"] - theirs["reservation"]) * 0.45
        spans = {end: {"low": value - room * rng.random(), "high": value + room * rng.random()} for end, value in theirs.items()}
        guessed.append({**issue, "theirs": spans})
    return guessed, truth, terms


@given(estimated())
def test_whatever_of_the_estimates_is_true_the_answer_holds(case: tuple[Game, Game, dict[str, float]]) -> None:
    guessed, truth, terms = case
    found, known = judged(guessed, terms), judged(truth, terms)
    for figure, true in (
        (found.theirs.gain, known.theirs.gain),
        (found.joint_gain, known.joint_gain),
        (found.nash_product, known.nash_product),
        (found.ours.share, known.ours.share),
    ):
        if figure is not None and true is not None:
            low, high = ends(figure)
            assert low - 1e-8 <= ends(true)[0] <= high + 1e-8
    if found.verdict not in ("cannot_tell", "no_zone"):
        assert known.verdict in (found.verdict, "no_zone" if found.verdict == "unequal" else found.verdict)
    if found.counter_offer is not None:
        assert found.pareto_dominated
        before, after = (gain(truth, "theirs", list(one.values())) for one in (terms, found.counter_offer.terms))
        assert after >= before - 1e-8
        assert found.counter_offer.ours >= ends(found.ours.gain)[0] - 1e-8


def test_the_benchmark_stands_in_for_what_we_do_not_know_of_them() -> None:
    found = judged([price(80, 120, benchmark=100)], {"price": 105})
    assert found.theirs.reservation["price"] == Between(80, 100)
    assert found.theirs.target["price"] == Between(120, 140)
    assert found.theirs.gain == Between(0.125, 0.625)
    assert found.ours.gain == 0.375
    assert (found.verdict, codes(found)) == ("cannot_tell", {"assumed"})


def test_without_a_benchmark_their_walk_away_may_lie_from_ours_to_as_far_beyond_our_target() -> None:
    found = judged([price(80, 120)], {"price": 105})
    assert found.theirs.reservation["price"] == Between(40, 120)
    assert found.theirs.gain == Between(-0.375, 1.625)
    assert (found.verdict, found.nash_efficiency) == ("cannot_tell", None)


def test_an_estimate_that_does_not_tell_their_direction_is_as_good_as_none() -> None:
    overlapping = judged([price(80, 120, ((95, 110), (100, 105)))], {"price": 105})
    assert overlapping.theirs == judged([price(80, 120)], {"price": 105}).theirs
    assert codes(overlapping) == {"assumed"}


def test_who_weighs_the_issues_differently_can_trade_though_their_walk_away_is_unknown() -> None:
    issues = [price(80, 120, weight_theirs=1), price(0, 40, weight_theirs=4) | {"issue": "delay"}]
    found = judged(issues, {"price": 100, "delay": 20})
    assert found.pareto_dominated
    assert found.counter_offer is not None
    assert found.counter_offer.terms["price"] < 100
    assert found.counter_offer.terms["delay"] > 20


def test_weights_left_out_are_the_mean_of_those_given() -> None:
    issues = [price(0, 10, (10, 0)) | {"issue": str(number)} for number in range(3)]
    terms = {"0": 1.0, "1": 5.0, "2": 9.0}
    assert judged(issues, terms).ours.gain == pytest.approx(0.5)
    for number, weight in enumerate((20, 60)):
        issues[number]["weight_ours"] = weight
    assert judged(issues, terms).ours.gain == pytest.approx((20 * 0.9 + 60 * 0.5 + 40 * 0.1) / 120)


# ---- input that does not fit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("issues", "terms", "code", "says"),
    [
        ([], {"price": 1}, "bad_deal", "length >= 1"),
        ([price(80, 120)] * 2, {"price": 100}, "bad_deal", "twice"),
        ([price(80, 120)], {"prise": 100}, "unknown_issue", "'prise', which is none of the issues: price"),
        ([price(80, 120)], {}, "no_terms", "at least one of price"),
        ([price(80, 120, options=[80, 100])], {"price": 90}, "not_an_option", "price 90 is none of its options: 80, 100"),
        ([price(80, 80, (120, 80))], {"price": 90}, "no_range", "we gain nothing"),
        ([price(80, 120, (90, 90))], {"price": 90}, "no_range", "they gain nothing"),
        ([price(80, 120, weight_ours=0)], {"price": 90}, "no_range", "weights above 0"),
        ([price(80, 120, ((110, 100), 80))], {"price": 90}, "bad_deal", "low 110 is above high 100"),
        ([price(0, 5e-324, (1, 0))], {"price": 1e15}, "bad_deal", "too narrow"),
        ([price(0, 5e-324, (1, 0), options=[0, 1e15])], {"price": 0}, "bad_deal", "too narrow"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_code_and_what_to_do(issues: Any, terms: Any, code: str, says: str) -> None:
    with pytest.raises(DealError, match=says) as caught:
        judged(issues, terms)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"\xff", "not_json"),
        (b'{"more": ' + b"[" * 100_000, "not_json"),
        (b"[]", "bad_deal"),
        (b'{"issues": [{"issue": "price"}], "terms": {}}', "bad_deal"),
        (b'{"issues": [{"issue": "price", "ours": {"target": "8", "reservation": 12}}], "terms": {}}', "bad_deal"),
    ],
)
def test_what_is_no_deal_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(DealError) as caught:
        decode(body)
    assert caught.value.code == code


def test_options_that_combine_without_end_are_refused_and_many_that_do_not_are_weighed() -> None:
    rng = random.Random(3)
    endless = [price(0, 1, (1, 0), options=[rng.random() for _ in range(8)]) | {"issue": str(number)} for number in range(12)]
    with pytest.raises(DealError) as caught:
        judged(endless, {issue["issue"]: issue["options"][0] for issue in endless})
    assert caught.value.code == "too_many_options"
    many = [{**issue, "options": [0, 0.25, 0.5, 0.75, 1]} for issue in endless]
    assert judged(many, {issue["issue"]: 0.5 for issue in many}).verdict == "balanced"


def test_an_issue_without_a_term_is_left_out_and_named() -> None:
    issues = [price(80, 120, (120, 80)), price(0, 10, (10, 0)) | {"issue": "delay"}]
    assert judged(issues, {"price": 100}).ours.gain == 0.5
    assert codes(judged(issues, {"price": 100})) == {"left_open"}


def test_a_side_without_a_range_on_an_issue_insists_on_its_value() -> None:
    issues = [price(80, 120, (120, 80)), price(5, 5, (0, 10)) | {"issue": "delay"}]
    found = judged(issues, {"price": 100, "delay": 7})
    assert (found.ours.gain, codes(found)) == (0.5, {"no_range"})
    assert found.nash_point is not None
    assert found.nash_point.terms["delay"] == 5


def test_both_wanting_the_same_is_pointed_out_and_given_to_both() -> None:
    found = judged([price(80, 120, (90, 110))], {"price": 100})
    assert codes(found) == {"same_direction"}
    assert found.counter_offer is not None
    assert found.counter_offer.terms == {"price": 80}


numbers = st.one_of(st.integers(-9, 9).map(float), st.floats(-1e15, 1e15), st.floats(-1, 1))
spans = st.one_of(numbers, st.tuples(numbers, numbers).map(lambda two: {"low": min(two), "high": max(two)}))


@st.composite
def proposals(draw: st.DrawFn) -> dict[str, Any]:
    """Anything that may come in."""
    issues: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 4))):
        issue: dict[str, Any] = {"issue": str(number), "ours": {"target": draw(numbers), "reservation": draw(numbers)}}
        if draw(st.booleans()):
            issue["theirs"] = {"target": draw(spans), "reservation": draw(spans)}
        for name, values in (("weight_ours", st.floats(0, 1e6)), ("weight_theirs", st.floats(0, 1e6)), ("benchmark", numbers)):
            if draw(st.booleans()):
                issue[name] = draw(values)
        if draw(st.booleans()):
            issue["options"] = draw(st.lists(numbers, max_size=4))
        issues.append(issue)
    terms = {issue["issue"]: draw(st.sampled_from(issue["options"]) if issue.get("options") else numbers) for issue in issues}
    return {"issues": issues, "terms": terms}


def every_number(value: Any) -> list[float]:
    if isinstance(value, dict | list):
        return [number for one in (value.values() if isinstance(value, dict) else value) for number in every_number(one)]
    return [value] if isinstance(value, float) else []


@given(proposals())
def test_every_deal_is_answered_in_numbers_or_refused_with_a_code(body: dict[str, Any]) -> None:
    try:
        found = evaluate(msgspec.convert(body, Proposal), MODELS["partner"])
    except DealError:
        return
    told = msgspec.to_builtins(found)
    assert all(isfinite(number) for number in every_number(told))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found
    assert (found.pareto_dominated is True) == (found.counter_offer is not None)
    if found.nash_efficiency is not None:
        assert 0 <= ends(found.nash_efficiency)[0] <= ends(found.nash_efficiency)[1] <= 1


# ---- what it would do --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["customer", "partner"])
@pytest.mark.parametrize("agreed", [82, 95, 100, 119])
@pytest.mark.parametrize("theirs", [(120, 80), ((115, 125), (80, 90)), None])
def test_the_effects_are_what_closing_the_deal_does_to_the_scores(kind: str, agreed: float, theirs: Any) -> None:
    issues = proposal([price(80, 120, theirs)], {"price": agreed}).issues
    relationship = f"{kind}/acme"
    before = [happened(c.Feedback("nps", 5), 0, relationship=relationship)]
    after = [
        *before,
        happened(c.NegotiationOpened("n1", issues), 0, relationship=relationship),
        happened(c.NegotiationClosed("n1", "agreed", {"price": agreed}), 0, relationship=relationship),
    ]
    found = evaluate(proposal([price(80, 120, theirs)], {"price": agreed}), MODELS[kind]).effects
    assert found.balance == pytest.approx(level(after, "balance") - level(before, "balance"), abs=1e-5)
    assert found.quality == pytest.approx(figured(after).quality - figured(before).quality, abs=1e-3)
    stands = figured(after).levels[MODELS[kind].names.index("balance")]
    once_more = Balance(stands.level, stands.events)
    again = evaluate(proposal([price(80, 120, theirs)], {"price": agreed}), MODELS[kind], once_more).effects
    assert abs(again.balance) <= abs(found.balance)


def test_taking_most_of_it_counts_against_our_reputation_and_giving_it_does_not() -> None:
    taken, given_ = (judged([price(80, 120, (120, 80))], {"price": agreed}).effects for agreed in (83, 117))
    assert taken.reputation < 0 == given_.reputation
    assert taken.balance == given_.balance < 0


def test_a_fair_deal_repairs_a_bad_balance() -> None:
    found = evaluate(proposal([price(80, 120, (120, 80))], {"price": 100}), MODELS["partner"], Balance(0.2, 6.0))
    assert found.effects.balance == pytest.approx((0.2 * 6 + 2) / 8 - 0.2, abs=1e-6)
