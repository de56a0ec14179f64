"""What ``docs/method.md`` tells is so: its example through the real fold, its weights and thresholds from the policy."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from projections.relationships import assess
from projections.scoring.explain import explain
from schemas import catalogue as c
from schemas.touchpoint import Recorded
from tests.projections.events import DAY, MODELS, NOW, POLICY, figured, folded, happened

METHOD = (Path(__file__).parents[2] / "docs/method.md").read_text()
MIDNIGHT = NOW - NOW % DAY  # of 1 June
CUSTOMER = MODELS["customer"]
EUR = c.Money("100.00", "EUR")


def ago(days: int, data: c.Data) -> Recorded:
    return happened(data, (NOW - MIDNIGHT) / DAY + days)


PAID_ON = date(2026, 6, 1) - timedelta(days=45)
EXAMPLE = {
    "today's purchase": ago(0, c.Purchase("o2", EUR)),
    "the first purchase": ago(90, c.Purchase("o1", EUR)),
    "the rating": ago(90, c.Feedback("nps", 9)),
    "the complaint": ago(30, c.Complaint("k1", "them", "moderate")),
    "the payment": ago(45, c.Payment("i1", "them", EUR, PAID_ON, PAID_ON)),
}
EVENTS = list(EXAMPLE.values())


def test_the_levels_and_the_quality_of_the_example_are_those_told() -> None:
    found = figured(EVENTS, MIDNIGHT)
    satisfaction, trust, commitment, balance = (one.level for one in found.levels)
    assert f"1.85 / 4.0874 = {satisfaction:.4f}" in METHOD
    assert f"(0.7071 + 2) = {trust:.4f}" in METHOD
    assert f"/ (1 + 0.08) = {commitment:.4f}" in METHOD
    assert balance == 0.5
    assert f"**{found.quality:.2f}**, and surely (90 %) between {found.low:.1f} and {found.high:.1f}" in METHOD
    assert assess(folded(EVENTS), CUSTOMER, MIDNIGHT).standing == "unproven"


def test_the_arithmetic_told_gives_the_same_by_hand() -> None:
    complaint = 2 * 0.5 ** (30 / 90)
    satisfaction = (0.45 + 2 * 0.70) / (0.45 + 0.05 + complaint + 2)
    trust = (0.5**0.5 + 1.5) / (0.5**0.5 + 2)
    commitment = (1 - (124.92 / 214.92) ** 1.3) / 1.08
    assert 30 * satisfaction + 25 * trust + 30 * commitment + 15 * 0.5 == pytest.approx(figured(EVENTS, MIDNIGHT).quality, abs=0.005)


def test_the_explanation_of_the_example_is_the_one_told_and_adds_up() -> None:
    told = {match[2]: float(match[1]) for match in re.finditer(r"\| ([+-]\d\.\d\d) \| ([a-z' ]+?) \|", METHOD)}
    found = explain(EVENTS, CUSTOMER, MIDNIGHT)
    by_event = {part.event.id: part for part in found.parts}
    for name, event in EXAMPLE.items():
        assert told.pop(name) == pytest.approx(by_event[event.id].contribution, abs=0.005)
    assert told == {"silence since the first purchase": pytest.approx(found.others, abs=0.005)}
    assert f"The peers stand at {found.base:.2f}" in METHOD
    effect = by_event[EXAMPLE["the complaint"].id].effect
    assert f"quality {(found.quality or 0) - effect:.2f}: the *effect* of the complaint is {effect:.2f}" in METHOD.replace("\n", " ")


def test_weights_and_thresholds_told_are_the_policy_s() -> None:
    for kind in ("customer", "partner"):
        model = MODELS[kind]
        for name, dimension in zip(model.names, model.dimensions, strict=True):
            if dimension.weight:
                assert f"| {name} | {100 * dimension.weight:.0f} % |" in METHOD
    rules = POLICY.standing.customer
    assert f"fewer than {rules.evidence_min:.0f} events of evidence, or an interval wider than {rules.width_max:.0f} points" in METHOD
    assert f"| grow | {rules.grow:.0f} or more" in METHOD
    assert f"as in one gap of {'fifty' if rules.silence == 0.02 else rules.silence}" in METHOD
