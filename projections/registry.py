"""Every view there is."""

from projections.acquisition.beginnings import acquisition
from projections.alerts.view import alerts
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
    followed = relationships(policy), reputation(policy), scorecards(policy), supply(policy), alerts(policy), acquisition(policy)
    return *followed, COMPLAINTS, CONTRACTS, NEGOTIATIONS, RATES
