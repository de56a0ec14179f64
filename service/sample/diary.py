"""One relationship of the sample: who it is with, and the diary in which its touchpoints are noted."""

import math
import random
from bisect import bisect_right

import msgspec

from schemas.catalogue.values import Data, Kind, Money
from service.sample.stories import Conduct, Story

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
OPENS_US, CLOSES_US = 7 * HOUR_US, 19 * HOUR_US  # business hours, UTC
SATURDAY = 5
EUR_IN_USD = 1.1


class Party(msgspec.Struct, frozen=True):
    """Who a relationship is with, and how its story falls in time. ``bounds_us``: where each stretch starts."""

    number: int  # from 0, over the whole sample
    kind: Kind
    key: str
    name: str
    counterparty: str  # the legal party: some are both customer and partner
    story: Story
    segment: str
    region: str
    owner: str
    channel: str
    currency: str
    incentive: str | None
    tempo: float  # multiplies the days between orders
    size: float  # multiplies the spend
    opened_us: int
    bounds_us: tuple[int, ...]

    @property
    def subject(self) -> str:
        """The relationship's name in the ledger."""
        return f"{self.kind}/{self.key}"

    @property
    def turned_us(self) -> int | None:
        """When the story turned."""
        return None if self.story.turn is None else self.bounds_us[self.story.turn]

    @property
    def troubled_us(self) -> tuple[int, int | None] | None:
        """From when until when somebody should have been told; None: never, or to the end."""
        if not self.story.troubled:
            return None
        until = self.story.troubled[-1] + 1
        return self.bounds_us[self.story.troubled[0]], self.bounds_us[until] if until < len(self.bounds_us) else None

    def conduct(self, at_us: int) -> Conduct:
        """How things go at a moment."""
        return self.story.stretches[max(bisect_right(self.bounds_us, at_us) - 1, 0)][1]


class Diary:
    """Notes what happens in one relationship, in any order; what lies past the end is not noted, for it has not happened yet."""

    def __init__(self, party: Party, rng: random.Random, end_us: int) -> None:
        self.party = party
        self.rng = rng
        self.end_us = end_us
        self.pages: list[tuple[int, Data]] = []  # (occurred_us, data)
        self._numbers = 0

    def note(self, at_us: int, data: Data) -> None:
        """Write ``data`` down as having happened at ``at_us``."""
        if at_us <= self.end_us:
            self.pages.append((at_us, data))

    def number(self, prefix: str) -> str:
        """A fresh identifier, unique in the sample: ``SO-0170003`` is the third of party 17."""
        self._numbers += 1
        return f"{prefix}-{self.party.number:03}{self._numbers:04}"

    def chance(self, share: float) -> bool:
        """True in that share of cases, 0-1."""
        return self.rng.random() < share

    def after(self, at_us: int, mean_days: float) -> int:
        """A moment in business hours, an exponential number of days after ``at_us``."""
        return working(at_us + int(self.rng.expovariate(1 / mean_days) * DAY_US))

    def money(self, eur: float) -> Money:
        """About so many EUR, in the party's currency."""
        return Money(f"{eur * (EUR_IN_USD if self.party.currency == 'USD' else 1):.2f}", self.party.currency)

    def around(self, level: float, spread: float = 0.15) -> float:
        """A figure from 0 to 1 around ``level``."""
        return min(max(self.rng.gauss(level, spread), 0.0), 1.0)


def working(at_us: int) -> int:
    """The first moment in business hours from ``at_us`` on, to the second. Never earlier, so that an effect follows its cause."""
    day, time_us = divmod(at_us, DAY_US)
    if time_us >= CLOSES_US:
        day, time_us = day + 1, OPENS_US + (time_us - CLOSES_US) // 5
    elif time_us < OPENS_US:
        time_us = OPENS_US + time_us // 5
    weekday = (day + 3) % 7  # 0 is Monday: 1970-01-01 was a Thursday
    if weekday >= SATURDAY:
        day += 7 - weekday
    return day * DAY_US + -(-time_us // 1_000_000) * 1_000_000


def season(at_us: int) -> float:
    """How much busier than on average it is: a quarter more in late November, a quarter less in late May."""
    return 1 + 0.25 * math.cos(2 * math.pi * (at_us / DAY_US / 365.25 - 0.9))  # day 0 is 1 January
