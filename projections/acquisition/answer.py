"""The whole answer for one kind of relationship: cohorts, incentives, and what to do."""

from collections.abc import Sequence

import msgspec

from projections.acquisition.began import BYS, Began, By, beginnings, horizon
from projections.acquisition.cohorts import Asked, Cohort, cohorts
from projections.acquisition.incentives import incentives
from projections.acquisition.proposals import Proposal, of_cohorts, of_incentives, of_partners, ranked
from projections.actions.effects import Effect
from projections.moments import Moments
from projections.partners.period import period
from projections.partners.queries import Partners
from projections.queries import Reader

KINDS = ("customer", "partner")


class Answer(msgspec.Struct, frozen=True):
    """Of one kind. incentives: given later than at the beginning, see ``incentives.py``; told where incentives are asked about."""

    kind: str
    horizon_days: int
    cohorts: tuple[Cohort, ...]
    incentives: tuple[Effect, ...]
    proposals: tuple[Proposal, ...]


def answers(
    reader: Reader, moments: Moments, kinds: Sequence[str] = KINDS, *, by: By | None = None, horizon_days: int | None = None
) -> list[Answer]:
    """How relationships turned out by how they began, and what follows; an answer for each kind.

    Args:
        reader: the ledger and its views.
        moments: the moment asked about.
        kinds: of ``customer`` and ``partner``.
        by: one question; None: all of them, and rates and leaks.
        horizon_days: one of the policy's horizons; None: the later one.

    Raises:
        SettingsError: the policy has no such horizon.
    """
    days = horizon(horizon_days, reader.policy_at(moments))
    began = beginnings(reader, moments, days)
    return [_answer(reader, moments, Asked(kind, days, moments.at_us), began, by) for kind in kinds]


def _answer(reader: Reader, moments: Moments, asked: Asked, began: Sequence[Began], by: By | None) -> Answer:
    policy, kind = reader.policy_at(moments), asked.kind
    questions: Sequence[By] = BYS if by is None else (by,)
    found = [one for question in questions for one in cohorts(began, question, asked, policy)]
    those = (one.relationship for one in began if one.kind == kind)
    given = incentives(reader, moments, those, kind) if "incentive" in questions else []
    proposals = [*of_cohorts(found, policy.acquisition), *of_incentives(given)]
    if kind == "partner" and by is None:
        proposals += of_partners(Partners(reader, moments).all(period(None, moments.at_us)))
    return Answer(kind, asked.horizon_days, tuple(found), tuple(given), tuple(ranked(proposals)))
