"""What happens with customers and partners alike: contacts, complaints, promises, payments, deals."""

from collections.abc import Callable
from datetime import date
from typing import Literal

from schemas.catalogue import (
    Action,
    Assessment,
    By,
    Complaint,
    ComplaintResolved,
    Contact,
    ContractEnded,
    ContractRenewed,
    ContractSigned,
    Incentive,
    InvoiceDisputed,
    Issue,
    Money,
    NegotiationClosed,
    NegotiationOffer,
    NegotiationOpened,
    Opened,
    Ours,
    Payment,
    Promise,
    PromiseSettled,
    RequestAnswered,
    Severity,
    Theirs,
)
from schemas.touchpoint import moment
from service.sample.diary import DAY_US, HOUR_US, Diary, working
from service.sample.stories import Conduct

YEAR_DAYS = 365
TALKS_DAYS = 24  # from the opening of a negotiation to its close
PAYMENT_DAYS = 30  # from an invoice to the day it is due
HARD: tuple[Severity, ...] = ("major", "critical")
MILD: tuple[Severity, ...] = ("minor", "minor", "moderate")


def day(at_us: int) -> date:
    """The UTC day of a moment."""
    return moment(at_us).date()


def open_relationship(diary: Diary) -> None:
    """Note how it began."""
    party = diary.party
    diary.note(
        party.opened_us,
        Opened(
            name=party.name,
            counterparty=party.counterparty,
            segment=party.segment,
            channel=party.channel,
            owner=party.owner,
            region=party.region,
            incentive=party.incentive,
        ),
    )


def rhythm(diary: Diary, mean_days: Callable[[Conduct], float], happens: Callable[[int], None]) -> None:
    """Let something happen again and again, by the conduct of the time, until the end or until the mean is 0: no more of it."""
    at_us = diary.party.opened_us
    while days := mean_days(diary.party.conduct(at_us)):
        at_us = diary.after(at_us, days)
        if at_us > diary.end_us:
            return
        happens(at_us)


def contact(diary: Diary, at_us: int, *, mood: float, answer_hours: float, answered_by: By) -> None:
    """Somebody calls or writes; every other time with a request that the other side answers."""
    rng = diary.rng
    inbound = answered_by == "us"
    hours = round(rng.expovariate(1 / answer_hours), 1)
    diary.note(
        at_us,
        Contact(
            channel=rng.choice(("mail", "phone", "visit", "chat")),
            direction="inbound" if inbound else "outbound",
            response_hours=hours if inbound else None,
            sentiment=round(2 * diary.around(mood) - 1, 2),
        ),
    )
    if diary.chance(0.5):
        answered_us = working(at_us + int(hours * HOUR_US))
        diary.note(answered_us, RequestAnswered(diary.number("RQ"), answered_by, moment(at_us), moment(answered_us)))


def complain(
    diary: Diary, at_us: int, by: By, *, topic: str, severe: float, resolved: float, resolve_days: float, satisfied: float, worth: float
) -> None:
    """One side complains; the other settles it, or leaves it. ``worth``: EUR a generous compensation starts from."""
    rng = diary.rng
    complaint_id = diary.number("C")
    diary.note(at_us, Complaint(complaint_id, by, rng.choice(HARD if diary.chance(severe) else MILD), topic))
    if diary.chance(resolved):
        content = diary.chance(satisfied)
        diary.note(
            diary.after(at_us, resolve_days),
            ComplaintResolved(
                complaint_id,
                "resolved" if content else rng.choice(("rejected", "withdrawn")),
                satisfied=content,
                compensation=diary.money(worth * rng.uniform(0.1, 0.3)) if content and diary.chance(0.3) else None,
            ),
        )


def promise(diary: Diary, at_us: int, by: By, kept: float, what: str) -> None:
    """One side promises something within ten days, and keeps it, or not."""
    rng = diary.rng
    promise_id = diary.number("P")
    due_us = working(at_us + rng.randint(3, 10) * DAY_US)
    diary.note(at_us, Promise(promise_id, by, due_at=moment(due_us), what=what))
    if diary.chance(kept):
        diary.note(due_us, PromiseSettled(promise_id, "kept" if diary.chance(0.95) else "waived"))
    else:
        diary.note(diary.after(due_us, 5), PromiseSettled(promise_id, rng.choice(("late", "broken"))))


def pay(diary: Diary, invoiced_us: int, order_id: str, amount: Money, by: By, *, late: float, late_days: float, disputes: float) -> None:
    """An invoice for ``amount`` is paid by one side, sometimes late, sometimes disputed first."""
    rng = diary.rng
    invoice_id = order_id.replace("O-", "INV-")
    if diary.chance(disputes):
        diary.note(diary.after(invoiced_us, 4), InvoiceDisputed(invoice_id, by, amount, rng.choice(("quantity", "price", "not delivered"))))
    due_us = invoiced_us + PAYMENT_DAYS * DAY_US
    paid_us = diary.after(due_us + DAY_US, late_days) if diary.chance(late) else due_us - rng.randint(0, 12) * DAY_US
    diary.note(paid_us, Payment(invoice_id, by, amount, due_on=day(due_us), paid_on=day(paid_us)))


