"""Reputation by kind of counterparty, by segment, and as it stood at the end of each month."""

from collections import defaultdict
from math import exp2
from typing import Literal

import msgspec
import numpy as np

from projections.answers import Interval
from projections.moments import Moments
from projections.months import month_name, month_of, month_start
from projections.queries import Reader
from projections.reputation.company import FOR, drivers, leveled
from projections.reputation.parties import by_month, parties
from projections.reputation.pool import Array, limit, pooled
from projections.reputation.topics import TOPICS

By = Literal["kind", "segment", "month"]
REMEDIABLE = {topic.name for topic in TOPICS if topic.remedied != "none"}
ALL_FOR = np.array([True, False])  # of a month all evidence for and all against is told


class Group(msgspec.Struct, frozen=True):
    """Our reputation with some counterparties, or as it stood at the end of a month.

    main_driver: of the topics that have a remedy, the one whose harm costs most. evidence: in capped events.
    """

    by: By
    name: str | None
    level: float
    interval: Interval
    parties: int
    evidence: float
    main_driver: str | None = None
    cost: float | None = None


def groups(reader: Reader, moments: Moments, by: By) -> list[Group]:
    """By kind or segment, the best first, those of whom no segment is known as None; or by month (UTC), the newest first.

    A party's voice is capped as in the whole company.
    """
    if by == "month":
        return _by_month(reader, moments)
    policy = reader.policy_at(moments)
    everyone = parties(reader, moments, by)
    most = limit(everyone.evidence, policy.reputation)
    members = defaultdict(list)
    for party, name in enumerate(everyone.groups):
        members[name].append(party)
    found = []
    for name, chosen in members.items():
        pool = pooled(everyone.evidence[chosen], most)
        if pool.parties:
            level, interval = leveled(pool, FOR, policy)
            worst = next((one for one in drivers(pool, policy) if one.cost and one.topic in REMEDIABLE), None)
            told = (None, None) if worst is None else (worst.topic, worst.cost)
            found.append(Group(by, name, level, interval, pool.parties, round(float(pool.sums.sum()), 2), *told))
    return sorted(found, key=lambda group: -group.level)


def _by_month(reader: Reader, moments: Moments) -> list[Group]:
    """The sums up to each month are what was so at its end, faded to that moment; of the month not over yet, to the moment asked about."""
    policy, last = reader.policy_at(moments), month_of(moments.at_us)
    first = last - policy.reputation.months_kept + 1
    added = by_month(reader, moments, first, last)
    totals: Array = added[:, 0].astype(float)
    found: list[Group] = []
    for month in range(first, last + 1):
        totals += added[:, month - first + 1]
        if not found and not totals.any():
            continue  # nothing had happened yet
        end_us = min(month_start(month + 1), moments.at_us)
        then = np.maximum(totals, 0.0) * exp2((moments.at_us - end_us) / policy.reputation.half_life_us)
        pool = pooled(then, limit(then, policy.reputation))
        level, interval = leveled(pool, ALL_FOR, policy)
        found.append(Group("month", month_name(month), level, interval, pool.parties, round(float(pool.sums.sum()), 2)))
    return found[::-1]
