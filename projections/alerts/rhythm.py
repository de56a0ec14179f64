"""Drifting away and falling silent, beyond the customer's own rhythm: purchases, amounts and mood in one sum.

A CUSUM (Page 1954; Lorden 1971) against "they buy ``silence_slower`` times more rarely, for ``silence_smaller`` times less, in a mood
``mood_drop`` worse". Each of the three adds the logarithm of its likelihood ratio, since who drifts away does a little of each:

- *days* between purchases are exponential, at a rate that is learned from the gaps so far and from the prior of the purchase model
  (``[purchases]``: what the peers do, which calibration fits). With n gaps in d days, that counted in, the next one is a Lomax variable
  (Pareto II): g silent days add n ln((d + g) / (d + g / slower)), and a purchase then once more this logarithm, less ln(slower). So few
  gaps prove little;
- *logarithms of amounts* are normal around their own mean, with the spread of the policy until their own is known;
- *mood*, what they answer and how they sound (0-1), is normal around its own mean, at first the peers': it counts from the first word on,
  and a silence after bad words is watched for from the second gap on, before a rhythm is told.

At the limit it is an alert, which ends with a purchase that leaves nothing of the sum. Who buys no more at all is a second alternative: g
silent days then add n ln((d + g) / d) to the sum at the last purchase, and must reach the limit and ``silence_gone`` more. The day is known
at the last purchase, so nothing needs to be looked at until then. Only what comes while the sum is 0 is what is usual: what comes since is
kept apart, and becomes usual when the sum is back at 0, so that who fades slowly is not taken for one who always was so.
"""

from math import exp, inf, log

from projections.alerts.alert import NEVER_US, SILENCE, Book, Rhythm, Usual, on
from projections.alerts.book import Cause, expect, raise_, settle
from projections.scoring.evidence import DAY_US
from projections.scoring.policy import AlertsPolicy, Policy, PurchasesPolicy
from schemas.catalogue import SCALES, Closed, Contact, Feedback, Purchase
from schemas.touchpoint import Recorded

AMOUNTS = 5.0  # purchases that the policy's spread of amounts is worth
MOODS = 4.0  # answers that the peers' mood is worth
GAPS_MIN = 2.0  # gaps between purchases before a silence is watched for, whatever else was heard
EXPONENT_MAX = 700.0  # what a double holds
DAYS_MAX = 36_500.0  # of a silence that is watched for: a hundred years
AMOUNT_STEP = -2.0, 2.5  # of the sum at one purchase, at least and at most: none decides alone
MOOD_STEP = -1.0, 2.0  # at one word: anger alone is no silence
NOTHING = Usual()


def bought(book: Book, event: Recorded, data: Purchase, policy: Policy) -> None:
    """A purchase ends a silence and says how long the next may be."""
    rule, own = policy.alerts, book.rhythm
    day = event.occurred_us // DAY_US
    if own.last_day is not None and day <= own.last_day:
        return  # several on a day are one occasion, and one that arrives late changes little
    gap = 0.0 if own.last_day is None else float(day - own.last_day)
    amount = log(paid) if (paid := float(data.amount.amount)) > 0.0 else None
    if amount is not None and data.amount.currency != own.currency:  # another currency starts anew
        own.currency = data.amount.currency
        for one in (own.usual, own.since):
            one.amounts = one.mean = one.squares = 0.0
    was, told = own.height, own.usual.gaps >= rule.rhythm_min
    if told:
        own.height = 0.0 if SILENCE in book.alerts else max(0.0, was + _rarer(own, gap, policy))
        if was == 0.0 < own.height and own.last_day is not None:
            own.since_us = own.last_day * DAY_US  # what was rare is the gap
        if amount is not None:
            _hear(own, _smaller(own, amount, rule), AMOUNT_STEP, event, rule)
    elif was >= rule.silence_limit:
        own.height = 0.0  # a bad mood was told of, and they buy
    new = own.since if told and (was or own.height) else own.usual  # usual at once, as nearly always; few purchases only teach
    if gap:
        new.gaps, new.days = new.gaps + 1.0, new.days + gap
    if amount is not None:
        _add(new, amount)
    own.last_day = day
    _judge(book, event, policy, told=told or was > 0.0)


def answered(book: Book, event: Recorded, data: Feedback, policy: Policy) -> None:
    """What they answer when they are asked."""
    low, high = SCALES[data.scale]
    _feel(book, event, (data.value - low) / (high - low), policy)


def sounded(book: Book, event: Recorded, data: Contact, policy: Policy) -> None:
    """How they sound."""
    if data.sentiment is not None:
        _feel(book, event, (data.sentiment + 1.0) / 2.0, policy)


def left(book: Book, event: Recorded, _: Closed, policy: Policy) -> None:
    """Who is gone is silent for a reason."""
    book.rhythm.due_us = NEVER_US
    settle(book, policy.alerts, SILENCE, event.occurred_us, "the relationship was closed")


