"""What a deal would do to a relationship, by the very evidence that its close would be."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from projections.deals.cautions import Caution
from projections.scoring.balance import agreed
from projections.scoring.gains import Stake
from projections.scoring.models import Model


class Balance(NamedTuple):
    """A relationship's balance as it stands: its level, 0-1, and the events of evidence behind it, the prior's included."""

    level: float
    events: float


class Effects(msgspec.Struct, frozen=True):
    """What would change if the deal were closed now.

    balance: of the level, -1 to 1. quality: in points. reputation: in events of evidence, below 0 where we gained more than they and the
    lower gain is less than fair; what that costs in points depends on all other counterparties.
    """

    balance: float
    quality: float
    reputation: float
    warnings: tuple[Caution, ...]


def effects(on: Sequence[Stake], values: Sequence[float], model: Model, before: Balance | None, warnings: tuple[Caution, ...]) -> Effects:
    """The effects on a relationship whose balance was ``before``; None: on one of which nothing is known."""
    evidence = agreed(on, values, model.policy.deal)
    if evidence is None:
        return Effects(0.0, 0.0, 0.0, warnings)
    dimension = model.dimensions[model.numbers["balance"]]
    level, events = before or (dimension.prior_mean, dimension.prior_events)
    change = (level * events + evidence.plus) / (events + evidence.plus + evidence.minus) - level
    reputation = 0.0 - evidence.minus if evidence.ours else 0.0
    return Effects(round(change, 6), round(100.0 * dimension.weight * change, 4), round(reputation, 6), warnings)