def deal(diary: Diary, *, we_sell: bool) -> str:
    """Negotiate a contract, two months after the opening or when it turned, sign it, and renew it every year; returns its id.

    A fair one shares the gain about evenly; an unequal one leaves the other side hardly above its walk-away.
    """
    party, rng = diary.party, diary.rng
    fair = party.story.deal == "fair"
    opened_us = working(party.opened_us + 60 * DAY_US if fair or party.turned_us is None else party.turned_us)
    negotiation_id, contract_id = diary.number("N"), diary.number("K")
    share = rng.uniform(0.44, 0.56) if fair else rng.uniform(0.93, 0.99)  # ours, of what there is to share on each issue
    if we_sell:
        price, delay = Ours(108, 90), Ours(20, 45)
        their_price, their_delay = Theirs(89, 109), Theirs(60, 19)
    else:
        price, delay = Ours(90, 108), Ours(48, 14)
        their_price, their_delay = Theirs(109, 89), Theirs(12, 49)
    issues = (
        Issue("price", price, unit="EUR", theirs=their_price, weight_ours=0.7, weight_theirs=0.6, benchmark=99.0),
        Issue("payment_days", delay, unit="days", theirs=their_delay, weight_ours=0.3, weight_theirs=0.4),
    )
    agreed = {issue.issue: round(issue.ours.reservation + share * (issue.ours.target - issue.ours.reservation), 1) for issue in issues}
    diary.note(opened_us, NegotiationOpened(negotiation_id, issues, about="frame contract"))
    sides: tuple[By, ...] = ("us", "them") * rng.randint(1, 2)
    for step, by in enumerate(sides, start=1):  # each side starts from its own end
        distance = (price.target - price.reservation) / (3 * step) * (1 if by == "us" else -1)
        terms = agreed | {"price": round(agreed["price"] + distance, 1)}
        diary.note(working(opened_us + step * 5 * DAY_US), NegotiationOffer(negotiation_id, by, terms))
    closed_us = working(opened_us + TALKS_DAYS * DAY_US)
    diary.note(closed_us, NegotiationClosed(negotiation_id, "agreed", agreed))
    _contract(diary, closed_us + HOUR_US, contract_id, negotiation_id)
    form: Literal["rebate", "exclusivity"] = "rebate" if fair else "exclusivity"
    rebate = Incentive(diary.number("I"), "us" if we_sell else "them", form, diary.money(party.size * 240), "yearly volume")
    diary.note(closed_us + 2 * HOUR_US, rebate)
    return contract_id


def _contract(diary: Diary, signed_us: int, contract_id: str, negotiation_id: str) -> None:
    value = diary.money(diary.party.size * 12_000)
    ends_us = signed_us + YEAR_DAYS * DAY_US
    diary.note(signed_us, ContractSigned(contract_id, day(signed_us), day(ends_us), value, "manual", 60, negotiation_id))
    while ends_us < diary.end_us:
        if diary.party.story.standing in ("repair", "exit"):
            diary.note(ends_us, ContractEnded(contract_id, "expired"))
            return
        renewed_us = working(ends_us - 30 * DAY_US)
        ends_us += YEAR_DAYS * DAY_US
        diary.note(renewed_us, ContractRenewed(contract_id, day(ends_us), value))


def failed_talks(diary: Diary, at_us: int) -> None:
    """A negotiation of yearly rates that comes to nothing."""
    negotiation_id = diary.number("N")
    diary.note(at_us, NegotiationOpened(negotiation_id, (Issue("price", Ours(100, 95), unit="EUR", benchmark=97.0),), about="yearly rates"))
    diary.note(working(at_us + 4 * DAY_US), NegotiationOffer(negotiation_id, "them", {"price": 88.0}))
    diary.note(working(at_us + 12 * DAY_US), NegotiationClosed(negotiation_id, "failed"))


def looked_after(diary: Diary, *, dimension: str, level: float) -> None:
    """What we did about it, some weeks after it turned; and now and then a judgement by its owner."""
    party = diary.party
    turned_us = party.turned_us or party.opened_us
    for index, play in enumerate(party.story.plays, start=1):
        diary.note(working(turned_us + index * 35 * DAY_US), Action(diary.number("A"), play, party.owner))
    at_us = diary.after(party.opened_us + 120 * DAY_US, 200)
    if diary.chance(0.35):
        value = round(diary.around(level, 0.08), 2)
        diary.note(at_us, Assessment(party.owner, dimension, value, "yearly review"))
