"""Every view there is."""

from projections.complaints import COMPLAINTS
from projections.deals.contracts import CONTRACTS
from projections.deals.negotiations import NEGOTIATIONS
from projections.partners.rates import RATES
from projections.partners.scorecards import scorecards
from projections.partners.supply import supply
from projections.projection import Projection
from projections.relationships import relationships
from projections.reputation.conduct import reputation
from projections.scoring.policy import Policy


def projections(policy: Policy) -> tuple[Projection, ...]:
    """All projections, under one policy."""
    return relationships(policy), COMPLAINTS, reputation(policy), scorecards(policy), supply(policy), CONTRACTS, NEGOTIATIONS, RATES
