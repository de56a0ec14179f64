"""The newest word on how many other qualified sources there are in a category: few of them is exposure."""

import msgspec

from projections.scoring.cases.case import CaseBase, Item
from projections.scoring.evidence import graded
from projections.scoring.marks import Mark, mark
from projections.scoring.policy import Policy
from schemas.catalogue import Qualified
from schemas.touchpoint import Recorded


class Qualification(CaseBase, tag=5):
    """All words on one category, so that an earlier moment can be told too."""

    words: list[tuple[Mark, int]] = msgspec.field(default_factory=list)

    @staticmethod
    def key(data: Qualified) -> str:
        return f"qualified/{data.category}"

    @property
    def closed_us(self) -> int | None:
        return None

    def take(self, event: Recorded, data: Qualified, policy: Policy) -> None:
        self.words.append((mark(event), data.alternatives))
        self.words.sort()
        del self.words[: -policy.rate.items_kept]

    def items(self, moment_us: int, _: str, policy: Policy) -> list[Item]:
        known = [word for word in self.words if word[0].at_us <= moment_us]
        if not known:
            return []
        at, alternatives = known[-1]
        rule = policy.exposure
        found = graded(rule.qualified_weight, 1.0 / (1.0 + alternatives / rule.alternatives_half))
        return [Item("exposure", at.at_us, at.at_us, found.plus, found.minus, found.ours, at.tie)]
