"""Which incentives preceded better relationships: each held against similar relationships that had none.

The matching is that of actions (``projections/actions/effects.py``): same kind and standing, about the same quality and trend before, at
about the same time; the effect is the difference of the two changes. Incentives at the very beginning have no quality before them: they are
cohorts (``cohorts.py``). Told from each relationship's touchpoints, of at most ``histories_max`` relationships, chosen
by a hash.
"""

from collections.abc import Iterable

from projections.acquisition.firsts import named
from projections.actions.courses import acted, unacted
from projections.actions.effects import Course, Effect, effects
from projections.moments import Moments
from projections.queries import Reader
from projections.scoring.models import models
from schemas.catalogue import Incentive
from schemas.identity import digest
from schemas.touchpoint import Recorded


def incentives(reader: Reader, moments: Moments, relationships: Iterable[str], kind: str) -> list[Effect]:
    """What each form of incentive did, as far as cases and similar relationships tell; those without enough cases last.

    ``relationships``: all of the kind that had begun.
    """
    policy = reader.policy_at(moments)
    model = models(policy)[kind]
    chosen = sorted(relationships, key=lambda relationship: digest(relationship, ""))[: policy.acquisition.histories_max]
    cases: list[Course] = []
    others: list[Course] = []
    for relationship in chosen:
        events = sorted(reader.events(relationship, moments), key=lambda event: event.occurred_us)
        cases += acted(events, model, moments.at_us, _given)
        others += unacted(events, model, moments.at_us, _given)
    return effects(cases, others, policy.actions, policy.model.interval_mass)


def _given(event: Recorded) -> str | None:
    return named(event.data) if isinstance(event.data, Incentive) else None