def _feel(book: Book, event: Recorded, mood: float, policy: Policy) -> None:
    """The mood (0-1) of the rhythm."""
    rule, own = policy.alerts, book.rhythm
    if own.last_day is None:  # of customers who bought alone
        return
    was, step = own.height, _sadder(own, mood, rule)
    felt = own.usual if was == 0.0 and step <= 0.0 else own.since  # usual, as nearly always
    felt.moods, felt.mood = felt.moods + 1.0, felt.mood + mood
    if felt is own.since:
        _hear(own, step, MOOD_STEP, event, rule)
        _judge(book, event, policy, told=True)


def _judge(book: Book, event: Recorded, policy: Policy, *, told: bool) -> None:
    """Raise, settle or wait, after the sum has moved; what came since is usual where the sum is 0."""
    rule, own = policy.alerts, book.rhythm
    if own.height == 0.0 and own.since != NOTHING:
        _merge(own.usual, own.since)
        own.since = Usual()
    own.due_us = NEVER_US  # until it is known anew
    if not told and own.usual.gaps < rule.rhythm_min:
        return
    if own.height >= rule.silence_limit:
        text = f"their mood is worse than usual since {on(own.since_us)}"
        if own.usual.gaps >= rule.rhythm_min:
            text = f"they buy more rarely or less, or in a worse mood, than before, when they bought {own.how_often()}"
        raise_(book, rule, event, Cause("silence", SILENCE, "medium", text, since_us=own.since_us))
    elif SILENCE in book.alerts and own.height == 0.0 and isinstance(event.data, Purchase):
        settle(book, rule, SILENCE, event.occurred_us, "they buy again")
    if own.last_day is not None and own.usual.gaps >= GAPS_MIN and SILENCE not in book.alerts:
        _wait(book, own, event, own.last_day, policy)


def _wait(book: Book, own: Rhythm, event: Recorded, day: int, policy: Policy) -> None:
    """Watch for the day on which the silence is too long."""
    rule = policy.alerts
    asked = rule.silence_limit - own.height
    gaps, so_far = _known(own, policy.purchases)
    rarer, gone = exp(min(EXPONENT_MAX, asked / gaps)), exp(min(EXPONENT_MAX, (asked + rule.silence_gone) / gaps))
    slower = so_far * (rarer - 1.0) / (1.0 - rarer / rule.silence_slower) if rarer < rule.silence_slower else inf
    days = max(1.0, min(slower, so_far * (gone - 1.0), DAYS_MAX))
    own.due_us, own.late = expect(book, rule, event, max((day + 1) * DAY_US + int(days * DAY_US), event.occurred_us))
    own.position = event.position


def _known(own: Rhythm, prior: PurchasesPolicy) -> tuple[float, float]:
    """The gaps that are known of, and the days they took, with what the prior is worth."""
    return own.usual.gaps + prior.shape, own.usual.days + prior.rate_days


def _rarer(own: Rhythm, gap: float, policy: Policy) -> float:
    """The log-likelihood ratio of so many days between two purchases: rarer ones against the usual, each of which is learned too."""
    gaps, days = _known(own, policy.purchases)
    rule = policy.alerts
    return (gaps + 1.0) * log((days + gap) / (days + gap / rule.silence_slower)) - rule.slower_log


def _hear(own: Rhythm, step: float, bounds: tuple[float, float], event: Recorded, rule: AlertsPolicy) -> None:
    """Move the sum, within bounds: it must be able to come back."""
    was = own.height
    if was == 0.0 and step <= 0.0:  # as nearly always
        return
    own.height = min(max(0.0, was + max(bounds[0], min(bounds[1], step))), rule.silence_limit)
    if was == 0.0 < own.height:
        own.since_us = event.occurred_us


def _smaller(own: Rhythm, amount: float, rule: AlertsPolicy) -> float:
    """The log-likelihood ratio of a smaller amount against the usual one; ``amount`` as a logarithm."""
    if own.usual.amounts == 0.0:
        return 0.0
    spread = (AMOUNTS * rule.amount_spread**2 + own.usual.squares) / (AMOUNTS + own.usual.amounts)
    less = rule.smaller_log
    return -less * (2.0 * (amount - own.usual.mean) + less) / (2.0 * spread)


def _sadder(own: Rhythm, mood: float, rule: AlertsPolicy) -> float:
    """The log-likelihood ratio of a worse mood against the usual one."""
    usual = (own.usual.mood + MOODS * rule.usual_mood) / (own.usual.moods + MOODS)
    return -rule.mood_drop * (2.0 * (mood - usual) + rule.mood_drop) / (2.0 * rule.mood_spread**2)


def _add(of: Usual, amount: float) -> None:
    """Take one more amount into mean and squares (Welford 1962)."""
    of.amounts += 1.0
    off = amount - of.mean
    of.mean += off / of.amounts
    of.squares += off * (amount - of.mean)


def _merge(into: Usual, new: Usual) -> None:
    """Let what came since be usual, too (Chan, Golub & LeVeque 1983 for mean and squares)."""
    into.gaps, into.days = into.gaps + new.gaps, into.days + new.days
    into.moods, into.mood = into.moods + new.moods, into.mood + new.mood
    if new.amounts:
        both, off = into.amounts + new.amounts, new.mean - into.mean
        into.squares += new.squares + off * off * into.amounts * new.amounts / both
        into.mean += off * new.amounts / both
        into.amounts = both
