"""Who began how: every relationship as the view tells it for one horizon, and the families of cohorts it parts them into."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from statistics import quantiles
from typing import Any, Literal, NamedTuple

import msgspec

from projections.acquisition.beginnings import EPOCH_DAY, Row, acquisition
from projections.moments import Moments
from projections.queries import Reader
from projections.scoring.evidence import DAY_US
from projections.scoring.policy import Policy
from schemas.errors import SettingsError

By = Literal["channel", "segment", "incentive", "first"]
NO_INCENTIVE = "none"
BYS: tuple[By, ...] = ("channel", "segment", "incentive", "first")
ABSENT = "none in the first days"
TELLING = ("purchase", "delivery", "complaint")
"""Experiences whose absence is one too."""
EXPERIENCES = {
    "customer": ("purchase", "delivery", "complaint", "answer", "payment"),
    "partner": ("delivery", "complaint", "quote", "answer", "rate", "payment"),
}
FIGURES = ("quality", "active", "value", "cost")
SIZES = 3  # groups of purchases by size
SIZES_MIN = 12  # first purchases in one currency before they are parted by size


class Began(NamedTuple):
    """One relationship, as the view tells it for one horizon; of its figures none before that has passed."""

    relationship: str
    kind: str
    begun_day: int
    won: Mapping[str, str | None]
    firsts: Mapping[str, str | None]
    purchase: tuple[str, float] | None  # currency, amount
    quality: float | None
    active: bool | None
    value: float | None
    cost: float | None
    currency: str | None
    basis: str | None


class Family(NamedTuple):
    """Cohorts that are told side by side: all that one question parts."""

    by: By
    experience: str | None
    members: Mapping[str | None, Sequence[Began]]


def horizon(days: int | None, policy: Policy) -> int:
    """The horizon asked for, by default the later one.

    Raises:
        SettingsError: the policy has no such horizon.
    """
    rule = policy.acquisition
    if days not in (None, rule.near_days, rule.far_days):
        raise SettingsError(f"no horizon of {days} days: the policy has {rule.near_days} and {rule.far_days}")
    return rule.far_days if days is None else days


def beginnings(reader: Reader, moments: Moments, horizon_days: int) -> list[Began]:
    """Every relationship that has begun, as it is told at the moment asked about."""
    policy = reader.policy_at(moments)
    view, which = acquisition(policy), "near" if horizon_days == policy.acquisition.near_days else "far"
    names = [name for name in Row.__struct_fields__ if not name.startswith(("near_", "far_"))]
    names += [f"{which}_{name}" for name in FIGURES]
    found = [_began(dict(zip(names, row, strict=False)), which) for row in reader.columns(view, names, moments)]
    last_day = moments.at_us // DAY_US - horizon_days
    if any(one.active is None and one.begun_day <= last_day for one in found):  # the close of a day that tells them is to come
        rows = reader.as_they_are(view, {f"{which}_active": None}, moments)
        now = {row.relationship: _began(msgspec.structs.asdict(row), which) for row in rows}
        found = [now.get(one.relationship, one) for one in found]
    return found


def _began(row: Mapping[str, Any], which: str) -> Began:
    amount, currency = row["first_purchase"], row["first_purchase_currency"]
    return Began(
        row["relationship"],
        row["kind"],
        date.fromisoformat(row["begun_on"]).toordinal() - EPOCH_DAY,
        {name: row[name] for name in ("channel", "segment", "incentive")},
        {name: row[f"first_{name}"] for name in ("delivery", "complaint", "answer", "payment", "quote", "rate")},
        None if amount is None else (currency, amount),
        row[f"{which}_quality"],
        None if (active := row[f"{which}_active"]) is None else bool(active),
        row[f"{which}_value"],
        row[f"{which}_cost"],
        row["currency"],
        row["basis"],
    )


def families(those: Sequence[Began], old: Sequence[Began], kind: str, by: By) -> Iterable[Family]:
    """The families of one question. ``old``: those of them that are old enough to be judged."""
    if by != "first":
        found = defaultdict[str | None, list[Began]](list)
        for one in those:
            name = one.won[by]
            found[NO_INCENTIVE if name is None and by == "incentive" else name].append(one)
        yield Family(by, None, found)
        return
    for experience in EXPERIENCES[kind]:
        told = _sizes(those, old) if experience == "purchase" else [(one.firsts[experience], one) for one in those]
        found = defaultdict[str | None, list[Began]](list)
        for word, one in told:
            if (name := ABSENT if word is None and experience in TELLING else word) is not None:
                found[name].append(one)
        yield Family(by, experience, found)


def _sizes(those: Sequence[Began], old: Sequence[Began]) -> list[tuple[str | None, Began]]:
    """First purchases by size: thirds of those in the same currency that are old enough to be judged."""
    amounts = defaultdict[str, list[float]](list)
    for one in old:
        if one.purchase is not None:
            amounts[one.purchase[0]].append(one.purchase[1])
    bounds = {currency: quantiles(known, n=SIZES, method="inclusive") for currency, known in amounts.items() if len(known) >= SIZES_MIN}
    found: list[tuple[str | None, Began]] = []
    for one in those:
        if one.purchase is None:
            found.append((None, one))
        elif one.purchase[0] in bounds:
            low, high = bounds[one.purchase[0]]
            names = (f"up to {low:,.0f}", f"{low:,.0f} to {high:,.0f}", f"above {high:,.0f}")
            found.append((f"{names[bisect_left((low, high), one.purchase[1])]} {one.purchase[0]}", one))
    return found
