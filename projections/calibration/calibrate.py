"""Split by time, fit on the earlier part, test on the later one, and propose what was no worse there.

A proposal is whole: the policy in force with some numbers replaced. A part of it that did worse on the later part than the numbers in force
is not proposed, and a part that could not be fitted or tested says how much it lacks.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from projections.calibration import baselines, deliveries, peers, purchases, questions
from projections.calibration.measures import Bin, Drawn, Figure, Floats, Ints, Measured, losses
from projections.calibration.observed import History
from projections.calibration.peers import Mean
from projections.scoring.evidence import DAY_US
from projections.scoring.models import models
from projections.scoring.policy import Policy
from projections.scoring.policy_file import numbers, replaced
from schemas.errors import LedgerError
from schemas.touchpoint import moment

FITTED_SHARE = 2 / 3  # of the time, at most; the later part is at least one horizon
CUSTOMERS_MIN = 50  # asked about, in either part
PARTNERS_MIN = 10  # in either part
DELIVERIES_MIN = 100
RARER_MIN = 20  # outcomes of the rarer kind, in either part
MOMENTS_MAX = 8  # test moments, one a horizon

COMMITMENT_MEAN = "customer.commitment.prior_mean"  # follows from the purchase model
FITTED = {
    "customer": (*(f"purchases.{name}" for name in purchases.FITTED), COMMITMENT_MEAN),
    "partner": tuple(f"partner.delivery.{name}" for name in deliveries.FITTED),
}
"""The numbers that are fitted together, by the kind they are tested on."""


class TooShortError(LedgerError):
    """There is not enough time in the ledger to fit on one part and test on another. Come back later, or name another day."""

    code = "too_short"


class Split(msgspec.Struct, frozen=True):
    """The earlier part ends, and the later begins, at ``at_us``; all in microseconds UTC, all at midnight."""

    first_us: int
    at_us: int
    end_us: int


class Answered(msgspec.Struct, frozen=True):
    """One question put to the later part.

    thin: what is missing to answer it. spared: log loss that the fitted numbers spare an outcome, against those in force, outcome by
    outcome. taken: whether they are proposed; why: why not.
    """

    kind: str
    question: str
    relationships: int
    outcomes: int
    happened: int
    thin: str | None
    predictors: tuple[Measured, ...] = ()
    reliability: tuple[Bin, ...] = ()
    spared: Figure | None = None
    taken: bool = False
    why: str | None = None


class Change(msgspec.Struct, frozen=True):
    """One number that is proposed."""

    number: str
    before: Any
    after: Any
    fitted_on: str


class Calibration(NamedTuple):
    """Everything: the split, the two questions, the peers' means, and the proposal, which is ``policy`` in force where nothing changes."""

    split: Split
    customers: Answered
    partners: Answered
    means: tuple[Mean, ...]
    changes: tuple[Change, ...]
    policy: Policy


def split(histories: Sequence[History], horizon_days: float, until_us: int | None = None) -> Split:
    """Where to split: at ``until_us`` (a midnight) where given, else after two thirds of the time.

    Raises:
        TooShortError: no part, or a later part shorter than the horizon.
    """
    times = [event.occurred_us for one in histories for event in one.events]
    if not times:
        raise TooShortError("there is no touchpoint to calibrate on")
    first, end = min(times) // DAY_US, max(times) // DAY_US + 1
    horizon = int(np.ceil(horizon_days))
    at = min(int(first + FITTED_SHARE * (end - first)), end - horizon) if until_us is None else until_us // DAY_US
    if at - horizon <= first or at + horizon > end:
        days = f"touchpoints from {_day(first)} to {_day(end - 1)}, split before {_day(at)}"
        raise TooShortError(f"{days}: either part must be longer than the {horizon} days ahead that are foretold")
    return Split(first * DAY_US, at * DAY_US, end * DAY_US)


def calibrate(histories: Sequence[History], policy: Policy, when: Split) -> Calibration:
    """Fit on what happened before the split, and test on what happened after it."""
    work = _Work(histories, policy, when)
    tried = replaced(policy, work.fitted())
    customers, partners = work.customers(tried), work.partners(tried)
    means = tuple(work.means())
    before, after = numbers(policy), numbers(tried)
    made = {name: (after[name], work.fitted_on(part)) for part in (customers, partners) if part.taken for name in FITTED[part.kind]}
    made |= {one.number: (one.after, f"{one.relationships:,} relationships {work.dates}") for one in means if one.taken}
    changes = tuple(Change(name, before[name], value, on) for name, (value, on) in made.items() if before[name] != value)
    return Calibration(when, customers, partners, means, changes, replaced(policy, {one.number: one.after for one in changes}))


def notes(changes: Sequence[Change]) -> dict[str, str]:
    """What to write beside each number that is proposed."""
    return {one.number: f"calibrated on {one.fitted_on}, was {one.before:g}" for one in changes}


