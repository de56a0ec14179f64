"""The whole answer for one kind of relationship: cohorts, incentives, and what to do."""

from collections.abc import Sequence

import msgspec

from projections.acquisition.began import BYS, By, beginnings, horizon
from projections.acquisition.cohorts import Asked, Cohort, cohorts
from projections.acquisition.incentives import incentives
from projections.acquisition.proposals import Proposal, of_cohorts, of_incentives, of_partners, ranked
from projections.actions.effects import Effect
from projections.moments import Moments
from projections.partners.period import period
from projections.partners.queries import Partners
from projections.queries import Reader


class Answer(msgspec.Struct, frozen=True):
    """Of one kind. incentives: given later than at the beginning, see ``incentives.py``; told where incentives are asked about."""

    kind: str
    horizon_days: int
    cohorts: tuple[Cohort, ...]
    incentives: tuple[Effect, ...]
    proposals: tuple[Proposal, ...]


def answer(reader: Reader, moments: Moments, kind: str, *, by: By | None = None, horizon_days: int | None = None) -> Answer:
    """How relationships of a kind turned out by how they began, and what follows.

    Rates and leaks of partners are told where nothing but now is asked about: they are of this moment.

    Args:
        reader: the ledger and its views.
        moments: the moment asked about.
        kind: ``customer`` or ``partner``.
        by: one question; None: all of them, and rates and leaks.
        horizon_days: one of the policy's horizons; None: the later one.

    Raises:
        SettingsError: the policy has no such horizon.
    """
    policy = reader.policy_at(moments)
    days = horizon(horizon_days, policy)
    began = beginnings(reader, moments, days)
    questions: Sequence[By] = BYS if by is None else (by,)
    asked = Asked(kind, days, moments.at_us)
    found = [one for question in questions for one in cohorts(began, question, asked, policy)]
    given = incentives(reader, moments, kind) if "incentive" in questions else []
    proposals = [*of_cohorts(found, policy.acquisition), *of_incentives(given)]
    if kind == "partner" and by is None and not moments.past:
        proposals += of_partners(Partners(reader, moments.now_us).all(period(None, moments.now_us)))
    return Answer(kind, days, tuple(found), tuple(given), tuple(ranked(proposals)))
