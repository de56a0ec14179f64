"""A complaint: weighs more the longer it stays open, and a good recovery gives most of it back."""

from math import exp2

from projections.scoring.cases.case import CaseBase, Item
from projections.scoring.evidence import DAY_US, HOUR_US
from projections.scoring.marks import Mark, mark
from projections.scoring.policy import Policy
from schemas.catalogue import Complaint, ComplaintResolved
from schemas.touchpoint import Recorded

DIMENSIONS = {  # (kind, whether it is about our conduct) -> what a complaint speaks for
    ("customer", True): "satisfaction",
    ("customer", False): "trust",
    ("partner", True): "trust",
    ("partner", False): "responsiveness",
}


class ComplaintCase(CaseBase, tag=1):
    """``opened`` or ``resolved`` is None as long as that touchpoint is not known."""

    opened: Mark | None = None
    by: str = "them"
    severity: str = "moderate"
    resolved: Mark | None = None
    outcome: str = "resolved"
    satisfied: bool | None = None

    @staticmethod
    def key(data: Complaint | ComplaintResolved) -> str:
        return f"complaint/{data.complaint_id}"

    @property
    def closed_us(self) -> int | None:
        """When the case was complete; None while a touchpoint is missing."""
        return None if self.opened is None or self.resolved is None else max(self.opened.at_us, self.resolved.at_us)

    def take(self, event: Recorded, data: Complaint | ComplaintResolved, _: Policy) -> None:
        """The first opening and the first resolution to happen count."""
        new = mark(event)
        if isinstance(data, Complaint):
            if self.opened is None or new < self.opened:
                self.opened, self.by, self.severity = new, data.by, data.severity
        elif self.resolved is None or new < self.resolved:
            self.resolved, self.outcome, self.satisfied = new, data.outcome, data.satisfied

    def is_open(self, moment_us: int) -> bool:
        return self.opened is not None and self.opened.at_us <= moment_us and (self.resolved is None or self.resolved.at_us > moment_us)

    def weight(self, moment_us: int, policy: Policy) -> float:
        """Events of evidence against, before any recovery."""
        if self.opened is None:
            return 0.0
        until = moment_us if self.resolved is None or self.resolved.at_us > moment_us else self.resolved.at_us
        open_us, rule, weight = until - self.opened.at_us, policy.complaint, policy.severity.of[self.severity]
        if open_us <= 0:
            return weight
        grown = open_us / DAY_US / rule.growth_days
        return weight * (1.0 + rule.growth_max * (grown if grown < 1.0 else 1.0))

    def items(self, moment_us: int, kind: str, policy: Policy) -> list[Item]:
        opened, resolved = self.opened, self.resolved
        if opened is None or opened.at_us > moment_us:
            return []
        ours = self.by == "them"  # a complaint of theirs is about our conduct
        dimension = DIMENSIONS[kind, ours]
        lost = self.weight(moment_us, policy)
        items = [Item(dimension, opened.at_us, opened.at_us, 0.0, lost, ours, opened.tie)]
        if resolved is not None and resolved.at_us <= moment_us:
            since = max(opened.at_us, resolved.at_us)
            items.append(Item(dimension, opened.at_us, since, 0.0, -lost * self._recovered(policy), ours, resolved.tie))
            if dimension == "responsiveness" and self.outcome == "resolved":
                hours = (since - opened.at_us) / HOUR_US
                level = 2.0 ** (-hours / policy.complaint.answer_half_hours)
                items.append(Item(dimension, since, since, policy.response.weight * level, 0.0, ours, resolved.tie))
        return items

    def _recovered(self, policy: Policy) -> float:
        """The share of the loss given back."""
        rule = policy.complaint
        assert self.opened is not None  # noqa: S101  # items() asks only then
        assert self.resolved is not None  # noqa: S101
        if self.outcome == "withdrawn":
            return rule.recovered_withdrawn
        if self.outcome == "rejected":
            share = rule.recovered_rejected
        elif self.satisfied is None:
            share = rule.recovered_resolved
        else:
            share = rule.recovered_satisfied if self.satisfied else rule.recovered_unsatisfied
        days = max(0, self.resolved.at_us - self.opened.at_us) / DAY_US
        return share * exp2(-days / rule.slow_days)