class _Work:
    """The questions of both parts, put once: those of the earlier part to fit on, those of the later part to test on."""

    def __init__(self, histories: Sequence[History], policy: Policy, when: Split) -> None:
        self._histories, self._policy, self._when = histories, policy, when
        self.dates = f"to {_day(when.at_us // DAY_US - 1)}"
        horizon, at = policy.purchases.horizon_days, when.at_us // DAY_US
        bought = [purchases.bought(one) for one in histories]
        self._moments = [day for n in range(MOMENTS_MAX) if (day := round(at + n * horizon)) + horizon <= when.end_us // DAY_US]
        self._early = purchases.ask(bought, purchases.moments_before(at, when.first_us // DAY_US, horizon), horizon)
        self._late = purchases.ask(bought, self._moments, horizon)
        self._delivered = deliveries.deliveries(histories, when.at_us, policy)
        self._sent = questions.deliveries(histories, policy.delivery.full_slack)
        self._is_late = self._sent.at_us >= when.at_us
        self._thin = {"customer": self._customers_thin(), "partner": self._partners_thin()}

    def fitted(self) -> dict[str, Any]:
        """Numbers fitted on the earlier part, where it is not too thin."""
        found: dict[str, Any] = {}
        if self._thin["customer"] is None:
            rule = purchases.fit(self._early, self._policy.purchases)
            found |= {f"purchases.{name}": getattr(rule, name) for name in purchases.FITTED}
            found[COMMITMENT_MEAN] = purchases.unknown(rule)
        if self._thin["partner"] is None:
            dimension = deliveries.fit(self._delivered, self._policy.partner.delivery)
            found |= {f"partner.delivery.{name}": getattr(dimension, name) for name in deliveries.FITTED}
        return found

    def fitted_on(self, part: Answered) -> str:
        """How many and until when, in words."""
        count = len(np.unique(self._early.history)) if part.kind == "customer" else len(self._delivered.day)
        return f"{count:,} {part.kind}s {self.dates}"

    def customers(self, tried: Policy) -> Answered:
        """Who buys again, by the level of commitment under either policy, and by plain figures."""
        late, moments_us = self._late, [day * DAY_US for day in self._moments]
        asked = _Asked("customer", f"buys again within {self._policy.purchases.horizon_days:g} days", late.happened, late.history)
        if (thin := self._thin["customer"]) is not None:
            return asked.untold(thin)
        chances = {}
        for name, policy in (("calibrated", tried), ("in force", self._policy)):
            levels = questions.commitment(self._histories, moments_us, models(policy)["customer"])
            chances[name] = levels[late.history, late.moment]
        plain = baselines.of_customers(late)
        for name, figure in baselines.of_customers(self._early).items():
            chances[name] = baselines.curve(figure, self._early.happened)(plain[name])
        return asked.told(chances, self._policy.model.interval_mass)

    def partners(self, tried: Policy) -> Answered:
        """Which delivery comes on time and in full, by the level of delivery before it, and by plain figures."""
        sent, late = self._sent, self._is_late
        asked = _Asked("partner", "next delivery on time and in full", sent.happened[late], sent.history[late])
        if (thin := self._thin["partner"]) is not None:
            return asked.untold(thin)
        chances = {
            name: questions.delivery(self._histories, self._when.at_us, models(policy)["partner"])
            for name, policy in (("calibrated", tried), ("in force", self._policy))
        }
        mean = float(sent.happened[~late].mean())
        for name, figure in baselines.of_deliveries(sent, mean).items():
            chances[name] = baselines.curve(figure[~late], sent.happened[~late])(figure[late])
        return asked.told(chances, self._policy.model.interval_mass)

    def means(self) -> Iterator[Mean]:
        """Of every dimension whose mean is not fitted with the rest of it."""
        other = {name for kind, names in FITTED.items() if self._thin[kind] is None for name in names}
        for kind, model in models(self._policy).items():
            evidence = peers.evidence(self._histories, model, self._when.at_us, self._when.end_us)
            for number, (name, rule) in enumerate(zip(model.names, model.dimensions, strict=True)):
                where = f"{kind}.{name}.prior_mean"
                if where not in other and where != COMMITMENT_MEAN:
                    yield peers.mean(evidence[:, number], where, rule, self._policy.model.interval_mass)

    def _customers_thin(self) -> str | None:
        for part, asked in (("before", self._early), ("after", self._late)):
            if thin := _thin(part, len(np.unique(asked.history)), CUSTOMERS_MIN, "customers with a purchase", asked.happened):
                return thin
        return None

    def _partners_thin(self) -> str | None:
        for part, which in (("before", ~self._is_late), ("after", self._is_late)):
            partners, happened = len(np.unique(self._sent.history[which])), self._sent.happened[which]
            if thin := _thin(part, partners, PARTNERS_MIN, "partners with deliveries", happened):
                return thin
            if len(happened) < DELIVERIES_MIN:
                return f"{len(happened)} deliveries {part} the split, {DELIVERIES_MIN} needed"
        return None


class _Asked(NamedTuple):
    """One question and its answers: of each outcome whether it happened, and the number of its history."""

    kind: str
    question: str
    happened: Floats
    history: Ints

    def untold(self, thin: str) -> Answered:
        return Answered(self.kind, self.question, *self._counts(), thin)

    def told(self, chances: Mapping[str, Floats], mass: float) -> Answered:
        """How well every predictor answers; ``calibrated`` and ``in force`` are the policies."""
        drawn = Drawn(self.happened, np.unique(self.history, return_inverse=True)[1].astype(np.int64), mass)
        measured = tuple(drawn.measure(name, chance) for name, chance in chances.items())
        spared = drawn.mean(losses(chances["in force"], self.happened) - losses(chances["calibrated"], self.happened))
        why = "log loss on the later part is larger than with the numbers in force" if spared.value < 0.0 else None
        return Answered(
            self.kind, self.question, *self._counts(), None, measured, drawn.reliability(chances["calibrated"]), spared, why is None, why
        )

    def _counts(self) -> tuple[int, int, int]:
        return len(np.unique(self.history)), len(self.happened), int(self.happened.sum())


def _thin(part: str, relationships: int, least: int, what: str, happened: Floats) -> str | None:
    if relationships < least:
        return f"{relationships} {what} {part} the split, {least} needed"
    rarer = int(min(happened.sum(), len(happened) - happened.sum()))
    if rarer < RARER_MIN:
        return f"{rarer} outcomes of the rarer kind {part} the split, {RARER_MIN} needed"
    return None


def _day(days: int) -> str:
    return moment(int(days) * DAY_US).date().isoformat()
