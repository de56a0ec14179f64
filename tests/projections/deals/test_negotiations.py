"""negotiations: what each side gained and gave way, whatever came first, and no secret in any column."""

from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.deals.negotiations import NEGOTIATIONS
from schemas.catalogue import Contact, Issue, NegotiationClosed, NegotiationOffer, NegotiationOpened, Ours, Span, Theirs
from schemas.touchpoint import Recorded
from tests.projections.events import happened
from tests.projections.houses import row

# We buy: our target is 90, we walk away at 130; they hope for 140 and go down to 100.
PRICE = Issue("price", Ours(90.0, 130.0), theirs=Theirs(140.0, 100.0))
OPENED = NegotiationOpened("N-1", (PRICE,), "steel")


row_of = partial(row, NEGOTIATIONS)


def offered(by: str, price: float, days_ago: float) -> Recorded:
    return happened(msgspec.convert({"negotiation_id": "N-1", "by": by, "terms": {"price": price}}, NegotiationOffer), days_ago)


def haggled() -> list[Recorded]:
    offers = [offered("us", 90.0, 9), offered("them", 140.0, 8), offered("us", 100.0, 7), offered("them", 120.0, 6)]
    return [happened(OPENED, 10), *offers, happened(NegotiationClosed("N-1", "agreed", {"price": 110.0}), 5)]


def test_an_agreement_is_told_with_both_gains_and_both_concessions() -> None:
    found = row_of(haggled())
    assert (found.negotiation, found.status, found.about, found.days) == ("customer/acme#N-1", "agreed", "steel", 5.0)
    assert (found.gain_ours, found.gain_theirs_low, found.gain_theirs_high) == (0.5, 0.25, 0.25)
    assert (found.conceded_ours, found.conceded_theirs) == (0.25, 0.5)  # 10 of our 40, 20 of their 40
    assert (found.offers_ours, found.offers_theirs) == (2, 2)
    assert (found.last_offer_ours, found.last_offer_theirs) == ({"price": 100.0}, {"price": 120.0})


def test_their_gain_is_a_range_where_their_values_are_estimates() -> None:
    doubtful = Issue("price", Ours(90.0, 130.0), theirs=Theirs(140.0, Span(90.0, 110.0)))
    found = row_of([happened(NegotiationOpened("N-1", (doubtful,)), 10), happened(NegotiationClosed("N-1", "agreed", {"price": 110.0}), 5)])
    assert found.gain_theirs_low is not None
    assert found.gain_theirs_high is not None
    assert found.gain_theirs_low == pytest.approx(0.0)
    assert found.gain_theirs_high == pytest.approx(0.4)


def test_what_failed_or_is_still_open_has_no_gains() -> None:
    still_open = row_of(haggled()[:3])
    assert (still_open.status, still_open.gain_ours, still_open.days) == ("open", None, 2.0)
    failed = row_of([*haggled()[:3], happened(NegotiationClosed("N-1", "failed"), 5)])
    assert (failed.status, failed.gain_ours, failed.terms) == ("failed", None, None)


def test_offers_of_a_negotiation_nobody_opened_show_and_join_it_when_it_comes() -> None:
    opened, *rest = haggled()
    lone = row_of(rest)
    assert (lone.status, lone.issues, lone.offers_ours, lone.gain_ours, lone.conceded_ours) == ("unknown_opening", (), 2, None, None)
    assert row_of([*rest, opened]) == row_of(haggled())


def test_no_column_holds_a_walk_away() -> None:
    secret = Issue("price", Ours(90.125, 130.375), theirs=Theirs(140.625, 100.875))
    found = row_of([happened(NegotiationOpened("N-1", (secret,)), 10), *haggled()[1:]])
    shown = msgspec.json.encode(found).decode()
    assert not [value for value in ("90.125", "130.375", "140.625", "100.875") if value in shown]


def test_other_touchpoints_are_no_rows() -> None:
    assert NEGOTIATIONS.row_key(happened(Contact("phone", "inbound"))) is None
    assert NEGOTIATIONS.row_key(happened(OPENED, relationship="partner/acme")) == "partner/acme#N-1"


words = st.one_of(
    st.just(OPENED),
    st.builds(NegotiationOffer, st.just("N-1"), st.sampled_from(["us", "them"]), st.just({"price": 100.0}) | st.just({"price": 120.0})),
    st.builds(NegotiationClosed, st.just("N-1"), st.sampled_from(["agreed", "failed"]), st.just({"price": 110.0}) | st.none()),
)


@given(st.lists(st.builds(happened, words, st.integers(0, 3)), min_size=1, max_size=8), st.data())
def test_the_order_of_arrival_does_not_matter(said: list[Recorded], data: st.DataObject) -> None:
    assert row_of(data.draw(st.permutations(said))) == row_of(said)
