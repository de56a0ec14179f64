"""The life of a sample partner: our orders and what comes of them, rates, quotes, information, disruptions."""

from typing import Literal, cast

from schemas.catalogue import (
    ContractBreached,
    Delivery,
    Disrupted,
    Incident,
    Information,
    Inspection,
    OrderedItem,
    OrderPlaced,
    Qualified,
    Quote,
    Rate,
    Return,
)
from schemas.touchpoint import moment
from service.sample import habits
from service.sample.diary import DAY_US, HOUR_US, Diary, season, working
from service.sample.stories import PartnerConduct

Accuracy = Literal["confirmed", "refuted", "unknown"]

RATE_DAYS = 120  # between two rate reviews
QUOTE_DAYS = 75.0  # mean, between two requests for quotation
TALK_DAYS = 60.0  # mean, between two contacts
BENCHMARK_EUR = 8.0  # a piece of item 0; each further item is 3 EUR dearer


def live(diary: Diary) -> None:
    """Note the whole relationship with a partner."""
    party = diary.party
    habits.open_relationship(diary)
    qualify(diary)
    at_us = working(party.opened_us + diary.rng.randint(2, 12) * DAY_US)
    while at_us <= diary.end_us:
        order(diary, at_us)
        at_us = diary.after(at_us, _conduct(diary, at_us).order_days * party.tempo / season(at_us))
    habits.rhythm(diary, lambda _: TALK_DAYS, lambda at_us: talk(diary, at_us))
    habits.rhythm(diary, lambda _: QUOTE_DAYS, lambda at_us: quote(diary, at_us))
    if disruptions := _conduct(diary, party.opened_us).disruptions:
        habits.rhythm(diary, lambda _: 365 / disruptions, lambda at_us: disrupt(diary, at_us))
    rates(diary)
    if party.story.deal:
        contract_id = habits.deal(diary, we_sell=False)
        if party.story.name == "unreliable" and party.turned_us is not None:
            diary.note(working(party.turned_us + 70 * DAY_US), ContractBreached(contract_id, "them", "moderate", "delivery times"))
    if party.story.name == "inaccurate":
        diary.note(working(party.opened_us + 200 * DAY_US), Incident(diary.number("E"), "them", "moderate", "security"))
    habits.looked_after(diary, dimension="quality", level=0.3 if party.story.standing in ("repair", "exit") else 0.85)


def qualify(diary: Diary) -> None:
    """They are qualified as a source, and again every year."""
    for at_us in range(diary.party.opened_us + DAY_US, diary.end_us, 365 * DAY_US):
        alternatives = _conduct(diary, at_us).alternatives
        valid_until = habits.day(at_us + 400 * DAY_US)
        diary.note(working(at_us), Qualified(diary.party.segment, alternatives, ("ISO 9001",), valid_until))


