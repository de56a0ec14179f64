"""Commitment of a customer: will they buy again, and what they signed and said.

**Purchases** follow a Gamma-Poisson model with forgetting (Harvey & Fernandes 1989, *Time series models for count or qualitative
observations*): the rate of purchases has the prior Gamma(shape, rate_days); every day with another purchase adds 1 to the shape and every
day of exposure 1 to the rate, and both fade with one half-life. The first purchase starts the clock and says little of the rate: it made
them a customer (Fader, Hardie & Lee 2005 count repeat purchases alone), so it adds ``first``. After each purchase a customer may leave for
good, at odds that fall with the purchases made (the beta-geometric part of theirs). With B the faded number of purchases, D the same with
the first as ``first``, W the faded days since the first, and B', D', W' what they were at the last purchase, V days ago,

    P(none within the horizon, had they stayed) = ((rate_days + W) / (rate_days + W + horizon)) ** (shape + D)
    odds of having left = leaving / (1 + B') * ((rate_days + W' + V) / (rate_days + W')) ** (steady (shape + D'))
    P(at least one purchase within the horizon) = (1 - P(none, had they stayed)) / (1 + odds of having left).

Whether they left is told by the rhythm they had when they bought last: by the faded one, silence would excuse itself. People are less
regular than the model has it, so only the share ``steady`` of what their silence says counts (a tempered likelihood).

Not P(alive), which is 1 for every one-time buyer and ranks worse than chance. Contracts, renewals and referrals are ordinary evidence.
"""

from math import exp, exp2, log, log1p

import msgspec

from projections.scoring import bgnbd
from projections.scoring.evidence import Evidence
from projections.scoring.policy import Policy, PurchasesPolicy
from schemas.catalogue import Closed, ContractEnded, ContractRenewed, ContractSigned, Referral

LN2 = log(2.0)
PROBABILITY_MAX = 0.9999  # nobody is certain to come back; levels are told to four digits
WORTH_MAX = 1e6  # events; beyond, an interval is narrower than any digit told
EXPONENT_MAX = 1000.0  # half-lives; beyond, a double is full and they have left anyway
LEAVING_B = 2.0  # ``b`` of the Beta distribution of leaving: odds of leaving / (1 + B)
LOG_ODDS_MAX = 700.0  # what a double holds; they have left


class Outlook(msgspec.Struct, frozen=True, gc=False):
    """What the purchases say. Chances are of at least one purchase within the horizon, 0 to 1.

    silent: the chance had there been silence alone since the first purchase. centre, worth: the true chance of a customer who has not
    left is drawn from a Beta distribution with this mean that is worth so many events.
    """

    probability: float
    silent: float
    centre: float
    worth: float


def outlook(purchases: float, days_since_first: float, days_since_last: float, policy: PurchasesPolicy) -> Outlook:
    """How likely they are to buy within the policy's horizon, and how sure that is.

    Args:
        purchases: number of days with a purchase, each faded by its age.
        days_since_first: days since the first of them, >= 0.
        days_since_last: days since the last, 0 to ``days_since_first``.
        policy: half-life, prior, horizon and odds of leaving.

    Sums that fade know more than as many fresh events: their variance is that of sums larger by the weights' total over the total of
    their squares (Kish 1965). The distribution of the rate then gives that of the probability, whose first two moments are closed forms.
    """
    fade, horizon = _fade(days_since_first, policy), policy.horizon_days
    exposure, counted = _exposure_days(fade, policy), _counted(purchases, fade, policy)
    prior_shape, prior_days = policy.shape, policy.rate_days
    longer = log1p(horizon / (prior_days + exposure))  # by this the horizon lengthens the time watched
    stayed = 1.0 / (1.0 + _odds_left(purchases, days_since_first, days_since_last, policy))
    more = 2.0 / (1.0 + fade)
    sure_shape, sure_days = prior_shape + more * counted, prior_days + more * exposure
    none = exp(-sure_shape * log1p(horizon / sure_days))
    variance = exp(-sure_shape * log1p(2.0 * horizon / sure_days)) - none * none
    worth = none * (1.0 - none) / variance - 1.0 if variance > 0.0 else WORTH_MAX
    probability, centre = stayed * (1.0 - exp(-(prior_shape + counted) * longer)), 1.0 - none
    return Outlook(
        probability if probability < PROBABILITY_MAX else PROBABILITY_MAX,
        stayed * (1.0 - exp(-prior_shape * longer)),
        centre if centre < PROBABILITY_MAX else PROBABILITY_MAX,
        worth if worth < WORTH_MAX else WORTH_MAX,
    )


