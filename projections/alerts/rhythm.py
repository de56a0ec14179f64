"""Silence and drifting away, beyond the customer's own rhythm.

A CUSUM (Page 1954; Lorden 1971) of two things against "they buy ``silence_slower`` times more rarely, and half as much". Days between
purchases are exponential with the customer's own mean (faded, and taken a standard error longer, so that few gaps prove little): the sum
grows by (1 - 1 / slower) / mean for every silent day and falls by log(slower) at a purchase. The logarithms of amounts are normal around
their own mean: a purchase of half the usual amount adds, a usual one takes away, within bounds so that no purchase decides alone. At the
limit it is an alert; and so is a silence of ``silence_gaps`` usual gaps, whatever was before: chance gives it in exp(-gaps) of them. The
day is known at the last purchase, so nothing needs to be looked at until then.
"""

from math import exp, log, sqrt

from projections.alerts.alert import Book, Rhythm, on
from projections.alerts.book import Cause, raise_, settle, stands, watch
from projections.scoring.evidence import DAY_US
from projections.scoring.policy import AlertsPolicy, Policy
from schemas.catalogue import Closed, Purchase
from schemas.touchpoint import Recorded

CAUSE = "silence"
HALF = log(2.0)
AMOUNTS = 5.0  # purchases that the policy's spread of amounts is worth
STEP_LOW, STEP_HIGH = -1.0, 2.5  # of the sum at one amount


def bought(book: Book, event: Recorded, data: Purchase, policy: Policy) -> None:
    """A purchase ends a silence and says how long the next may be."""
    rule, own = policy.alerts, book.rhythm
    day = event.occurred_us // DAY_US
    if own.last_day is not None and day <= own.last_day:
        return  # several on a day are one occasion, and one that arrives late changes little
    amount = float(data.amount.amount)
    if own.last_day is not None:
        gap = float(day - own.last_day)
        if own.seen >= rule.rhythm_min:
            if (
                stands(book, CAUSE) and CAUSE not in book.watches
            ):  # the silence was told: the sum begins anew, halfway (Lucas & Crosier 1982)
                own.height = rule.silence_limit / 2.0
            else:
                own.height += gap * _rate(own) * (1.0 - 1.0 / rule.silence_slower) - log(rule.silence_slower)
            own.height = min(max(0.0, own.height + _smaller(own, data.amount.currency, amount, rule)), rule.silence_limit)
        keep = 1.0 - 1.0 / rule.rhythm_memory
        own.gaps, own.days, own.seen = own.gaps * keep + 1.0, own.days * keep + gap, own.seen + 1
    own.last_day = day
    _learn(own, data.amount.currency, amount, rule)
    if own.height >= rule.silence_limit:
        text = f"they buy more rarely or less than they used to: usual were {own.days / own.gaps:.0f} days between purchases"
        raise_(book, rule, event, Cause("silence", CAUSE, "medium", text))
    elif own.height <= rule.silence_limit / 2.0:
        settle(book, rule, CAUSE, event.occurred_us, "they buy again")
    if own.seen >= rule.rhythm_min:
        _wait(book, event, day, rule)


def left(book: Book, event: Recorded, _: Closed, policy: Policy) -> None:
    """Who is gone is silent for a reason."""
    settle(book, policy.alerts, CAUSE, event.occurred_us, "the relationship was closed")


def _wait(book: Book, event: Recorded, day: int, rule: AlertsPolicy) -> None:
    """Watch for the day on which the silence is too long."""
    own, rate = book.rhythm, _rate(book.rhythm)
    left_over = (rule.silence_limit - own.height) / (1.0 - 1.0 / rule.silence_slower)
    days = max(1.0, min(left_over, rule.silence_gaps) / rate)
    why = "and rarer or smaller ones before" if own.height > 0.0 else f"so long by chance in {exp(-days * rate):.1%} of gaps"
    text = f"no purchase since {on(day * DAY_US)}, {why}; usual are {own.days / own.gaps:.0f} days between two"
    watch(book, rule, event, Cause("silence", CAUSE, "medium", text), (day + 1) * DAY_US + int(days * DAY_US))


def _rate(own: Rhythm) -> float:
    """Purchases a day, a standard error on the slow side."""
    return own.gaps / (max(own.days, 1.0) * (1.0 + 1.0 / sqrt(own.gaps)))


def _smaller(own: Rhythm, currency: str, amount: float, rule: AlertsPolicy) -> float:
    """The log-likelihood ratio of half the usual amount against the usual one."""
    if currency != own.currency or amount <= 0.0:
        return 0.0
    spread = (AMOUNTS * rule.amount_spread**2 + own.squares) / (AMOUNTS + own.amounts)
    return max(STEP_LOW, min(STEP_HIGH, -HALF * (2.0 * (log(amount) - own.mean) + HALF) / (2.0 * spread)))


def _learn(own: Rhythm, currency: str, amount: float, rule: AlertsPolicy) -> None:
    """Let the purchase become part of what is usual; another currency starts anew."""
    if amount <= 0.0:
        return
    if currency != own.currency:
        own.currency, own.mean, own.squares, own.amounts = currency, 0.0, 0.0, 0.0
    own.amounts = min(own.amounts + 1.0, rule.rhythm_memory / 2.0)
    off = log(amount) - own.mean
    own.mean += off / own.amounts
    own.squares = own.squares * (1.0 - 1.0 / (rule.rhythm_memory / 2.0)) + (off * (log(amount) - own.mean) if own.amounts > 1.0 else 0.0)
