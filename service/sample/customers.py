"""The life of a sample customer: purchases with what follows from them, and the talk around it."""

from typing import Literal, cast

from schemas.catalogue import (
    Closed,
    ContractBreached,
    Delivery,
    Feedback,
    FeedbackScale,
    Incident,
    Purchase,
    Referral,
    Return,
    SignedMoney,
    SoldItem,
)
from schemas.touchpoint import moment
from service.sample import habits
from service.sample.diary import DAY_US, Diary, season, working
from service.sample.stories import CustomerConduct

AFTER_A_BAD_DELIVERY = 4  # times as many complaints
HIGHEST: dict[FeedbackScale, int] = {"nps": 10, "csat": 5, "stars": 5, "ces": 7}


def live(diary: Diary) -> None:
    """Note the whole relationship with a customer."""
    party = diary.party
    habits.open_relationship(diary)
    at_us = working(party.opened_us + diary.rng.randint(0, 3) * DAY_US)
    order(diary, at_us)
    while days := _conduct(diary, at_us).order_days:
        at_us = diary.after(at_us, days * party.tempo / season(at_us))
        if at_us > diary.end_us:
            break
        order(diary, at_us)
    habits.rhythm(diary, lambda conduct: cast("CustomerConduct", conduct).contact_days, lambda at_us: talk(diary, at_us))
    if party.story.deal:
        contract_id = habits.deal(diary, we_sell=True)
        if party.story.name == "we_let_them_down" and party.turned_us is not None:
            diary.note(working(party.turned_us + 40 * DAY_US), ContractBreached(contract_id, "us", "major", "delivery times"))
            if diary.chance(0.3):
                diary.note(working(party.turned_us + 60 * DAY_US), Incident(diary.number("E"), "us", "moderate", "conduct"))
    if party.story.name == "one_time" and diary.chance(0.4):
        diary.note(working(party.opened_us + 90 * DAY_US), Closed("them", "needed it once"))
    habits.looked_after(diary, dimension="satisfaction", level=_conduct(diary, diary.end_us).mood)


def order(diary: Diary, at_us: int) -> None:
    """A purchase, its delivery and payment, and whatever goes wrong with them."""
    party, rng, conduct = diary.party, diary.rng, _conduct(diary, at_us)
    order_id = diary.number("SO")
    spend = conduct.spend * party.size * rng.lognormvariate(-0.08, 0.4)
    quantity = rng.randint(1, 40)
    amount = diary.money(spend)
    margin = diary.money(spend * conduct.margin * rng.uniform(0.7, 1.3))
    items = (SoldItem(f"sku-{rng.randint(100, 160)}", quantity, diary.money(spend / quantity)),)
    channel = rng.choice(("web", "field", "phone"))
    diary.note(at_us, Purchase(order_id, amount, SignedMoney(margin.amount, margin.currency), channel, items))

    promised_us = working(at_us + rng.randint(4, 9) * DAY_US)
    late = diary.chance(conduct.late)
    delivered_us = diary.after(promised_us + DAY_US // 2, conduct.late_days) if late else promised_us - rng.randint(0, 1) * DAY_US
    bad = rng.randint(1, quantity) if diary.chance(conduct.defect) else 0
    diary.note(delivered_us, Delivery(order_id, "us", moment(promised_us), moment(delivered_us), quantity, quantity, bad))
    habits.pay(
        diary,
        delivered_us,
        order_id,
        amount,
        "them",
        late=conduct.pays_late,
        late_days=conduct.pays_late_days,
        disputes=conduct.disputes,
    )
    wrong = late or bad > 0
    if diary.chance(conduct.complaint * (AFTER_A_BAD_DELIVERY if wrong else 1)):
        habits.complain(
            diary,
            diary.after(delivered_us, 1.5),
            "them",
            topic="delivery" if late else "quality" if bad else rng.choice(("service", "invoice", "quality")),
            severe=conduct.severe,
            resolved=conduct.resolved,
            resolve_days=conduct.resolve_days,
            satisfied=conduct.satisfied,
            worth=spend,
        )
    if diary.chance(conduct.returns):
        reason: Literal["defect", "late", "changed_mind"] = "defect" if bad else "late" if late else "changed_mind"
        diary.note(diary.after(delivered_us, 5), Return(order_id, reason, amount))
    if diary.chance(0.25):
        feedback(diary, diary.after(delivered_us, 2), max(conduct.mood - 0.25 * wrong, 0.0))
    if diary.chance(conduct.promises):
        habits.promise(diary, at_us, "us", conduct.kept, "a sample of the new range")
    if diary.chance(conduct.referral):
        referred = f"customer/{rng.choice(('atlas', 'brio', 'civic', 'duna'))}-{diary.number('R').lower()}"
        diary.note(diary.after(delivered_us, 20), Referral(referred, diary.chance(0.4)))


def feedback(diary: Diary, at_us: int, mood: float) -> None:
    """An answer to a survey, on one scale or another."""
    scale = diary.rng.choice(tuple(HIGHEST))
    lowest = 0 if scale == "nps" else 1
    value = round(lowest + diary.around(mood) * (HIGHEST[scale] - lowest))
    diary.note(at_us, Feedback(scale, value, about=diary.rng.choice(("delivery", "product", "service"))))


def talk(diary: Diary, at_us: int) -> None:
    """They call or write."""
    conduct = _conduct(diary, at_us)
    habits.contact(diary, at_us, mood=conduct.mood, answer_hours=conduct.answer_hours, answered_by="us")


def _conduct(diary: Diary, at_us: int) -> CustomerConduct:
    return cast("CustomerConduct", diary.party.conduct(at_us))
