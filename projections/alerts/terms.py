"""What is agreed: deals that leave one side too little, contracts that end without talks, rates above the market, sole sources at risk."""

from projections.alerts.alert import Book
from projections.alerts.book import Cause, raise_, remember, settle, watch
from projections.scoring import gains
from projections.scoring.evidence import DAY_US
from projections.scoring.policy import Policy
from schemas.catalogue import (
    ContractEnded,
    ContractRenewed,
    ContractSigned,
    Disrupted,
    NegotiationClosed,
    NegotiationOffer,
    NegotiationOpened,
    Qualified,
    Rate,
)
from schemas.touchpoint import EPOCH, Recorded

EPOCH_DAY = EPOCH.toordinal()
TALKS_KEPT = 8  # negotiations under way at once
SOLE = "sole_source"


def opened(book: Book, event: Recorded, data: NegotiationOpened, policy: Policy) -> None:
    """Talks: what is at stake is remembered, and no contract ends without them for a while."""
    book.negotiations[data.negotiation_id] = data.issues
    while len(book.negotiations) > TALKS_KEPT:
        del book.negotiations[next(iter(book.negotiations))]
    for cause in [cause for cause in (*book.watches, *book.alerts) if cause.startswith("contract:")]:
        settle(book, policy.alerts, cause, event.occurred_us, "talks began")


def offered(book: Book, event: Recorded, data: NegotiationOffer, policy: Policy) -> None:
    """An offer beyond a walk-away harms by being made; one that is only hard is bargaining."""
    low = _lower_gain(book, data.negotiation_id, data.terms)
    if low is not None and low[0] < 0.0:
        maker = "we offered" if data.by == "us" else "they offered"
        text = f"{maker} terms that leave {low[1]} {low[0]:+.0%} of the range above the walk-away ({data.negotiation_id})"
        raise_(book, policy.alerts, event, Cause("unequal_deal", f"deal:{data.negotiation_id}", "medium", text))


def closed(book: Book, event: Recorded, data: NegotiationClosed, policy: Policy) -> None:
    """A deal that leaves a side less than the policy's low gain weakens the relationship; one that failed harms nobody any more."""
    cause = f"deal:{data.negotiation_id}"
    low = _lower_gain(book, data.negotiation_id, data.terms) if data.outcome == "agreed" and data.terms else None
    book.negotiations.pop(data.negotiation_id, None)
    if low is not None and low[0] < policy.deal.low_gain:
        text = f"the deal signed leaves {low[1]} {low[0]:.0%} of the range above the walk-away ({data.negotiation_id})"
        raise_(book, policy.alerts, event, Cause("unequal_deal", cause, "high", text))
    else:
        settle(book, policy.alerts, cause, event.occurred_us, data.outcome)


def _lower_gain(book: Book, negotiation_id: str, terms: dict[str, float]) -> tuple[float, str] | None:
    """The gain of the side that gains less, and who that is; None where nothing is known of the stakes."""
    on = gains.stakes(book.negotiations.get(negotiation_id, ()), terms)
    values = [terms[stake.issue] for stake in on]
    told = [(gain, who) for gain, who in ((gains.ours(on, values), "us"), (gains.theirs_likely(on, values), "them")) if gain is not None]
    return min(told, default=None)


def signed(book: Book, event: Recorded, data: ContractSigned | ContractRenewed, policy: Policy) -> None:
    """A contract that ends must be talked about before its notice runs out; one that renews itself need not."""
    key, rule = f"contract:{data.contract_id}", policy.alerts
    if isinstance(data, ContractSigned):
        notice = rule.notice_days if data.notice_days is None else float(data.notice_days)
        automatic = data.renewal == "auto"
    else:
        notice, automatic = book.notices.get(data.contract_id, (rule.notice_days, False))
    book.notices[data.contract_id] = notice, automatic
    if event.occurred_us < book.ended.get(key, event.occurred_us):
        return  # an older word on it arrives late
    settle(book, rule, key, event.occurred_us, "renewed")
    if data.ends_on is None or automatic:
        return
    ends_us = (data.ends_on.toordinal() - EPOCH_DAY) * DAY_US
    due_us = ends_us - int((notice + rule.ending_days) * DAY_US)
    text = f"contract {data.contract_id} ends on {data.ends_on} with {notice:g} days' notice, and no talks have begun"
    watch(book, rule, event, Cause("contract_ending", key, "medium", text), max(due_us, event.occurred_us + DAY_US))


def ended(book: Book, event: Recorded, data: ContractEnded, policy: Policy) -> None:
    """It is over: nothing ends any more."""
    key = f"contract:{data.contract_id}"
    settle(book, policy.alerts, key, event.occurred_us, data.reason)
    book.notices.pop(data.contract_id, None)
    remember(book.ended, key, event.occurred_us)


def rated(book: Book, event: Recorded, data: Rate, policy: Policy) -> None:
    """A rate well above the market's; the next one at the market's ends it."""
    cause, benchmark = f"rate:{data.item}/{data.unit}", data.benchmark
    if benchmark is None or benchmark.currency != data.rate.currency or not float(benchmark.amount):
        return
    above = float(data.rate.amount) / float(benchmark.amount) - 1.0
    if above > policy.alerts.rate_above:
        text = f"{data.item} costs {above:.0%} more than the market: {data.rate.amount} against {benchmark.amount} {benchmark.currency}"
        raise_(book, policy.alerts, event, Cause("rate_above_benchmark", cause, "medium", text))
    else:
        settle(book, policy.alerts, cause, event.occurred_us, "at the market's rate")


def qualified(book: Book, event: Recorded, data: Qualified, policy: Policy) -> None:
    """Which categories nobody else is qualified for."""
    book.sole = sorted({*book.sole, data.category} if data.alternatives == 0 else {*book.sole} - {data.category})
    if not book.sole:
        settle(book, policy.alerts, SOLE, event.occurred_us, "another source is qualified")


def disrupted(book: Book, event: Recorded, data: Disrupted, policy: Policy) -> None:
    """A disruption of a sole source."""
    at_risk(book, event, f"supply of {data.item or 'everything'} was interrupted", policy)


def at_risk(book: Book, event: Recorded, what: str, policy: Policy) -> None:
    """Something goes wrong with a partner that nobody can replace."""
    if book.sole:
        text = f"{what}, and there is no other source for {', '.join(book.sole)}"
        raise_(book, policy.alerts, event, Cause("sole_source_at_risk", SOLE, "high", text))
