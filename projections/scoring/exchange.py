"""Exchange rates as the ledger knows them: an amount is worth what the newest rate on or before its day says.

A rate holds both ways. Nothing is chained over a third currency and nothing is guessed: without a rate an amount stays as it is.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable

from schemas.catalogue import ExchangeRate
from schemas.touchpoint import Recorded

EPOCH_DAY = 719_163  # 1970-01-01 as a proleptic ordinal


class Rates:
    """Rates by pair of currencies. Of two for one day the one recorded later holds."""

    def __init__(self, events: Iterable[Recorded] = ()) -> None:
        self._told: dict[tuple[str, str], list[tuple[int, int, float]]] = {}  # (base, quote) -> (day since 1970, position, rate)
        for event in events:
            data = event.data
            if isinstance(data, ExchangeRate) and float(data.rate) > 0.0:
                day = data.effective_on.toordinal() - EPOCH_DAY
                insort(self._told.setdefault((data.base, data.quote), []), (day, event.position, float(data.rate)))

    def convert(self, amount: float, currency: str, into: str, day: int) -> float | None:
        """``amount`` in another currency as of a day since 1970 (UTC); None where no rate is known by then."""
        if currency == into:
            return amount
        straight, inverse = self._newest(currency, into, day), self._newest(into, currency, day)
        if straight is not None and (inverse is None or straight[:2] >= inverse[:2]):
            return amount * straight[2]
        return None if inverse is None else amount / inverse[2]

    def _newest(self, base: str, quote: str, day: int) -> tuple[int, int, float] | None:
        told = self._told.get((base, quote), [])
        at = bisect_right(told, day, key=lambda one: one[0])
        return told[at - 1] if at else None
