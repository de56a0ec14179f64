"""A negotiation: what each side gained above its walk-away when it closed with an agreement. Offers are remembered by count."""

from projections.scoring import balance
from projections.scoring.cases.case import CaseBase, Item
from projections.scoring.evidence import Evidence
from projections.scoring.gains import stakes
from projections.scoring.marks import Mark, mark
from projections.scoring.policy import DealPolicy, Policy
from schemas.catalogue import Issue, NegotiationClosed, NegotiationOffer, NegotiationOpened
from schemas.touchpoint import Recorded


class NegotiationCase(CaseBase, tag=3):
    """``opened`` or ``closed`` is None as long as that touchpoint is not known.

    evidence: what the agreement says; worked out when it is told, and not at every moment that is asked about.
    """

    opened: Mark | None = None
    issues: tuple[Issue, ...] = ()
    closed: Mark | None = None
    outcome: str = "failed"
    terms: dict[str, float] | None = None
    offers: int = 0
    evidence: Evidence | None = None

    @staticmethod
    def key(data: NegotiationOpened | NegotiationOffer | NegotiationClosed) -> str:
        return f"negotiation/{data.negotiation_id}"

    @property
    def closed_us(self) -> int | None:
        return None if self.opened is None or self.closed is None else max(self.opened.at_us, self.closed.at_us)

    def take(self, event: Recorded, data: NegotiationOpened | NegotiationOffer | NegotiationClosed, policy: Policy) -> None:
        """The first opening and the first close to happen count."""
        new = mark(event)
        if isinstance(data, NegotiationOffer):
            self.offers += 1
            return
        if isinstance(data, NegotiationOpened):
            if self.opened is None or new < self.opened:
                self.opened, self.issues = new, tuple(data.issues)
        elif self.closed is None or new < self.closed:
            self.closed, self.outcome, self.terms = new, data.outcome, data.terms
        self.evidence = self._agreed(policy.deal)

    def _agreed(self, policy: DealPolicy) -> Evidence | None:
        if self.opened is None or self.closed is None or self.outcome != "agreed" or not self.terms:
            return None
        on = stakes(self.issues, self.terms)
        return balance.agreed(on, [self.terms[stake.issue] for stake in on], policy)

    def items(self, moment_us: int, _: str, __: Policy) -> list[Item]:
        opened, closed, evidence = self.opened, self.closed, self.evidence
        if opened is None or closed is None or evidence is None:
            return []
        at = max(opened.at_us, closed.at_us)
        if at > moment_us:
            return []
        return [Item("balance", at, at, evidence.plus, evidence.minus, evidence.ours, closed.tie)]
