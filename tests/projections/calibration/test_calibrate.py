"""Calibration finds what a simulated world was made of, is no worse than the default out of sample, and says when it cannot tell."""

from collections.abc import Sequence
from functools import cache

import msgspec
import numpy as np
import pytest

from projections.calibration import deliveries, peers, purchases, questions
from projections.calibration.calibrate import Answered, Calibration, TooShortError, calibrate, notes, split
from projections.calibration.measures import Floats
from projections.calibration.observed import History, observed
from projections.scoring.bgnbd import Parameters
from projections.scoring.commitment import outlook
from projections.scoring.policy_file import read, replaced, shipped_text, written
from schemas import catalogue as c
from schemas.touchpoint import Recorded
from tests.projections.calibration.populations import CDNOW, CDNOW_SPLIT, PUBLISHED, buyers, cdnow, deliverers, numbered
from tests.projections.calibration.populations import purchases as bought
from tests.projections.events import DAY, MODELS, NOW, POLICY, sample

SPLIT = NOW // DAY * DAY - 1600 * DAY
STEADY = Parameters(r=2.0, alpha=8.0)  # weeks: some buy every fortnight, some twice a year, and nobody leaves
HORIZON = POLICY.purchases.horizon_days


def histories(events: Sequence[Recorded]) -> list[History]:
    return observed(events)


@cache
def steady() -> list[History]:
    """Buyers who are not as the default policy has them."""
    return histories(bought(buyers(STEADY, 400, split_us=SPLIT, weeks=40.0, seed=3)))


@cache
def changing() -> list[History]:
    """Partners whose reliability changes faster than the default policy has it."""
    return histories(deliverers(40, 120, reliable=0.95, unreliable=0.4, seed=4))


@cache
def of_sample() -> Calibration:
    told = histories([event for events in sample().values() for event in events])
    return calibrate(told, POLICY, split(told, HORIZON))


def losses(tested: Answered) -> dict[str, float]:
    return {one.name: one.log_loss.value for one in tested.predictors}


def aucs(tested: Answered) -> dict[str, float]:
    return {one.name: one.auc.value for one in tested.predictors}


