"""The truth behind each sample relationship: a story is a few stretches of life, each with its own conduct.

A conduct says how often and how well things go. The touchpoints are drawn from it, so a score can be held against it.
"""

from typing import Literal

import msgspec
from msgspec.structs import replace

Standing = Literal["unproven", "grow", "keep", "repair", "exit"]


class CustomerConduct(msgspec.Struct, frozen=True, kw_only=True):
    """How a stretch with a customer goes. Shares are 0-1, money is EUR, days are means."""

    order_days: float = 42.0  # between purchases; 0: none at all
    spend: float = 900.0  # a purchase
    margin: float = 0.32  # of the spend
    late: float = 0.05  # of our deliveries
    late_days: float = 1.5
    defect: float = 0.02  # of our deliveries have defective pieces
    complaint: float = 0.03  # of purchases that went well; four times as likely after a late or defective delivery
    severe: float = 0.15  # of complaints are major or critical
    resolved: float = 0.95  # of complaints
    resolve_days: float = 3.0
    satisfied: float = 0.85  # of resolutions
    pays_late: float = 0.06  # of their payments
    pays_late_days: float = 4.0
    disputes: float = 0.01  # of our invoices
    returns: float = 0.03  # of purchases
    mood: float = 0.8  # 0-1: what feedback and contacts are drawn around
    contact_days: float = 75.0
    promises: float = 0.1  # a purchase
    kept: float = 0.95  # of our promises
    referral: float = 0.02  # a purchase
    answer_hours: float = 6.0  # until we answer a request


class PartnerConduct(msgspec.Struct, frozen=True, kw_only=True):
    """How a stretch with a partner goes. Shares are 0-1, money is EUR, days are means."""

    order_days: float = 34.0
    late: float = 0.05  # of their deliveries
    late_days: float = 2.0
    short: float = 0.03  # of their deliveries bring less than promised
    defect: float = 0.004  # of pieces
    rate: float = 1.0  # their rates over the benchmark
    rate_growth: float = 0.0  # a year
    answer_hours: float = 12.0  # until they answer a request or quote
    unanswered: float = 0.03  # of quotes
    resolved: float = 0.9  # of complaints we raise
    resolve_days: float = 5.0
    disputes: float = 0.02  # of their invoices, by us
    we_pay_late: float = 0.05
    promises: float = 0.08  # an order
    kept: float = 0.93  # of their promises
    informs: float = 0.0  # share of orders that are for information
    accurate: float = 0.95  # of that information
    disruptions: float = 0.0  # a year
    alternatives: int = 3  # other qualified sources


Conduct = CustomerConduct | PartnerConduct


class Story(msgspec.Struct, frozen=True):
    """One kind of relationship.

    count: how many the sample has.
    standing: where a good judge would see it at the end.
    stretches: (where it starts as a share of the relationship's life, 0-1; the conduct from there on).
    turn: index of the stretch whose start is the day it turned, or None.
    troubled: indexes of the stretches in which somebody should be told.
    deal: how the contract was agreed: "fair", "unequal" (the other side barely above its walk-away), or "" for no contract.
    plays: what we did about it, as actions.
    begins_within: it begins within this share of the sample's span, 0-1.
    young_days: instead, it begins at most so many days before the end.
    """

    name: str
    count: int
    standing: Standing
    stretches: tuple[tuple[float, Conduct], ...]
    turn: int | None = None
    troubled: tuple[int, ...] = ()
    deal: Literal["fair", "unequal", ""] = ""
    plays: tuple[str, ...] = ()
    begins_within: float = 0.3
    young_days: int = 0


_C, _P = CustomerConduct(), PartnerConduct()
_UNHAPPY = replace(_C, late=0.3, complaint=0.45, severe=0.6, resolved=0.1, satisfied=0.1, mood=0.25, order_days=51, returns=0.1)
_RELIABLE = replace(_P, late=0.02, late_days=1.0, short=0.01, defect=0.001, answer_hours=5, kept=0.98, rate=0.97, unanswered=0.0)
_SLIPPING = replace(_P, late=0.6, late_days=6.0, short=0.2, kept=0.5)

