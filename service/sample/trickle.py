"""The sample goes on: a touchpoint every few seconds, for ever.

What happens in a slot of time depends on the seed and that slot alone, identifiers too. So a trickle that was stopped and started again,
or runs twice at once, repeats nothing but the very same touchpoints.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import count

from schemas.catalogue import (
    Complaint,
    ComplaintResolved,
    Contact,
    Data,
    Delivery,
    Feedback,
    Inspection,
    OrderPlaced,
    Payment,
    Purchase,
    SignedMoney,
)
from schemas.touchpoint import Touchpoint, moment
from service.sample.diary import DAY_US, HOUR_US, Diary, Party
from service.sample.generator import cast, touchpoint
from service.sample.habits import HARD, MILD, day
from service.sample.stories import Conduct, CustomerConduct

SLOT_US = 1_000_000
BUSY = 0.4  # of the slots have a touchpoint
SETTLED_AFTER = 120  # slots from a complaint to its resolution

Scene = tuple[int, Data]  # (slots from now, what happens)


def trickle(seed: int, from_us: int) -> Iterator[Touchpoint]:
    """Touchpoints that happen after ``from_us``, in order of time, for ever. Who plays a part is whom ``generate`` tells of."""
    parties = cast(seed, from_us)
    lively = [1 / days if (days := party.story.stretches[-1][1].order_days) else 0.0 for party in parties]
    for slot in count(from_us // SLOT_US + 1):
        for born in (slot - SETTLED_AFTER, slot):
            yield from _happening(seed, parties, lively, born, slot)


def _happening(seed: int, parties: Sequence[Party], lively: Sequence[float], born: int, slot: int) -> Iterator[Touchpoint]:
    """What a scene that began in the slot ``born`` has for ``slot``."""
    rng = random.Random(f"{seed}/{born}")  # noqa: S311  # a story, no secret
    if rng.random() < BUSY:
        (party,) = rng.choices(parties, lively)
        for later, data in _scene(party, rng, born):
            if born + later == slot:
                yield touchpoint(party.subject, f"{party.key}.t{born}.{later}", slot * SLOT_US, data)


def _scene(party: Party, rng: random.Random, slot: int) -> list[Scene]:
    """One touchpoint in keeping with how the story ended, or a complaint and its resolution."""
    at_us = slot * SLOT_US
    diary = Diary(party, rng, at_us)
    conduct = party.story.stretches[-1][1]
    complaints = 10 * conduct.complaint if isinstance(conduct, CustomerConduct) else 3 * conduct.late
    (kind,) = rng.choices((_sale, _delivery, _payment, _talk, _check, _complaint), (5, 4, 3, 1.5, 1, complaints))
    return kind(diary, conduct, at_us)


def _sale(diary: Diary, conduct: Conduct, at_us: int) -> list[Scene]:
    spend = diary.party.size * diary.rng.lognormvariate(-0.08, 0.4)
    if isinstance(conduct, CustomerConduct):
        amount, margin = diary.money(spend * conduct.spend), diary.money(spend * conduct.spend * conduct.margin)
        return [(0, Purchase(_order(at_us), amount, SignedMoney(margin.amount, margin.currency), "web"))]
    promised = moment(at_us + 10 * DAY_US)
    return [(0, OrderPlaced(_order(at_us), diary.money(spend * 3000), diary.party.segment, promised))]


def _delivery(diary: Diary, conduct: Conduct, at_us: int) -> list[Scene]:
    late_us = diary.rng.expovariate(1 / conduct.late_days) * DAY_US if diary.chance(conduct.late) else -2 * HOUR_US
    quantity = diary.rng.randint(1, 40)
    bad = sum(diary.chance(conduct.defect) for _ in range(quantity))
    by_us = isinstance(conduct, CustomerConduct)
    promised = moment(at_us - int(late_us))
    return [(0, Delivery(_order(at_us - 7 * DAY_US), "us" if by_us else "them", promised, moment(at_us), quantity, quantity, bad))]


def _payment(diary: Diary, conduct: Conduct, at_us: int) -> list[Scene]:
    by_them = isinstance(conduct, CustomerConduct)
    share, days = (conduct.pays_late, conduct.pays_late_days) if isinstance(conduct, CustomerConduct) else (conduct.we_pay_late, 6)
    late_days = 1 + diary.rng.expovariate(1 / days) if diary.chance(share) else -3
    amount = diary.money(diary.party.size * diary.rng.lognormvariate(6.5, 0.4))
    due = day(at_us - int(late_days * DAY_US))
    return [(0, Payment(_order(at_us, "INV"), "them" if by_them else "us", amount, due, day(at_us)))]


def _talk(diary: Diary, conduct: Conduct, _at_us: int) -> list[Scene]:
    mood = conduct.mood if isinstance(conduct, CustomerConduct) else 0.65
    hours = round(diary.rng.expovariate(1 / conduct.answer_hours), 1)
    return [(0, Contact("phone", "inbound", hours, round(2 * diary.around(mood) - 1, 2)))]


def _complaint(diary: Diary, conduct: Conduct, at_us: int) -> list[Scene]:
    complaint_id = _order(at_us, "C")
    by_them = isinstance(conduct, CustomerConduct)
    scenes: list[Scene] = [(0, Complaint(complaint_id, "them" if by_them else "us", diary.rng.choice((*MILD, *HARD)), "delivery"))]
    if diary.chance(conduct.resolved):
        scenes.append((SETTLED_AFTER, ComplaintResolved(complaint_id, "resolved", satisfied=diary.chance(0.8))))
    return scenes


def _check(diary: Diary, conduct: Conduct, at_us: int) -> list[Scene]:
    """A customer answers a survey; a partner's lot is inspected."""
    if isinstance(conduct, CustomerConduct):
        return [(0, Feedback("nps", float(round(10 * diary.around(conduct.mood))), "service"))]
    pieces = diary.rng.randint(50, 120)
    return [(0, Inspection(_order(at_us, "L"), pieces, sum(diary.chance(conduct.defect) for _ in range(pieces))))]


def _order(at_us: int, prefix: str = "O") -> str:
    return f"{prefix}-T{at_us // SLOT_US}"
