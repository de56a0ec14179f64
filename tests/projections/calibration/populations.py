"""Populations with a known truth, as touchpoints: buyers, deliverers, and relationships that never change. And the public CDNOW sample."""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from projections.projection import Projection
from projections.registry import projections
from projections.scoring.bgnbd import Parameters
from schemas import catalogue as c
from schemas.touchpoint import Recorded, microseconds, moment
from tests.projections.events import DAY, NOW, POLICY, TYPES

CDNOW = Path(__file__).parents[4] / "shared/data/cdnow_sample.csv"  # public, its licence unstated: used where it is there
CDNOW_SPLIT = microseconds(datetime(1997, 10, 1, tzinfo=UTC))
PUBLISHED = Parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)  # Fader, Hardie & Lee (2005), weeks
RELATIONSHIPS: Projection = projections(POLICY)[0]

Floats = NDArray[np.float64]


class Bought(NamedTuple):
    """One customer's purchases: when, in microseconds, oldest first, and of what amount."""

    times: list[int]
    amounts: list[float]


def cdnow() -> dict[str, Bought]:
    """The public sample, each line a purchase at noon."""
    found: dict[str, Bought] = {}
    with CDNOW.open() as file:
        for row in csv.DictReader(file):
            at = datetime.combine(datetime.fromisoformat(row["date"]).date(), time(12), UTC)
            bought = found.setdefault(f"customer/{row['id']}", Bought([], []))
            bought.times.append(microseconds(at))
            bought.amounts.append(float(row["amount"]))
    return found


def buyers(parameters: Parameters, customers: int, *, split_us: int, weeks: float, seed: int) -> dict[str, Bought]:
    """Customers of the BG/NBD model, who begin within the first third of ``weeks`` before the split and are watched as long after it."""
    rng = np.random.default_rng(seed)
    week_us = 7 * DAY
    found = {}
    for number in range(customers):
        rate = rng.gamma(parameters.r, 1.0 / parameters.alpha)
        dropout = 0.0 if parameters.a is None or parameters.b is None else rng.beta(parameters.a, parameters.b)
        at = rng.uniform(-weeks, -weeks * 2.0 / 3.0)
        times = [at]
        while (at := at + rng.exponential(1.0 / rate)) < weeks:
            times.append(at)
            if rng.random() < dropout:
                break
        found[f"customer/{number:05}"] = Bought(
            [split_us + int(one * week_us) for one in times], [float(rng.lognormal(3.5, 0.7)) for _ in times]
        )
    return found


def purchases(customers: dict[str, Bought]) -> list[Recorded]:
    """Every purchase as an event."""
    return numbered(
        (relationship, at, c.Purchase(f"o{at}", c.Money(f"{amount:.2f}", "USD")))
        for relationship, bought in customers.items()
        for at, amount in zip(bought.times, bought.amounts, strict=True)
    )


def deliverers(partners: int, deliveries: int, *, reliable: float, unreliable: float, seed: int) -> list[Recorded]:
    """Partners who deliver every five days on average, on time with one of two probabilities, which changes now and then."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(partners):
        good = rng.random() < 0.5
        at = float(rng.uniform(0, 100))
        for _ in range(deliveries):
            at += rng.exponential(5.0)
            good ^= rng.random() < 0.02
            on_time = rng.random() < (reliable if good else unreliable)
            found.append(
                (f"partner/{number:03}", NOW - 2000 * DAY + int(at * DAY), delivered(NOW - 2000 * DAY + int(at * DAY), on_time=on_time))
            )
    found.sort(key=lambda event: event[1])
    return numbered(found)


def delivered(at_us: int, *, on_time: bool) -> c.Delivery:
    """A delivery at that moment: as promised, or so late that it is worth nothing."""
    return c.Delivery("o1", "them", moment(at_us) - timedelta(days=0 if on_time else 30), moment(at_us), 10, 10)


def numbered(events: Iterable[tuple[str, int, c.Data]]) -> list[Recorded]:
    """Events as they are recorded, each at the moment it happened."""
    return [
        Recorded(number, relationship, number, TYPES[type(data)], at, at, "test", f"e{number}", None, data)
        for number, (relationship, at, data) in enumerate(events, start=1)
    ]


def published(events: Sequence[Recorded], moment_us: int) -> dict[str, Any]:
    """The rows of ``relationships`` at a moment, by relationship, through the fold and the publisher of the real view."""
    states: dict[str, Any] = {}
    for event in events:
        key = RELATIONSHIPS.row_key(event)
        assert key is not None
        states[key] = RELATIONSHIPS.fold(states.get(key), [event])
    return {key: RELATIONSHIPS.publish(state, moment_us) for key, state in states.items()}
