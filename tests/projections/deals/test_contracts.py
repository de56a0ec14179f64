"""contracts: one row per contract, whatever came first."""

from datetime import date
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from projections.deals.contracts import CONTRACTS
from schemas.catalogue import Contact, ContractBreached, ContractEnded, ContractRenewed, ContractSigned, Money
from schemas.touchpoint import Recorded
from tests.projections.events import happened
from tests.projections.houses import row

SIGNED = ContractSigned("K-1", date(2026, 1, 1), date(2026, 12, 31), Money("1000", "EUR"), "manual", 30, "N-1")
RENEWED = ContractRenewed("K-1", date(2027, 12, 31))


row_of = partial(row, CONTRACTS)


def test_a_contract_runs_from_its_signing_and_says_until_when_notice_is_in_time() -> None:
    found = row_of([happened(SIGNED, 100)])
    assert (found.contract, found.status, found.starts_on, found.ends_on) == ("customer/acme#K-1", "running", "2026-01-01", "2026-12-31")
    assert (found.notice_on, found.renewal, found.value_amount, found.value_currency) == ("2026-12-01", "manual", "1000", "EUR")
    assert (found.renewals, found.ended_at, found.negotiation_id) == (0, None, "N-1")


def test_a_renewal_sets_a_new_end_and_keeps_the_value_it_does_not_tell() -> None:
    found = row_of([happened(SIGNED, 100), happened(RENEWED, 10)])
    assert (found.ends_on, found.notice_on, found.renewals, found.value_amount) == ("2027-12-31", "2027-12-01", 1, "1000")


def test_an_end_is_told_with_who_ended_it_and_breaches_with_whose_they_were() -> None:
    breaches = [happened(ContractBreached("K-1", by, "major"), 20) for by in ("us", "them", "them")]
    found = row_of([happened(SIGNED, 100), *breaches, happened(ContractEnded("K-1", "terminated", "them"), 5)])
    assert (found.status, found.reason, found.ended_by) == ("ended", "terminated", "them")
    assert (found.breaches_ours, found.breaches_theirs) == (1, 2)


def test_what_is_said_of_a_contract_nobody_signed_shows_and_joins_its_signing() -> None:
    early, late = happened(SIGNED, 100), happened(RENEWED, 10)
    assert row_of([late]).status == "unknown_signing"
    assert row_of([late, early]) == row_of([early, late])


def test_a_notice_longer_than_all_time_leaves_a_day_that_exists() -> None:
    assert row_of([happened(ContractSigned("K-1", date(1, 1, 1), date(1, 1, 2), notice_days=10**9))]).notice_on == "0001-01-01"


def test_other_touchpoints_and_other_relationships_are_other_rows_or_none() -> None:
    assert CONTRACTS.row_key(happened(Contact("phone", "inbound"))) is None
    assert CONTRACTS.row_key(happened(None)) is None
    assert CONTRACTS.row_key(happened(SIGNED, relationship="partner/acme")) == "partner/acme#K-1"


days = st.dates(date(2026, 1, 1), date(2028, 1, 1))
words = st.one_of(
    st.builds(ContractSigned, st.just("K-1"), st.just(date(2026, 1, 1)), days | st.none(), st.just(Money("5", "EUR")) | st.none()),
    st.builds(ContractRenewed, st.just("K-1"), days | st.none(), st.just(Money("7", "USD")) | st.none()),
    st.builds(ContractEnded, st.just("K-1"), st.sampled_from(["expired", "terminated", "completed"]), st.sampled_from(["us", None])),
    st.builds(ContractBreached, st.just("K-1"), st.sampled_from(["us", "them"]), st.just("minor")),
)


@given(st.lists(st.builds(happened, words, st.integers(0, 3)), min_size=1, max_size=8), st.data())
def test_the_order_of_arrival_does_not_matter(said: list[Recorded], data: st.DataObject) -> None:
    assert row_of(data.draw(st.permutations(said))) == row_of(said)
