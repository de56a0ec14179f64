"""Commitment of a customer: will they buy again, and what they signed and said.

**Purchases** follow a Gamma-Poisson model with forgetting (Harvey & Fernandes 1989, *Time series models for count or qualitative
observations*): the rate of purchases has the prior Gamma(shape, rate_days); every purchase adds 1 to the shape and every day of exposure
1 to the rate, and both fade with one half-life. With D the faded number of purchases and W the faded days since the first,

    P(at least one purchase within the horizon) = 1 - ((rate_days + W) / (rate_days + W + horizon)) ** (shape + D).

Not P(alive), which is 1 for every one-time buyer and ranks worse than chance. Contracts, renewals and referrals are ordinary evidence.
"""

from math import log

from projections.scoring.evidence import DAY_US, Evidence, faded
from projections.scoring.policy import Policy, PurchasesPolicy
from schemas.catalogue import Closed, ContractEnded, ContractRenewed, ContractSigned, Referral


def purchase_probability(purchases: float, days_since_first: float, policy: PurchasesPolicy) -> float:
    """P(at least one purchase within the policy's horizon), 0 to 1.

    Args:
        purchases: number of purchases, each faded by its age.
        days_since_first: days since the first purchase, >= 0.
        policy: half-life, prior and horizon.
    """
    memory_days = policy.half_life_days / log(2.0)
    exposure = policy.rate_days + memory_days * (1.0 - 2.0 ** (-days_since_first / policy.half_life_days))
    odds: float = (exposure / (exposure + policy.horizon_days)) ** (policy.shape + purchases)
    return 1.0 - odds


def probability_at(kept_purchases: float, first_us: int, moment_us: int, policy: PurchasesPolicy) -> float:
    """As ``purchase_probability``, from a forward-decayed number of purchases."""
    purchases = max(0.0, kept_purchases) * faded(moment_us, policy.half_life_us)
    return purchase_probability(purchases, max(0, moment_us - first_us) / DAY_US, policy)


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
