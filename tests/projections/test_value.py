"""Value: exchange rates by their day, what serving costs, the chance of a loss, what is ahead; and the gaps in the data that are told."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.relationships import assess
from projections.scoring import bgnbd
from projections.scoring.commitment import expected_purchases
from projections.scoring.evidence import kept
from projections.scoring.exchange import Rates
from projections.scoring.notices import never_opened, without_rate
from projections.scoring.policy import PurchasesPolicy
from projections.scoring.value import Worth, brought_together, worth
from schemas import catalogue as c
from schemas.touchpoint import Recorded, moment
from tests.projections.events import DAY, MODELS, NOW, POLICY, folded, happened

CUSTOMER = MODELS["customer"]
TODAY = NOW // DAY


def bought(days_ago: float, amount: float, *, currency: str = "EUR", margin: float | None = None) -> Recorded:
    earned = None if margin is None else c.SignedMoney(f"{margin:.2f}", currency)
    return happened(c.Purchase("o", c.Money(f"{amount:.2f}", currency), earned), days_ago)


def rate(base: str, quote: str, rate: str, days_ago: int) -> Recorded:
    return happened(c.ExchangeRate(base, quote, rate, moment(NOW).date() - timedelta(days=days_ago)), relationship="ledger")


def test_an_amount_is_converted_by_the_newest_rate_on_or_before_its_day_both_ways() -> None:
    rates = Rates([rate("USD", "EUR", "0.8", 10), rate("USD", "EUR", "0.5", 20), rate("EUR", "GBP", "0.5", 30)])
    assert rates.convert(10.0, "USD", "EUR", TODAY) == pytest.approx(8.0)
    assert rates.convert(10.0, "USD", "EUR", TODAY - 10) == pytest.approx(8.0)
    assert rates.convert(10.0, "USD", "EUR", TODAY - 11) == pytest.approx(5.0)
    assert rates.convert(10.0, "USD", "EUR", TODAY - 21) is None
    assert rates.convert(10.0, "EUR", "USD", TODAY) == pytest.approx(12.5)
    assert rates.convert(10.0, "USD", "GBP", TODAY) is None  # nothing is chained
    assert Rates().convert(10.0, "EUR", "EUR", 0) == 10.0
    again = Rates([rate("USD", "EUR", "0.8", 10), rate("USD", "EUR", "0.9", 10)])
    assert again.convert(10.0, "USD", "EUR", TODAY) == pytest.approx(9.0)


def together(events: Sequence[Recorded], rates: Rates) -> Worth:
    found = worth(folded(events), CUSTOMER, NOW)
    assert found is not None
    return brought_together(found, events, rates, CUSTOMER, NOW)


def test_amounts_without_a_rate_are_kept_shown_and_left_out_with_a_notice() -> None:
    events = [
        bought(0, 100),
        bought(1, 100),
        bought(1, 100),
        bought(5, 100, currency="USD"),
        bought(40, 100, currency="USD"),
        bought(2, 70, currency="GBP"),
    ]
    found = together(events, Rates([rate("USD", "EUR", "0.8", 10)]))
    fades = [2.0 ** (-days / POLICY.value.half_life_days) for days in (0, 1, 5, 40, 2)]
    assert float(found.amount) == pytest.approx(100 * fades[0] + 200 * fades[1] + 80 * fades[2], abs=0.02)
    assert {currency: float(amount) for currency, amount in found.others.items()} == pytest.approx(
        {"USD": 100 * fades[3], "GBP": 70 * fades[4]}, abs=0.02
    )
    assert [notice.notice for notice in without_rate(found.others, found.currency)] == ["no_exchange_rate"] * 2
    assert together(events[:3], Rates()).others == {}


def test_what_serving_costs_is_told_and_a_customer_who_costs_more_than_he_brings_is_harmful() -> None:
    good = [bought(days, 1000, margin=300) for days in range(0, 300, 30)]
    work = [happened(c.Complaint(f"k{n}", "them", "minor"), n) for n in range(40)]
    fine, bad = worth(folded(good), CUSTOMER, NOW), worth(folded([*good, *work]), CUSTOMER, NOW)
    assert fine is not None
    assert bad is not None
    hours = sum(POLICY.serve.complaint_hours * 2.0 ** (-n / POLICY.value.half_life_days) for n in range(40))
    assert float(bad.cost_to_serve or 0) == pytest.approx(hours * POLICY.serve.hour_cost, abs=0.02)
    assert float(bad.net or 0) == pytest.approx(float(bad.amount) - float(bad.cost_to_serve or 0), abs=0.02)
    assert (fine.net_loss or 0) < 0.01
    assert (bad.net_loss or 0) > 0.8
    tried = [happened(c.Action(f"a{n}", "call"), 60) for n in range(2)]
    assert assess(folded([*good, *work, *tried]), CUSTOMER, NOW).reasons[0].rule == "net_loss"
    assert worth(folded([bought(1, 100)]), CUSTOMER, NOW) == Worth("99.81", "EUR", "revenue", {}, "0.00")


def test_the_chance_of_a_loss_is_the_share_of_simulated_customers_who_lose() -> None:
    """Where what they bring and what they cost are truly the same, the chance that is told is spread evenly, as a p-value is."""
    rng = np.random.default_rng(31)
    told = []
    for _ in range(400):
        margins = rng.gamma(2.0, 50.0, rng.poisson(25))
        hours = rng.gamma(2.0, 50.0 / POLICY.serve.hour_cost, rng.poisson(25))
        model_ = [bought(0, 1000, margin=float(one)) for one in margins]
        state = folded([*model_, bought(0, 1, margin=0.0)])
        factor = kept(NOW, POLICY.value.half_life_us)
        state.served = [float(hours.sum()) * factor, float((hours**2).sum()) * factor**2]
        found = worth(state, CUSTOMER, NOW)
        assert found is not None
        told.append(found.net_loss or 0.0)
    assert np.mean(np.array(told) > 0.5) == pytest.approx(0.5, abs=0.08)
    assert np.mean(np.array(told) > 0.9) == pytest.approx(0.1, abs=0.05)


@given(st.integers(1, 40), st.floats(0, 800), st.floats(0.1, 800), st.floats(0.1, 3), st.floats(5, 200), st.floats(0.01, 3))
def test_without_forgetting_expected_purchases_are_those_of_bg_nbd(  # noqa: PLR0917  # hypothesis gives them by place
    repeats: int, last: float, more: float, shape: float, rate_days: float, leaving: float
) -> None:
    policy = PurchasesPolicy(half_life_days=1e9, shape=shape, rate_days=rate_days, first=1, horizon_days=90, weight=1, leaving=leaving)
    oracle = bgnbd.expected_purchases(bgnbd.History(repeats, last, last + more), 90, bgnbd.Parameters(shape, rate_days, leaving, 2.0))
    assert expected_purchases(repeats, last + more, more, policy) == pytest.approx(oracle, rel=1e-3, abs=1e-9)


def test_expected_purchases_are_few_after_the_first_and_many_for_a_regular() -> None:
    rule = POLICY.purchases
    first = expected_purchases(1.0, 0.0, 0.0, rule)
    regular = expected_purchases(sum(0.5 ** (days / rule.half_life_days) for days in range(0, 700, 20)), 680.0, 5.0, rule)
    assert 0.1 < first < 1.0
    assert 2.5 < regular < 4.5


def test_what_names_an_id_never_opened_is_told_whatever_came_first() -> None:
    answer, opened = happened(c.ComplaintResolved("k1", "resolved"), 5), happened(c.Complaint("k1", "them", "minor"), 9)
    assert [notice.notice for notice in never_opened([answer])] == ["never_opened"]
    assert never_opened([answer, opened]) == []
    orphans = [
        happened(c.NegotiationClosed("n1", "failed"), 4),
        happened(c.ContractRenewed("c1"), 3),
        happened(c.PromiseSettled("p1", "kept"), 2),
        happened(c.ContractBreached("c2", "us", "minor"), 1),
    ]
    found = never_opened(orphans)
    assert [notice.position for notice in found] == [event.position for event in orphans]
    assert "negotiation n1" in found[0].text
