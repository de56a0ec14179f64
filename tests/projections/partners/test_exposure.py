"""Dependence: shares of spend, class A of an ABC analysis, Kraljic's quadrants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.partners.exposure import Share, Spend, exposure, shares
from projections.partners.supply import Row
from tests.projections.events import NOW, POLICY


def row(*sole: str, disruptions: tuple[tuple[str, str | None], ...] = ()) -> Row:
    return Row("partner/p", None, None, sole, {}, (), {}, disruptions)


@given(st.dictionaries(st.text("abc", min_size=1), st.tuples(st.sampled_from(["EUR", "USD"]), st.floats(0, 1e9)), min_size=1))
def test_shares_are_of_all_in_one_currency_and_the_largest_have_eighty_percent(told: dict[str, tuple[str, float]]) -> None:
    found = shares({name: Spend(*spend) for name, spend in told.items()}, POLICY)
    for currency in {currency for currency, _ in told.values()}:
        amounts = {name: amount for name, (of, amount) in told.items() if of == currency}
        if not sum(amounts.values()):
            assert all(found[name] == Share(None, high_impact=False) for name in amounts)
            continue
        assert sum(found[name].of_all or 0.0 for name in amounts) == pytest.approx(1.0)
        high = [amount for name, amount in amounts.items() if found[name].high_impact]
        assert sum(high) >= 0.8 * sum(amounts.values()) * (1 - 1e-9)
        assert sum(high) - min(high) < 0.8 * sum(amounts.values())
        assert min(high) >= max((amount for name, amount in amounts.items() if not found[name].high_impact), default=0.0)


@pytest.mark.parametrize(
    ("high_impact", "sole", "risk", "quadrant"),
    [
        (True, True, None, "strategic"),
        (True, False, 0.7, "strategic"),
        (True, False, 0.2, "leverage"),
        (False, True, 0.1, "bottleneck"),
        (False, False, 0.5, "bottleneck"),
        (False, False, None, "routine"),
    ],
)
def test_impact_and_risk_make_the_quadrant(*, high_impact: bool, sole: bool, risk: float | None, quadrant: str) -> None:
    told = row("steel") if sole else row()
    found = exposure(told, Spend("EUR", 100.0), Share(0.123456, high_impact=high_impact), risk=risk, now_us=NOW, policy=POLICY)
    assert (found.quadrant, found.share_percent, found.sole_source) == (quadrant, 12.35, told.sole_source)


def test_disruptions_of_the_last_year_count_with_their_days_so_far() -> None:
    told = row(disruptions=(("2025-05-01", "2025-05-20"), ("2026-01-01", "2026-01-05"), ("2026-05-31", None), ("2026-07-01", None)))
    found = exposure(told, Spend(None, 0.0), Share(None, high_impact=False), risk=None, now_us=NOW, policy=POLICY)
    assert (found.disruptions, found.disrupted_days) == (2, 5 + 2)


def test_nothing_known_is_routine() -> None:
    found = exposure(None, Spend(None, 0.0), Share(None, high_impact=False), risk=None, now_us=NOW, policy=POLICY)
    assert (found.quadrant, found.currency, found.share_percent, found.disruptions) == ("routine", None, None, 0)
