"""Relationships in slices, so that workers can share them: which slice a relationship is in, now and for ever.

A relationship's bucket is the first byte of the SHA-256 of its name; in PostgreSQL ``get_byte(sha256(convert_to(name, 'UTF8')), 0)``, in
SQLite a function that its connections are given.
A slice is a range of buckets. Rows belong to relationships and know nothing of slices: a slice has only a position of its own.
"""

from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

BUCKETS = 256
SLICES = 8  # at first: so many workers may share the work; `rledger project --slices` sets another number
REMEMBERED = 200_000  # relationships whose bucket is kept in memory


class Slice(NamedTuple):
    """The buckets from ``first`` to before ``beyond``. ``epoch``: of the lease under which it is written; None: under none."""

    first: int
    beyond: int
    epoch: int | None = None


Share = tuple[Slice, ...] | None
"""What one writes: some slices, or None for all there are."""
EVERYTHING: Share = None


@lru_cache(REMEMBERED)
def bucket(relationship: str) -> int:
    """The bucket of a relationship, 0-255."""
    return sha256(relationship.encode()).digest()[0]


def buckets(share: Share) -> frozenset[int]:
    """All buckets of a share."""
    return frozenset(range(BUCKETS)) if share is None else frozenset(at for one in share for at in range(one.first, one.beyond))


def even(count: int) -> list[Slice]:
    """``count`` slices (1-256) of as many buckets each, give or take one."""
    edges = [BUCKETS * at // count for at in range(count + 1)]
    return [Slice(first, beyond) for first, beyond in pairwise(edges)]


def fair(slices: int, workers: int, rank: int) -> int:
    """How many of ``slices`` fall to the worker that is ``rank``-th (from 0) of ``workers``."""
    return slices // workers + (rank < slices % workers)
