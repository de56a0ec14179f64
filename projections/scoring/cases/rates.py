"""The rates of one item: each against its benchmark or, where it has none, against the rate before it."""

import msgspec

from projections.scoring import cost
from projections.scoring.cases.case import CaseBase, Item
from projections.scoring.marks import Mark, mark
from projections.scoring.policy import Policy
from schemas.catalogue import Rate
from schemas.touchpoint import Recorded


class RateMark(msgspec.Struct, array_like=True, frozen=True, order=True, gc=False):
    """One rate. Ordered by the day it takes effect, then by its touchpoint."""

    effective_day: int  # proleptic ordinal
    mark: Mark
    rate: float
    currency: str
    benchmark: float | None


class Rates(CaseBase, tag=4):
    """The newest rates of an item in the order they take effect, at most ``rate.items_kept``."""

    rates: list[RateMark] = msgspec.field(default_factory=list)

    @staticmethod
    def key(data: Rate) -> str:
        return f"rate/{data.item}/{data.unit}"

    @property
    def closed_us(self) -> int | None:
        return None  # the next rate is compared with the last: never settled

    def take(self, event: Recorded, data: Rate, policy: Policy) -> None:
        benchmark = data.benchmark
        same = benchmark is not None and benchmark.currency == data.rate.currency
        self.rates.append(
            RateMark(
                data.effective_on.toordinal(),
                mark(event),
                float(data.rate.amount),
                data.rate.currency,
                float(benchmark.amount) if benchmark is not None and same else None,
            )
        )
        self.rates.sort(key=lambda rate: (rate.effective_day, rate.mark))
        del self.rates[: -policy.rate.items_kept]

    def items(self, moment_us: int, _: str, policy: Policy) -> list[Item]:
        items: list[Item] = []
        before: RateMark | None = None
        for rate in self.rates:
            if rate.mark.at_us > moment_us:
                continue
            reference = rate.benchmark
            if reference is None and before is not None and before.currency == rate.currency:
                reference = before.rate
            before = rate
            if reference:
                found = cost.against(rate.rate, reference, policy.rate)
                items.append(Item("cost", rate.mark.at_us, rate.mark.at_us, found.plus, found.minus, found.ours, rate.mark.tie))
        return items
