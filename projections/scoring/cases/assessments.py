"""Judgements of persons on one dimension: the newest of each assessor counts, and all together weigh no more than the policy's cap."""

import msgspec

from projections.scoring.cases.case import CaseBase, Item
from projections.scoring.evidence import faded, kept
from projections.scoring.marks import Mark, mark
from projections.scoring.policy import Policy
from schemas.catalogue import Assessment
from schemas.touchpoint import Recorded

ASSESSMENTS_KEPT = 24  # judgements remembered per dimension


class Assessments(CaseBase, tag=6):
    """All judgements on one dimension, in the order they were made."""

    dimension: str = ""
    judgements: list[tuple[Mark, str, float]] = msgspec.field(default_factory=list)

    @staticmethod
    def key(data: Assessment) -> str:
        return f"assessment/{data.dimension}"

    @property
    def closed_us(self) -> int | None:
        return None

    def take(self, event: Recorded, data: Assessment, _: Policy) -> None:
        self.dimension = data.dimension
        self.judgements.append((mark(event), data.assessor, data.value))
        self.judgements.sort()
        del self.judgements[:-ASSESSMENTS_KEPT]

    def items(self, moment_us: int, kind: str, policy: Policy) -> list[Item]:
        dimension = getattr(policy.customer if kind == "customer" else policy.partner, self.dimension, None)
        newest = {assessor: (at, value) for at, assessor, value in self.judgements if at.at_us <= moment_us}
        if dimension is None or not newest:
            return []
        rule, half_life = policy.assessment, dimension.half_life_us
        fade = faded(moment_us, half_life)
        together = sum(rule.weight * kept(at.at_us, half_life) * fade for at, _ in newest.values())
        weight = rule.weight * min(1.0, rule.weight_max / together) if together > 0.0 else 0.0
        return [
            Item(self.dimension, at.at_us, at.at_us, weight * v, weight * (1.0 - v), ours=False, by=at.tie) for at, v in newest.values()
        ]
