"""Relationships that began, drawn by chance around a truth that a test knows."""

import random
from collections.abc import Mapping
from typing import Any

from projections.acquisition.began import BYS, Began
from projections.acquisition.cohorts import Asked, Cohort, cohorts
from tests.projections.events import DAY, NOW, POLICY

HORIZON = POLICY.acquisition.far_days
ASKED = Asked("customer", HORIZON, NOW)
OLD_DAY = NOW // DAY - HORIZON
CHANNELS = {"referral": 2, "web": 4, "fair": 2, "partner": 2, "campaign": 3}
SPREAD = 10.0  # points of quality that relationships lie apart by themselves


def drawn(rng: random.Random, truth: Mapping[str, float] | None = None, **fixed: Any) -> Began:
    """A customer; ``truth``: points a word on how it began is worth. ``fixed``: fields of its own."""
    words = {
        "channel": rng.choices(list(CHANNELS), list(CHANNELS.values()))[0],
        "segment": rng.choice(("retail", "health", "public", "hospitality")),
        "incentive": rng.choice(("free-trial", "first-order-10", None, None, None)),
    } | fixed.pop("won", {})
    firsts = {
        "delivery": rng.choices(("late", "on time and in full"), (1, 9))[0],
        "complaint": rng.choices((None, "settled", "left open"), (16, 2, 1))[0],
        "answer": rng.choice(("quick", "slow", None)),
        "payment": rng.choices(("late", "in time"), (1, 6))[0],
    } | fixed.pop("firsts", {})
    quality = rng.gauss(70.0, SPREAD) + sum((truth or {}).get(word, 0.0) for word in (*words.values(), *firsts.values()) if word)
    one = Began(
        relationship="customer/c",
        kind="customer",
        begun_day=OLD_DAY,
        won=words,
        firsts=firsts,
        purchase=("EUR", rng.lognormvariate(6.0, 0.5)),
        quality=quality,
        active=rng.random() < 0.7,
        value=rng.lognormvariate(7.0, 0.6),
        cost=50.0,
        currency="EUR",
        basis="margin",
    )
    return one._replace(**fixed)


def world(rng: random.Random, count: int, truth: Mapping[str, float] | None = None) -> list[Began]:
    return [drawn(rng, truth) for _ in range(count)]


def every(began: list[Began]) -> list[Cohort]:
    """All cohorts of all questions."""
    return [one for by in BYS for one in cohorts(began, by, ASKED, POLICY)]
