"""First experiences: what each side first saw of the other, from one touchpoint.

Each is told by the first touchpoint of its kind to happen, whichever arrives first. Of a customer they are what we did to them, and how
they paid; of a partner what they did to us, and whether we paid in time.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from projections.scoring.policy import AcquisitionPolicy
from schemas import catalogue as c

HOUR_S = 3600.0
LATE, SHORT, IN_TIME = "late", "short", "on time and in full"
PAID_IN_TIME, PAID_LATE = "in time", "late"
QUICK, SLOW, NEVER = "quick", "slow", "never"
FAIR_RATE, HIGH_RATE = "at most the benchmark", "above the benchmark"


class First(NamedTuple):
    """What one touchpoint tells. ``amount``, ``currency``: of a purchase."""

    told: str
    amount: float = 0.0
    currency: str = ""


Teller = Callable[[Any, AcquisitionPolicy], First | None]


def _purchase(data: c.Purchase, _: AcquisitionPolicy) -> First:
    return First("", float(data.amount.amount), data.amount.currency)


def _delivery(by: c.By) -> Teller:
    def tell(data: c.Delivery, _: AcquisitionPolicy) -> First | None:
        if data.by != by:
            return None
        if data.delivered_at > data.promised_at:
            return First(LATE)
        promised, delivered = data.quantity_promised, data.quantity_delivered
        short = promised is not None and delivered is not None and delivered < promised
        return First(SHORT if short else IN_TIME)

    return tell


def _complaint(by: c.By) -> Teller:
    def tell(data: c.Complaint, _: AcquisitionPolicy) -> First | None:
        return First(data.complaint_id) if data.by == by else None

    return tell


def _payment(by: c.By) -> Teller:
    def tell(data: c.Payment, _: AcquisitionPolicy) -> First | None:
        return First(PAID_IN_TIME if data.paid_on <= data.due_on else PAID_LATE) if data.by == by else None

    return tell


def _request(by: c.By) -> Teller:
    def tell(data: c.RequestAnswered, rule: AcquisitionPolicy) -> First | None:
        hours = (data.answered_at - data.asked_at).total_seconds() / HOUR_S
        return _answered(hours, rule) if data.by == by else None

    return tell


def _contact(direction: str) -> Teller:
    def tell(data: c.Contact, rule: AcquisitionPolicy) -> First | None:
        if data.response_hours is None or data.direction != direction:
            return None
        return _answered(data.response_hours, rule)

    return tell


def _quote(data: c.Quote, rule: AcquisitionPolicy) -> First:
    if data.answered_at is None:
        return First(NEVER)
    return _answered((data.answered_at - data.asked_at).total_seconds() / HOUR_S, rule)


def _rate(data: c.Rate, _: AcquisitionPolicy) -> First | None:
    benchmark = data.benchmark
    if benchmark is None or benchmark.currency != data.rate.currency:
        return None
    return First(FAIR_RATE if float(data.rate.amount) <= float(benchmark.amount) else HIGH_RATE)


def _answered(hours: float, rule: AcquisitionPolicy) -> First:
    return First(QUICK if hours <= rule.quick_hours else SLOW)


def _incentive(data: c.Incentive, _: AcquisitionPolicy) -> First:
    return First(named(data))


def named(data: c.Incentive) -> str:
    """An incentive in words: ``rebate, from us``."""
    return f"{data.form}, from {data.by}"


FIRSTS: Mapping[str, Mapping[type, tuple[str, Teller]]] = {
    "customer": {
        c.Purchase: ("purchase", _purchase),
        c.Delivery: ("delivery", _delivery("us")),
        c.Complaint: ("complaint", _complaint("them")),
        c.RequestAnswered: ("answer", _request("us")),
        c.Contact: ("answer", _contact("inbound")),
        c.Payment: ("payment", _payment("them")),
        c.Incentive: ("incentive", _incentive),
    },
    "partner": {
        c.Delivery: ("delivery", _delivery("them")),
        c.Complaint: ("complaint", _complaint("us")),
        c.RequestAnswered: ("answer", _request("them")),
        c.Contact: ("answer", _contact("outbound")),
        c.Quote: ("quote", _quote),
        c.Rate: ("rate", _rate),
        c.Payment: ("payment", _payment("us")),
        c.Incentive: ("incentive", _incentive),
    },
}
"""By kind and type of data: what it may be the first experience of, and what tells whether."""