def order(diary: Diary, at_us: int) -> None:
    """An order, for goods or for information, with what follows from it."""
    rng, conduct = diary.rng, _conduct(diary, at_us)
    order_id = diary.number("PO")
    promised_us = working(at_us + rng.randint(7, 21) * DAY_US)
    late = diary.chance(conduct.late)
    supplied_us = diary.after(promised_us + DAY_US // 2, conduct.late_days) if late else promised_us - rng.randint(0, 2) * DAY_US
    supply = _information if diary.chance(conduct.informs) else _goods
    worth = supply(diary, at_us, order_id, promised_us, supplied_us)
    amount = diary.money(worth)
    habits.pay(diary, supplied_us, order_id, amount, "us", late=conduct.we_pay_late, late_days=6, disputes=conduct.disputes)
    if late and diary.chance(0.4):
        _complain(diary, diary.after(supplied_us, 1), "delivery", worth)
    if diary.chance(conduct.promises):
        habits.promise(diary, at_us, "them", conduct.kept, "a weekly status")


def _information(diary: Diary, at_us: int, order_id: str, promised_us: int, supplied_us: int) -> float:
    """A report is ordered and supplied; returns what it costs, EUR."""
    party, rng, conduct = diary.party, diary.rng, _conduct(diary, at_us)
    price = 300 * party.size * rng.lognormvariate(-0.08, 0.4)
    diary.note(at_us, OrderPlaced(order_id, diary.money(price), "information", moment(promised_us)))
    accuracy: Accuracy = "unknown" if diary.chance(0.05) else "confirmed" if diary.chance(conduct.accurate) else "refuted"
    diary.note(supplied_us, Information(f"market-report-{rng.randint(1, 12)}", moment(supplied_us), moment(at_us), accuracy))
    return price


def _goods(diary: Diary, at_us: int, order_id: str, promised_us: int, supplied_us: int) -> float:
    """Pieces are ordered, delivered and looked at; returns what they cost, EUR."""
    party, rng, conduct = diary.party, diary.rng, _conduct(diary, at_us)
    item = rng.randint(0, 1)
    rate = _rate(diary, item, at_us)
    quantity = max(round(party.size * rng.lognormvariate(6, 0.5)), 10)
    line = OrderedItem(f"{party.segment}-{item}", quantity, diary.money(rate))
    diary.note(at_us, OrderPlaced(order_id, diary.money(quantity * rate), party.segment, moment(promised_us), (line,)))
    supplied = int(quantity * rng.uniform(0.6, 0.95)) if diary.chance(conduct.short) else quantity
    bad = _defective(diary, conduct.defect, 50) * supplied // 50  # as found in a sample of fifty
    diary.note(supplied_us, Delivery(order_id, "them", moment(promised_us), moment(supplied_us), quantity, supplied, bad))
    if diary.chance(0.3):
        inspected = rng.randint(50, 120)
        diary.note(diary.after(supplied_us, 1), Inspection(diary.number("L"), inspected, _defective(diary, conduct.defect, inspected)))
    if bad * 20 > supplied:  # more than one in twenty
        _complain(diary, diary.after(supplied_us, 2), "quality", quantity * rate)
        if diary.chance(0.4):
            diary.note(diary.after(supplied_us, 6), Return(order_id, "defect", diary.money(bad * rate)))
    return quantity * rate


def _defective(diary: Diary, share: float, pieces: int) -> int:
    """How many of ``pieces`` are defective."""
    return sum(diary.rng.random() < share for _ in range(pieces))


def rates(diary: Diary) -> None:
    """Their rates for two items, reviewed every quarter; now and then talks about them fail."""
    for at_us in range(diary.party.opened_us + 2 * DAY_US, diary.end_us, RATE_DAYS * DAY_US):
        noted_us = working(at_us)
        for item in range(2):
            rate, benchmark = diary.money(_rate(diary, item, at_us)), diary.money(BENCHMARK_EUR + 3 * item)
            diary.note(noted_us, Rate(f"{diary.party.segment}-{item}", "piece", rate, habits.day(at_us), benchmark, 1000))
        if diary.party.story.name == "expensive" and diary.chance(0.3):
            habits.failed_talks(diary, working(noted_us + 7 * DAY_US))


def quote(diary: Diary, at_us: int) -> None:
    """We ask for a quote."""
    conduct = _conduct(diary, at_us)
    item = diary.rng.randint(0, 1)
    answered_us = working(at_us + int(diary.rng.expovariate(1 / conduct.answer_hours) * HOUR_US))
    due_us = working(at_us + 5 * DAY_US)
    request, asked, due = diary.number("RFQ"), moment(at_us), moment(due_us)
    if diary.chance(conduct.unanswered):
        diary.note(working(due_us + DAY_US), Quote(request, asked, due, item=f"{diary.party.segment}-{item}"))
    elif diary.chance(0.05):
        diary.note(answered_us, Quote(request, asked, due, moment(answered_us), declined=True))
    else:
        price = diary.money(_rate(diary, item, at_us))
        diary.note(answered_us, Quote(request, asked, due, moment(answered_us), f"{diary.party.segment}-{item}", price))


def talk(diary: Diary, at_us: int) -> None:
    """We call or write."""
    conduct = _conduct(diary, at_us)
    habits.contact(diary, at_us, mood=0.65, answer_hours=conduct.answer_hours, answered_by="them")


def disrupt(diary: Diary, at_us: int) -> None:
    """Their supply stops for some days."""
    rng = diary.rng
    ends = habits.day(at_us + rng.randint(4, 25) * DAY_US)
    cause = rng.choice(("strike", "fire", "shortage", "customs"))
    diary.note(at_us, Disrupted(habits.day(at_us), f"{diary.party.segment}-0", ends, cause, notice_days=rng.randint(0, 5)))


def _rate(diary: Diary, item: int, at_us: int) -> float:
    """Their rate for a piece at a moment, EUR."""
    conduct = _conduct(diary, at_us)
    years = (at_us - diary.party.opened_us) / DAY_US / 365
    return (BENCHMARK_EUR + 3 * item) * (conduct.rate + conduct.rate_growth * years)


def _complain(diary: Diary, at_us: int, topic: str, worth: float) -> None:
    conduct = _conduct(diary, at_us)
    habits.complain(
        diary,
        at_us,
        "us",
        topic=topic,
        severe=0.35,
        resolved=conduct.resolved,
        resolve_days=conduct.resolve_days,
        satisfied=0.8,
        worth=worth,
    )


def _conduct(diary: Diary, at_us: int) -> PartnerConduct:
    return cast("PartnerConduct", diary.party.conduct(at_us))
