"""All rows of the view at once, as arrays: a row a party, faded to the moment asked about."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from projections.moments import Moments
from projections.months import month_number
from projections.queries import Reader
from projections.reputation.conduct import COLUMNS, reputation
from projections.reputation.pool import Array
from projections.scoring.policy import Policy

CHUNK_ROWS = 20_000  # read at a time


class Parties(msgspec.Struct, frozen=True):
    """evidence: by party and column of ``COLUMNS``. groups: each party's group, where one was asked for."""

    evidence: Array
    groups: list[Any]


def parties(reader: Reader, moments: Moments, group: str | None = None) -> Parties:
    """Every party. ``group``: a column to tell beside the evidence."""
    policy = reader.policy_at(moments)
    found, groups = [np.empty((0, len(COLUMNS)), np.float32)], []  # half the memory, and seven digits are more than evidence has
    rows = reader.columns(reputation(policy), [*COLUMNS, *([group] if group else [])], moments)
    for chunk in _chunks(rows):
        figures = np.array([row[: len(COLUMNS)] for row in chunk], np.float32)
        found.append(figures * _fades([row[-1] for row in chunk], policy, moments.at_us)[:, np.newaxis])
        if group:
            groups += [row[-2] for row in chunk]
    return Parties(np.concatenate(found), groups)


def by_month(reader: Reader, moments: Moments, first: int, last: int) -> NDArray[np.float32]:
    """What each month added, by party, month and side (for, against): at 0 all before ``first``, at 1 ``first`` and so on to ``last``.

    A month behind ``last`` counts as ``last``: a publisher's clock may run ahead of ours.
    """
    width = last - first + 2
    found = [np.empty((0, width, 2), np.float32)]
    for chunk in _chunks(reader.columns(reputation(reader.policy_at(moments)), ["months"], moments)):
        places, values = [], []
        for party, (months, _) in enumerate(chunk):
            for name, sides in months.items():
                month = first - 1 if name == "earlier" else min(max(month_number(name), first - 1), last)
                places.append(party * width + month - first + 1)
                values += sides
        block = np.zeros((len(chunk) * width, 2), np.float32)
        np.add.at(block, places, np.array(values, np.float32).reshape(-1, 2))
        fades = _fades([row[-1] for row in chunk], reader.policy_at(moments), moments.at_us)
        found.append(block.reshape(len(chunk), width, 2) * fades[:, np.newaxis, np.newaxis])
    return np.concatenate(found)


def _fades(evaluated_us: list[int], policy: Policy, at_us: int) -> NDArray[np.float32]:
    """The factor from evidence as it was when a row was evaluated to what is left of it at ``at_us``."""
    factors: NDArray[np.float32] = np.exp2((np.array(evaluated_us, float) - at_us) / policy.reputation.half_life_us).astype(np.float32)
    return factors


def _chunks(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while chunk := list(islice(rows, CHUNK_ROWS)):
        yield chunk
