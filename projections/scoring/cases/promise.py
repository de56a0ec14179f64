"""A promise of either side: kept, late, broken, waived; or overdue and growing."""

from projections.scoring.cases.case import CaseBase, Item
from projections.scoring.evidence import DAY_US
from projections.scoring.marks import Mark, mark
from projections.scoring.policy import Policy
from schemas.catalogue import Promise, PromiseSettled
from schemas.touchpoint import Recorded, microseconds


class PromiseCase(CaseBase, tag=2):
    """``made`` or ``settled`` is None as long as that touchpoint is not known."""

    made: Mark | None = None
    by: str = "them"
    due_us: int = 0
    settled: Mark | None = None
    status: str = "kept"

    @staticmethod
    def key(data: Promise | PromiseSettled) -> str:
        return f"promise/{data.promise_id}"

    @property
    def closed_us(self) -> int | None:
        return None if self.made is None or self.settled is None else max(self.made.at_us, self.settled.at_us)

    def take(self, event: Recorded, data: Promise | PromiseSettled, _: Policy) -> None:
        """The first promise and the first settlement to happen count."""
        new = mark(event)
        if isinstance(data, Promise):
            if self.made is None or new < self.made:
                self.made, self.by, self.due_us = new, data.by, microseconds(data.due_at)
        elif self.settled is None or new < self.settled:
            self.settled, self.status = new, data.status

    def items(self, moment_us: int, _: str, policy: Policy) -> list[Item]:
        made, settled, rule = self.made, self.settled, policy.promise
        if made is None or made.at_us > moment_us:
            return []
        ours = self.by == "us"
        if settled is None or settled.at_us > moment_us:
            overdue_days = (moment_us - max(self.due_us, made.at_us)) / DAY_US
            if overdue_days <= 0:
                return []
            lost = rule.overdue_weight * min(1.0, overdue_days / rule.overdue_days)
            return [Item("trust", moment_us, moment_us, 0.0, lost, ours, made.tie)]
        at = max(made.at_us, settled.at_us)
        plus, minus = {
            "kept": (rule.kept_weight, 0.0),
            "late": (rule.late_weight, rule.late_weight),
            "broken": (0.0, rule.broken_weight),
            "waived": (0.0, 0.0),
        }[self.status]
        return [Item("trust", at, at, plus, minus, ours, settled.tie)] if plus or minus else []