def expected_purchases(purchases: float, days_since_first: float, days_since_last: float, policy: PurchasesPolicy) -> float:
    """The expected number of days with a purchase within the horizon: BG/NBD in closed form on the faded history, NBD without leaving."""
    fade = _fade(days_since_first, policy)
    watched = _exposure_days(fade, policy)
    # the first purchase counts in full for leaving, and as the policy says for the rate
    shape = policy.shape + _counted(purchases, fade, policy) - purchases
    leaves = (policy.leaving, LEAVING_B) if policy.leaving > 0.0 else (None, None)
    just_bought = bgnbd.History(purchases, watched, watched)
    fresh = bgnbd.expected_purchases(just_bought, policy.horizon_days, bgnbd.Parameters(shape, policy.rate_days, *leaves))
    stayed = fresh * (1.0 + policy.leaving / (LEAVING_B - 1.0 + purchases))
    return stayed / (1.0 + _odds_left(purchases, days_since_first, days_since_last, policy))


def _fade(days: float, policy: PurchasesPolicy) -> float:
    """What is left of something after so many days."""
    return exp2(-days / policy.half_life_days)


def _exposure_days(fade: float, policy: PurchasesPolicy) -> float:
    """The days since what has faded so far, each faded by its age."""
    return policy.half_life_days / LN2 * (1.0 - fade)


def _counted(purchases: float, fade: float, policy: PurchasesPolicy) -> float:
    """The faded number of purchases, the first of them, which has faded so far, counted as the policy says."""
    counted = purchases - (1.0 - policy.first) * fade
    return counted if counted > 0.0 else 0.0


def _odds_left(purchases: float, days_since_first: float, days_since_last: float, policy: PurchasesPolicy) -> float:
    """P(left) / P(stayed), after so many days without a purchase."""
    if policy.leaving == 0.0:
        return 0.0
    half_lives = days_since_last / policy.half_life_days
    then = purchases * exp2(half_lives if half_lives < EXPONENT_MAX else EXPONENT_MAX)
    fade = _fade(days_since_first - days_since_last, policy) if days_since_first > days_since_last else 1.0
    rate = policy.rate_days + _exposure_days(fade, policy)
    said = policy.steady * (policy.shape + _counted(then, fade, policy)) * log1p(days_since_last / rate)
    return policy.leaving / (1.0 + then) * exp(said if said < LOG_ODDS_MAX else LOG_ODDS_MAX)


def signed(_: ContractSigned, policy: Policy) -> Evidence:
    """A contract signed."""
    return Evidence(policy.contract.signed, 0.0)


def renewed(_: ContractRenewed, policy: Policy) -> Evidence:
    """A contract renewed."""
    return Evidence(policy.contract.renewed, 0.0)


def ended(data: ContractEnded, policy: Policy) -> Evidence | None:
    """A contract that ran out, or that they ended; one completed says nothing."""
    if data.reason == "expired":
        return Evidence(0.0, policy.contract.expired)
    if data.reason == "terminated" and data.by != "us":
        return Evidence(0.0, policy.contract.terminated)
    return None


def referral(data: Referral, policy: Policy) -> Evidence:
    """They sent us somebody; more when it came to something."""
    return Evidence(policy.referral.converted_weight if data.converted else policy.referral.weight, 0.0)


def closed(data: Closed, policy: Policy) -> Evidence | None:
    """They left."""
    return Evidence(0.0, policy.closed.weight) if data.by == "them" else None
