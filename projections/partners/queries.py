"""What a partner manager asks: all partners with scorecard, exposure and leaks; one partner in full; rates worth asking about.

Told from the views ``scorecards``, ``supply`` and ``relationships``; of a moment in the past, or as it was known then, from the ledger.
What needs all partners (shares of spend, what others take for an item) is added up from their rows when asked.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from projections.moments import Moments
from projections.months import YEAR_MONTHS, month_name, month_number, month_of
from projections.partners.exposure import Exposure, Spend, exposure, shares
from projections.partners.leaks import BY_NAME, Leak, better, leaks
from projections.partners.period import Period, Scorecard, scorecard, summed
from projections.partners.prices import Ask, asks, in_force, prices
from projections.partners.scorecards import Card, Ordered, scorecards
from projections.partners.supply import Item, Row, supply
from projections.queries import Reader
from projections.relationships import relationships
from projections.scoring.figures import totals
from projections.scoring.models import models
from schemas.errors import NotFoundError

Cards = dict[int, Card]
"""Of one partner, by month."""
Rated = tuple[str, str, str]
"""What a rate is for: item, unit, currency."""


class Partner(msgspec.Struct, frozen=True):
    """One partner. quality: 0-100. leaks: the dearest first; asks: the largest saving first. months: newest first, of the period."""

    relationship: str
    name: str | None
    segment: str | None
    quality: float | None
    standing: str
    scorecard: Scorecard
    exposure: Exposure
    leaks: tuple[Leak, ...]
    asks: tuple[Ask, ...]
    months: tuple[Scorecard, ...] = ()


class _Known(msgspec.Struct):
    """What the view of relationships says of a partner."""

    relationship: str
    name: str | None
    segment: str | None
    quality: float | None
    standing: str
    risk: float | None


class Partners:
    """Answers as of a moment; all rows are read once, when it is made."""

    def __init__(self, reader: Reader, moments: Moments) -> None:
        self._reader, self._moments, self._policy = reader, moments, reader.policy_at(moments)
        self._now_us = moments.at_us
        names = ("relationship", "name", "segment", "quality", "standing", "level_exposure")
        rows = reader.columns(relationships(self._policy), names, moments)
        self._known = {row[0]: _Known(*row[:-1]) for row in rows if row[0].startswith("partner/")}
        self._supply: dict[str, Row] = {row.relationship: row for row in reader.rows(supply(self._policy), moments)}
        self._cards: defaultdict[str, Cards] = defaultdict(dict)
        for card in reader.rows(scorecards(self._policy), moments):
            self._cards[card.relationship][month_number(card.month)] = card
        self._last = month_of(self._now_us)
        self._spends = {name: self._spend(name) for name in self._known}
        self._shares = shares(self._spends, self._policy)
        self._peers = _peers(self._supply.values(), self._now_us)

    def all(self, period: Period) -> list[Partner]:
        """Every partner, where most leaks first."""
        found = [self._partner(known, period) for known in self._known.values()]
        return sorted(found, key=lambda one: (-sum(leak.cost for leak in one.leaks), one.relationship))

    def one(self, relationship: str, period: Period) -> Partner:
        """One partner, with each month of the period, and what each remedy would do to its quality.

        Raises:
            NotFoundError: there is no such partner.
        """
        known = self._known.get(relationship)
        if known is None:
            raise NotFoundError(f"{relationship} is no partner in the ledger: `rledger list --kind partner` shows who is")
        found = self._partner(known, period)
        cards, items = self._cards[relationship], self._items(relationship)
        months = tuple(
            scorecard(summed([cards[month]], month_name(month)), prices(items, range(month, month + 1)), self._policy)
            for month in reversed(period.months)
            if month in cards
        )
        return msgspec.structs.replace(found, leaks=self._with_quality(relationship, found.leaks), months=months)

    def asks(self) -> list[tuple[str, Ask]]:
        """Rates worth asking about with all partners, the largest saving first."""
        found = [(name, ask) for name in self._known for ask in self._asks(name)]
        return sorted(found, key=lambda pair: -(pair[1].saving or 0.0))

    def _partner(self, known: _Known, period: Period) -> Partner:
        name = known.relationship
        cards, row, items = self._cards[name], self._supply.get(name), self._items(name)
        spend, of_all = self._spends[name], self._shares[name]
        asked = self._asks(name)
        window = self._window(cards)
        found = leaks(
            cards,
            window,
            currency=spend.currency or "",
            prices=prices(items, window),
            rushed={} if row is None else row.rushed_renewals,
            asks=asked,
            policy=self._policy,
        )
        total = summed((cards[month] for month in period.months if month in cards), period.name)
        return Partner(
            name,
            known.name,
            known.segment,
            known.quality,
            known.standing,
            scorecard(total, prices(items, period.months), self._policy),
            exposure(row, spend, of_all, risk=known.risk, now_us=self._now_us, policy=self._policy),
            tuple(found),
            tuple(asked),
        )

    def _window(self, cards: Cards) -> range:
        """The last full months, at most as many as the policy wants, none before the partner's first."""
        first = max(min(cards, default=self._last), self._last - self._policy.leaks.months)
        return range(first, self._last)

    def _with_quality(self, relationship: str, found: Iterable[Leak]) -> tuple[Leak, ...]:
        model = models(self._policy)["partner"]
        state = self._reader.state(relationship, self._moments)
        evidence = totals(state, model, max(self._now_us, state.last_us))
        share = self._policy.leaks.remedied
        return tuple(
            msgspec.structs.replace(
                leak, effect=msgspec.structs.replace(leak.effect, quality=better(BY_NAME[leak.leak], evidence, model, share))
            )
            for leak in found
        )

    def _asks(self, name: str) -> Sequence[Ask]:
        items = self._items(name)
        rated = [(item.item, now.unit, now.currency) for item in items if (now := in_force(item, self._now_us)) is not None]
        others = {key: [rate for other, rate in self._peers[key].items() if other != name] for key in rated}
        return asks(items, self._now_us, self._policy, others)

    def _items(self, name: str) -> Sequence[Item]:
        row = self._supply.get(name)
        return () if row is None else row.items

    def _spend(self, name: str) -> Spend:
        """What was ordered in this month and the eleven before, in the currency of most orders."""
        found: defaultdict[str, Ordered] = defaultdict(Ordered)
        for month in range(self._last - YEAR_MONTHS + 1, self._last + 1):
            if month in self._cards[name]:
                for currency, ordered in self._cards[name][month].ordered.items():
                    found[currency].orders += ordered.orders
                    found[currency].amount += ordered.amount
        if not found:
            return Spend(None, 0.0)
        main = max(found, key=lambda currency: (found[currency].orders, currency))
        return Spend(main, found[main].amount)


def _peers(rows: Iterable[Row], now_us: int) -> defaultdict[Rated, dict[str, float]]:
    """What each partner takes now for what it has a rate for."""
    found: defaultdict[Rated, dict[str, float]] = defaultdict(dict)
    for row in rows:
        for item in row.items:
            now = in_force(item, now_us)
            if now is not None:
                found[item.item, now.unit, now.currency][row.relationship] = now.rate
    return found