CUSTOMER_STORIES = (
    Story("loyal", 34, "grow", ((0.0, replace(_C, order_days=21, spend=1600, mood=0.92, referral=0.08, late=0.03)),), deal="fair"),
    Story("steady", 52, "keep", ((0.0, _C),)),
    Story("new", 14, "unproven", ((0.0, replace(_C, order_days=20)),), young_days=45),
    Story(
        "drifting",
        22,
        "repair",
        (
            (0.0, replace(_C, order_days=24, mood=0.85)),
            (0.55, replace(_C, order_days=68, spend=450, mood=0.6, contact_days=140)),
            (0.8, replace(_C, order_days=0, contact_days=0)),
        ),
        turn=1,
        troubled=(1, 2),
    ),
    Story("angry", 14, "repair", ((0.0, _C), (0.6, _UNHAPPY)), turn=1, troubled=(1,), plays=("call by the owner",)),
    Story(
        "recovering",
        14,
        "keep",
        (
            (0.0, _C),
            (0.35, replace(_UNHAPPY, order_days=60, resolved=1.0, resolve_days=30, satisfied=0.9, pays_late=0.1)),
            (0.6, replace(_C, order_days=30, mood=0.9, complaint=0.01, late=0.02)),
        ),
        turn=2,
        troubled=(1,),
        plays=("service review", "named contact"),
    ),
    Story(
        "unfair_deal",
        10,
        "repair",
        ((0.0, _C), (0.5, replace(_C, order_days=54, mood=0.4, disputes=0.12))),
        turn=1,
        troubled=(1,),
        deal="unequal",
    ),
    Story("late_payer", 12, "repair", ((0.0, replace(_C, pays_late=0.8, pays_late_days=24, disputes=0.12, margin=0.2)),), troubled=(0,)),
    Story(
        "we_let_them_down",
        14,
        "repair",
        ((0.0, _C), (0.5, replace(_C, late=0.7, late_days=7, promises=0.6, kept=0.25, mood=0.35, complaint=0.08, answer_hours=50))),
        turn=1,
        troubled=(1,),
        deal="fair",
    ),
    Story("one_time", 14, "unproven", ((0.0, replace(_C, order_days=0, contact_days=0)),), begins_within=0.8),
)

PARTNER_STORIES = (
    Story("reliable", 28, "grow", ((0.0, _RELIABLE),), deal="fair"),
    Story("unreliable", 14, "repair", ((0.0, _P), (0.55, _SLIPPING)), turn=1, troubled=(1,), deal="fair"),
    Story("improving", 8, "keep", ((0.0, _SLIPPING), (0.5, _RELIABLE)), turn=1, troubled=(0,), plays=("delivery plan",)),
    Story("expensive", 10, "repair", ((0.0, replace(_P, rate=1.15, rate_growth=0.12)),), troubled=(0,), deal="fair"),
    Story(
        "defective",
        8,
        "exit",
        ((0.0, _P), (0.4, replace(_P, defect=0.12, late=0.3, late_days=4, resolved=0.3, kept=0.4, answer_hours=60))),
        turn=1,
        troubled=(1,),
        plays=("quality audit", "corrective action plan"),
    ),
    Story("slow", 8, "repair", ((0.0, replace(_P, answer_hours=110, unanswered=0.3, resolve_days=25)),), troubled=(0,)),
    Story(
        "unfair_deal",
        6,
        "repair",
        ((0.0, _P), (0.5, replace(_P, late=0.2, resolved=0.5, answer_hours=40))),
        turn=1,
        troubled=(1,),
        deal="unequal",
    ),
    Story("accurate", 6, "grow", ((0.0, replace(_RELIABLE, informs=0.9, accurate=0.98)),)),
    Story("inaccurate", 5, "repair", ((0.0, replace(_P, informs=0.9, accurate=0.5, late=0.25)),), troubled=(0,)),
    Story(
        "disrupted",
        7,
        "repair",
        ((0.0, replace(_P, disruptions=2.5, alternatives=0, late=0.3, late_days=9, short=0.15)),),
        troubled=(0,),
        deal="fair",
    ),
)