def test_the_formula_for_many_customers_is_the_scores_own() -> None:
    told = [purchases.bought(one) for one in steady()[:60]]
    asked = purchases.ask(told, [SPLIT // DAY - 100, SPLIT // DAY], HORIZON)
    for changes in ({}, {"purchases.first": 1.0, "purchases.leaving": 0.0}, {"purchases.half_life_days": 30, "purchases.leaving": 0.7}):
        rule = replaced(POLICY, changes).purchases
        found = purchases.chances(asked, rule)
        for number, (first, last) in enumerate(zip(asked.since_first, asked.since_last, strict=True)):
            count = float(np.exp2(-asked.age[asked.whose == number] / rule.half_life_days).sum())
            assert found[number] == pytest.approx(outlook(count, first, last, rule).probability)


def test_it_finds_the_chances_that_a_world_of_buyers_was_made_of() -> None:
    told = [purchases.bought(one) for one in steady()]
    asked = purchases.ask(told, purchases.moments_before(SPLIT // DAY, SPLIT // DAY - 280, HORIZON), HORIZON)
    rule = purchases.fit(asked, POLICY.purchases)
    later = purchases.ask(told, [SPLIT // DAY], HORIZON)
    count = np.bincount(later.whose).astype(float)
    assert STEADY.alpha is not None
    truth = 1.0 - ((STEADY.alpha + later.since_first / 7) / (STEADY.alpha + (later.since_first + HORIZON) / 7)) ** (STEADY.r + count - 1.0)
    assert np.abs(purchases.chances(later, rule) - truth).mean() < 0.03 < np.abs(purchases.chances(later, POLICY.purchases) - truth).mean()


def test_on_simulated_worlds_what_is_calibrated_is_better_out_of_sample_than_the_default() -> None:
    told = [*steady(), *changing()]
    found = calibrate(told, POLICY, split(told, HORIZON, SPLIT))
    for tested in (found.customers, found.partners):
        assert tested.thin is None
        assert tested.taken
        assert tested.spared is not None
        assert tested.spared.interval[0] > 0.0
        assert tested.spared.value == pytest.approx(losses(tested)["in force"] - losses(tested)["calibrated"], abs=2e-4)
        assert aucs(tested)["calibrated"] >= aucs(tested)["in force"] - 0.005
        assert aucs(tested)["calibrated"] > max(aucs(tested)[name] for name in ("recency", "frequency"))
    assert aucs(found.partners)["calibrated"] >= aucs(found.partners)["past mean"] + 0.05
    changes = {one.number: one.after for one in found.changes}
    assert changes["partner.delivery.half_life_days"] < POLICY.partner.delivery.half_life_days / 2
    assert changes["customer.commitment.prior_mean"] == pytest.approx(purchases.unknown(found.policy.purchases), abs=1e-4)


def test_on_the_sample_what_is_calibrated_is_no_worse_out_of_sample_than_the_default() -> None:
    found = of_sample()
    for tested in (found.customers, found.partners):
        assert tested.thin is None
        if tested.taken:
            assert losses(tested)["calibrated"] <= losses(tested)["in force"]
        assert losses(tested)["calibrated"] <= losses(tested)["in force"] * 1.02
    assert all(one.loss_after <= one.loss_before for one in found.means if one.taken and one.loss_after and one.loss_before)
    assert found.changes


@pytest.mark.parametrize("source", ["simulated", *(["cdnow"] if CDNOW.exists() else [])])
def test_the_calibrated_level_tells_who_buys_again_better_than_every_plain_figure(source: str) -> None:
    told = histories(bought(cdnow() if source == "cdnow" else buyers(PUBLISHED, 1500, split_us=CDNOW_SPLIT, weeks=39.0, seed=2)))
    found = calibrate(told, POLICY, split(told, HORIZON, CDNOW_SPLIT))
    for name in ("recency", "frequency", "RFM", "past mean"):
        assert aucs(found.customers)["calibrated"] > aucs(found.customers)[name]
        assert losses(found.customers)["calibrated"] < losses(found.customers)[name]
    assert losses(found.customers)["calibrated"] <= losses(found.customers)["in force"] + 0.002
    assert found.partners.thin == "0 partners with deliveries before the split, 10 needed"


def test_what_is_fitted_knows_nothing_of_the_later_part() -> None:
    told = [*steady()[:150], *changing()]
    other = [
        one._replace(events=tuple(event for event in one.events if event.occurred_us < SPLIT or number % 2))
        for number, one in enumerate(told)
    ]
    moments, fitted = purchases.moments_before(SPLIT // DAY, SPLIT // DAY - 280, HORIZON), []
    for each in (told, other):
        early = purchases.ask([purchases.bought(one) for one in each], moments, HORIZON)
        sent = deliveries.deliveries(each, SPLIT, POLICY)
        fitted.append((purchases.fit(early, POLICY.purchases), deliveries.fit(sent, POLICY.partner.delivery)))
    assert fitted[0] == fitted[1]


def test_deliveries_are_foretold_by_the_levels_own_formula() -> None:
    told = deliveries.deliveries(changing()[:3], SPLIT, POLICY)
    found = deliveries.foretold(told, 100.0, 0.8, 3.0)
    for row in range(len(told.day)):
        for place in np.flatnonzero(told.there[row])[::17]:
            kept = np.exp2((told.day[row, :place] - told.day[row, place]) / 100.0)
            plus, minus = (float((part[row, :place] * kept).sum()) for part in (told.plus, told.minus))
            assert found[row, place] == pytest.approx((plus + 2.4) / (plus + minus + 3.0))


def test_where_deliveries_are_all_there_is_that_is_the_published_level() -> None:
    told, rule = changing()[:3], POLICY.partner.delivery
    sent = deliveries.deliveries(told, NOW, POLICY)
    found = deliveries.foretold(sent, rule.half_life_days, rule.prior_mean, rule.prior_events)[sent.there]
    assert questions.delivery(told, 0, MODELS["partner"]) == pytest.approx(found, rel=1e-6)


def test_the_peers_mean_is_that_of_relationships_and_not_of_the_loudest() -> None:
    rng = np.random.default_rng(5)
    truth = rng.beta(6.0, 4.0, 300)
    count = rng.integers(1, 12, 300).astype(float)
    plus, later = (rng.binomial(count.astype(int), truth).astype(float) for _ in range(2))
    told: Floats = np.column_stack([plus, count - plus, later, count - later])
    told[0] = 0.0, 5000.0, 0.0, 0.0
    rule = msgspec.structs.replace(POLICY.partner.quality, prior_mean=0.9, prior_events=3.0)
    found = peers.mean(told, "partner.quality.prior_mean", rule, 0.9)
    assert found.after == pytest.approx(0.6, abs=0.04)
    assert found.interval is not None
    assert found.interval[0] < 0.6 < found.interval[1]
    assert found.taken
    few = peers.mean(told[:10], "partner.quality.prior_mean", rule, 0.9)
    assert (few.taken, few.after, few.why) == (False, 0.9, "10 relationships with evidence before and 9 after, 20 needed")


def test_too_little_is_said_with_what_is_missing_and_changes_nothing() -> None:
    told = [*steady()[:30], *changing()[:5]]
    found = calibrate(told, POLICY, split(told, HORIZON, SPLIT))
    assert found.customers.thin == "30 customers with a purchase before the split, 50 needed"
    assert found.partners.thin == "5 partners with deliveries before the split, 10 needed"
    assert (found.changes, found.policy) == ((), POLICY)
    for events, until in (([], None), (told, NOW), (told, SPLIT - 5000 * DAY)):
        with pytest.raises(TooShortError):
            split(events, HORIZON, until)


def test_a_proposal_is_a_whole_policy_with_its_reasons_beside_the_numbers() -> None:
    found = of_sample()
    text = written(replaced(found.policy, {"version": "mine"}), shipped_text(), notes(found.changes))
    assert read(text, where="").policy == replaced(found.policy, {"version": "mine"})
    assert text.count("calibrated on") == len(found.changes)
    assert "# days of exposure the prior is worth; calibrated on " in text


def test_a_sample_of_relationships_has_their_whole_histories_and_is_always_the_same() -> None:
    log = [event for events in sample().values() for event in events]
    some = observed(log, histories_max=40)
    assert 10 < len(some) <= 40
    assert some == observed(log, histories_max=40)
    whole = {one.relationship: one for one in observed(log)}
    assert len(whole) == len(sample())
    assert all(one == whole[one.relationship] for one in some)


def test_a_withdrawn_touchpoint_teaches_nothing() -> None:
    first, second = numbered((f"customer/{n}", NOW - n * DAY, c.Purchase(f"o{n}", c.Money("1.00", "EUR"))) for n in (1, 1))
    data = c.Correction(c.TouchpointRef("test", second.id), "twice")
    wrong = msgspec.structs.replace(second, position=3, source="rledger", id="c", type="ledger.correction.v1", data=data)
    (one,) = observed([first, second, wrong])
    assert [event.id for event in one.events] == [first.id]
