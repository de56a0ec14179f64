"""What to do: whom to attract and how, which partners to open, what to offer them, what to ask about, what to mend; ranked.

A cohort is proposed when the policy's chance speaks for a difference that is worth it. What is told in money a month (rates, leaks) stands
before what is told in points of quality: the two are not added up. Each by what is sure of it: the lower end of its interval where there is
one.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from projections.acquisition.began import ABSENT, NO_INCENTIVE
from projections.acquisition.cohorts import Cohort
from projections.actions.effects import Effect
from projections.answers import Interval
from projections.partners.leaks import Leak
from projections.partners.prices import Ask
from projections.partners.queries import Partner
from projections.scoring.policy import AcquisitionPolicy

What = Literal["attract", "incentive", "experience", "rate", "leak"]
DEAREST = 3  # leaks of one partner that are proposed

BETTER: Mapping[tuple[str, str], str] = {
    ("customer", "channel"): "win more customers by {}",
    ("customer", "segment"): "look for more customers in {}",
    ("customer", "incentive"): "offer {} again",
    ("partner", "channel"): "open more partners by {}",
    ("partner", "segment"): "look for more partners in {}",
    ("partner", "incentive"): "agree on {} with more partners",
}
WORSE: Mapping[tuple[str, str], str] = {
    ("customer", "channel"): "spend less on {}, or look at what it promises",
    ("customer", "segment"): "find out what customers in {} miss before winning more",
    ("customer", "incentive"): "think twice before offering {}",
    ("partner", "channel"): "look twice at partners found by {}",
    ("partner", "segment"): "look twice at new partners in {}",
    ("partner", "incentive"): "think twice before agreeing on {}",
}
EXPERIENCES: Mapping[tuple[str, str], str] = {
    ("customer", "purchase"): "look at the first purchase when you choose whom to follow up",
    ("customer", "delivery"): "see to it that the first delivery comes, on time and in full",
    ("customer", "complaint"): "settle a first complaint at once",
    ("customer", "answer"): "answer the first request within {hours:g} hours",
    ("customer", "payment"): "look at how the first invoice was paid before giving more credit",
    ("partner", "delivery"): "begin with a small order, and go on with those who deliver it on time and in full",
    ("partner", "complaint"): "look at how the first complaint was taken before ordering more",
    ("partner", "quote"): "prefer who quotes within {hours:g} hours",
    ("partner", "answer"): "prefer who answers within {hours:g} hours",
    ("partner", "rate"): "prefer who begins at the benchmark or below",
    ("partner", "payment"): "pay a new partner's first invoice in time",
}
ASK_REFERRERS = "ask your referrers"
"""For a channel that is called so, instead of winning more ``by referral``."""


class Proposal(msgspec.Struct, frozen=True):
    """One thing to do. ``text`` says it in words and figures.

    rank: from 1, within the kind. about: the cohort, the incentive or the item. relationship: where it concerns one alone.
    points: of quality, beside similar relationships. saving: a month, in ``currency``. relationships: it rests on.
    """

    rank: int
    kind: str
    what: What
    about: str
    relationship: str | None
    relationships: int
    points: float | None
    saving: float | None
    interval: Interval | None
    currency: str | None
    text: str


def ranked(found: Iterable[Proposal]) -> list[Proposal]:
    """With their ranks: money first, the surest first in each measure."""
    ordered = sorted(found, key=lambda one: (one.saving is None, -_sure(one), one.text))
    return [msgspec.structs.replace(one, rank=rank) for rank, one in enumerate(ordered, start=1)]


def of_cohorts(cohorts: Iterable[Cohort], rule: AcquisitionPolicy) -> list[Proposal]:
    """What surely differs; where several cohorts of a family call for the same, the surest one says it."""
    found: dict[str, Proposal] = {}
    for one in cohorts:
        if one.verdict not in ("better", "worse") or one.cohort in (None, NO_INCENTIVE):
            continue
        proposal = _of_cohort(one, rule)
        play = proposal.text.partition(":")[0]
        if play not in found or _sure(proposal) > _sure(found[play]):
            found[play] = proposal
    return list(found.values())


def of_incentives(effects: Iterable[Effect]) -> Iterator[Proposal]:
    """Incentives after which it surely went otherwise than with similar relationships."""
    for one in effects:
        if one.verdict in ("better", "worse") and one.effect is not None:
            words = (BETTER if one.verdict == "better" else WORSE)[one.kind, "incentive"].format(one.play)
            text = f"{words}: {one.text}, {one.relationships} of them"
            yield Proposal(0, one.kind, "incentive", one.play, None, one.relationships, one.effect, None, one.interval, None, text)


def of_partners(partners: Iterable[Partner]) -> Iterator[Proposal]:
    """Rates worth asking about, and the dearest leaks but for rates, which are asked about one by one."""
    for partner in partners:
        for ask in partner.asks:
            if ask.saving:
                yield _of_ask(partner, ask, ask.saving)
        for leak in [leak for leak in partner.leaks if leak.leak != "rates"][:DEAREST]:
            if leak.effect.ours > 0.0:
                yield _of_leak(partner, leak)


def _sure(one: Proposal) -> float:
    """What is sure of a gain; of a loss as much as is sure of it."""
    if one.interval is None:
        return one.saving or 0.0
    return max(one.interval[0], -one.interval[1])


def _of_cohort(one: Cohort, rule: AcquisitionPolicy) -> Proposal:
    low, high = one.interval or (0.0, 0.0)
    beside, sure = one.beside or 0.0, one.beside_interval or (0.0, 0.0)
    figures = [
        f"{_who(one, rule)} are at {one.quality:.0f} [{low:.0f}, {high:.0f}] after {one.horizon_days} days",
        f"{abs(beside):.1f} points {'above' if beside > 0 else 'below'} similar ones [{sure[0]:+.1f}, {sure[1]:+.1f}]",
        f"{one.relationships} of them",
    ]
    if one.active_percent is not None:
        figures.append(f"{one.active_percent:.0f} % {'still buy' if one.kind == 'customer' else 'still supply'}")
    if one.value is not None and one.basis is not None:
        figures.append(f"each {'took' if one.basis == 'spend' else 'brought'} {one.value:,.0f} {one.currency} {one.basis}")
    if one.cost:
        figures.append(f"cost {one.cost:,.0f} {one.currency} in incentives and work")
    what: What = "experience" if one.by == "first" else "incentive" if one.by == "incentive" else "attract"
    text = f"{_play(one, rule)}: {', '.join(figures)}"
    return Proposal(0, one.kind, what, one.cohort or "", None, one.relationships, one.beside, None, one.beside_interval, None, text)


def _play(one: Cohort, rule: AcquisitionPolicy) -> str:
    if one.experience is not None:
        return EXPERIENCES[one.kind, one.experience].format(hours=rule.quick_hours)
    if one.by == "channel" and one.verdict == "better" and (one.cohort or "").startswith("referral"):
        return ASK_REFERRERS
    return (BETTER if one.verdict == "better" else WORSE)[one.kind, one.by].format(one.cohort)


def _who(one: Cohort, rule: AcquisitionPolicy) -> str:
    """The cohort in words."""
    those = f"{one.kind}s"
    if one.by == "channel":
        return f"{those} won by {one.cohort}"
    if one.by == "segment":
        return f"{those} in {one.cohort}"
    if one.by == "incentive":
        return f"{those} won with {one.cohort}"
    if one.cohort == ABSENT:
        return f"{those} without a {one.experience} in the first {rule.first_days} days"
    return f"{those} whose first {one.experience} was {one.cohort}"


def _of_ask(partner: Partner, ask: Ask, saving: float) -> Proposal:
    text = (
        f"ask {partner.name or partner.relationship} about {ask.item}: {ask.rate:,.2f} {ask.currency} a {ask.unit} is "
        f"{ask.above_percent:.1f} % above {ask.reference:,.2f} ({ask.basis}); {ask.counter:,.2f} would leave them "
        f"{ask.their_gain:.2f} of the market's range and save {saving:,.0f} {ask.currency} a month"
    )
    return Proposal(0, "partner", "rate", ask.item, partner.relationship, 1, None, saving, None, ask.currency, text)


def _of_leak(partner: Partner, leak: Leak) -> Proposal:
    low, high = leak.interval
    ours = leak.effect.ours
    text = (
        f"{partner.name or partner.relationship}: {leak.remedy}; {leak.what} cost {leak.cost:,.0f} {leak.currency} a month "
        f"[{low:,.0f}, {high:,.0f}], {leak.times} times in {leak.months} months; remedied, it saves {ours:,.0f} for us "
        f"and {leak.effect.theirs:,.0f} for them"
    )
    share = ours / leak.cost
    between = round(low * share, 2), round(high * share, 2)
    return Proposal(0, "partner", "leak", leak.leak, partner.relationship, 1, None, ours, between, leak.currency, text)
