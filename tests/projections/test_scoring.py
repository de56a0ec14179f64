"""What the scores promise: order does not matter, explanations add up, and each dimension follows what happened."""

import statistics
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.relationships import assess
from projections.scoring.explain import explain
from projections.scoring.figures import Figures, figures
from projections.scoring.models import models
from projections.scoring.state import State, empty, fold
from schemas import catalogue as c
from schemas.touchpoint import Recorded, moment
from service.sample.generator import truths
from tests.projections.events import DAY, MODELS, NOW, POLICY, SEED, figured, folded, happened, level, sample

EUR = "EUR"
TODAY = date(2026, 6, 1)


@st.composite
def histories(draw: st.DrawFn) -> list[Recorded]:
    """Some of what happened in one relationship of the sample, arriving in any order."""
    relationship = draw(st.sampled_from(sorted(sample())))
    events = draw(st.lists(st.sampled_from(sample()[relationship]), min_size=1, max_size=60, unique_by=lambda event: event.position))
    return draw(st.permutations(events))


def same(a: Figures, b: Figures) -> None:
    """Both equal but for the last bits of a float."""
    for name in ("quality", "low", "high", "evidence", "lost", "lost_ours"):
        assert getattr(a, name) == pytest.approx(getattr(b, name), abs=1e-7)
    for one, other in zip(a.levels, b.levels, strict=True):
        assert one.level == pytest.approx(other.level, abs=1e-9)


@given(histories(), st.integers(0, 400))
def test_the_order_of_arrival_does_not_matter(events: list[Recorded], days_later: int) -> None:
    moment_us = NOW + days_later * DAY
    by_time = sorted(events, key=lambda event: event.occurred_us)
    same(figured(events, moment_us), figured(by_time, moment_us))


@given(histories())
def test_a_state_written_down_and_read_again_goes_on_as_before(events: list[Recorded]) -> None:
    state = folded(events[:-1]) if len(events) > 1 else None
    again = None if state is None else msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State)
    if again is not None:
        model = MODELS[again.kind]
        same(figures(fold(again, events[-1], model, NOW), model, NOW), figured(events))


@given(histories(), st.integers(0, 200))
def test_every_explanation_adds_up_and_every_effect_is_what_removing_the_event_changes(events: list[Recorded], days_later: int) -> None:
    moment_us = NOW + days_later * DAY
    model = MODELS[events[0].relationship.partition("/")[0]]
    told = explain(events, model, moment_us)
    whole = figured(events, moment_us)
    assert len(told.parts) == len(events)
    if told.quality is None:
        assert whole.evidence == 0
        return
    assert told.quality == pytest.approx(whole.quality, abs=1e-7)
    assert told.base + sum(part.contribution for part in told.parts) + told.others == pytest.approx(told.quality, abs=1e-7)
    for part in told.parts[:12]:
        without = [event for event in events if event is not part.event]
        quality = figured(without, moment_us).quality if without else model.base
        assert part.effect == pytest.approx(whole.quality - quality, abs=1e-7)
        assert sum(part.dimensions.values()) == pytest.approx(part.contribution, abs=1e-9)


@given(histories())
def test_what_is_left_to_others_is_only_the_silence_of_customers_who_bought(events: list[Recorded]) -> None:
    model = MODELS[events[0].relationship.partition("/")[0]]
    told = explain(events, model, NOW)
    if not any(isinstance(event.data, c.Purchase) for event in events):
        assert told.others == pytest.approx(0.0, abs=1e-9)
    else:
        assert told.others <= 1e-9


@given(histories(), st.integers(1, 80))
def test_the_trend_compares_with_what_had_happened_ninety_days_ago(events: list[Recorded], shift: int) -> None:
    now_us = NOW + shift * DAY
    events = [msgspec.structs.replace(event, recorded_us=now_us) for event in events]
    state = folded(events)
    model = MODELS[state.kind]
    then_us = (now_us // DAY - POLICY.model.trend_days) * DAY
    before = [event for event in events if event.occurred_us < then_us]
    trend = assess(state, model, now_us).trend
    if not before or figured(before, then_us).evidence == 0:
        assert trend is None
    else:
        assert trend == pytest.approx(figured(events, now_us).quality - figured(before, then_us).quality, abs=1e-6)


@given(histories(), st.integers(1, 400))
def test_followed_day_by_day_the_trend_is_that_of_all_told_at_once(events: list[Recorded], shift: int) -> None:
    now_us = NOW + shift * DAY
    at_once = folded(msgspec.structs.replace(event, recorded_us=now_us) for event in events)
    by_day = folded(
        msgspec.structs.replace(event, recorded_us=event.occurred_us) for event in sorted(events, key=lambda one: one.occurred_us)
    )
    trends = [assess(state, MODELS[state.kind], now_us).trend for state in (at_once, by_day)]
    assert trends[0] == (None if trends[1] is None else pytest.approx(trends[1], abs=1e-6))


@given(histories(), st.data())
def test_what_was_known_of_a_day_stays_the_same_to_the_last_bit_whatever_comes_after(events: list[Recorded], data: st.DataObject) -> None:
    model = MODELS[events[0].relationship.partition("/")[0]]
    events = [event for event in events if type(event.data) not in model.cases]
    day = data.draw(st.integers(NOW // DAY - 2 * POLICY.model.trend_days, NOW // DAY))
    known_us = (day + data.draw(st.integers(0, POLICY.model.trend_days))) * DAY
    state = empty("customer/acme", model)
    for event in events:
        if event.occurred_us < day * DAY:
            fold(state, event, model, known_us)
    before = list(state.sums_before(day))
    for event in events:
        if event.occurred_us >= day * DAY:
            fold(state, event, model, known_us)
            assert state.sums_before(day) == before


@given(st.integers(1, 6))
def test_settling_old_cases_changes_no_figure_and_a_settled_case_is_not_opened_again(kept: int) -> None:
    complaints = [happened(c.Complaint(f"k{n}", "them", "major"), 300 - 7 * n) for n in range(40)]
    answers = [happened(c.ComplaintResolved(f"k{n}", "resolved", satisfied=n % 2 == 0), 296 - 7 * n) for n in range(40)]
    events = sorted([*complaints, *answers, happened(c.Complaint("k0", "them", "critical"), 2)], key=lambda event: event.occurred_us)
    figures_by_kept = []
    for cases_kept in (kept, 1000):
        policy = msgspec.structs.replace(POLICY, model=msgspec.structs.replace(POLICY.model, cases_kept=cases_kept))
        model = models(policy)["customer"]
        state = empty("customer/acme", model)
        for event in events:
            fold(state, event, model, event.recorded_us)
        assert len(state.cases) == min(40, cases_kept)
        figures_by_kept.append(figures(state, model, NOW))
    same(*figures_by_kept)


# ---- each dimension follows what happened -------------------------------------------------------------------------------------


def euros(amount: float) -> c.Money:
    return c.Money(f"{amount:.2f}", EUR)


def delivered(by: str, late_days: float = 0.0, delivered: float = 10, defective: float = 0) -> c.Delivery:
    promised = moment(NOW - 30 * DAY)
    return c.Delivery("o1", by, promised, promised + timedelta(days=late_days), 10, delivered, defective)  # type: ignore[arg-type]


def answered(hours: float) -> c.RequestAnswered:
    asked = moment(NOW - 10 * DAY)
    return c.RequestAnswered("r1", "them", asked, asked + timedelta(hours=hours))


def quoted(*, answered: bool) -> c.Quote:
    asked = moment(NOW - 10 * DAY)
    return c.Quote("q1", asked, answered_at=asked if answered else None)


def informed(accuracy: Literal["confirmed", "refuted"]) -> c.Information:
    return c.Information("report", moment(NOW), accuracy=accuracy)


def negotiated(price: float, days_ago: float) -> list[Recorded]:
    issue = c.Issue("price", c.Ours(8, 12), theirs=c.Theirs(14, 10))
    opened = c.NegotiationOpened("n1", (issue,))
    closed = c.NegotiationClosed("n1", "agreed", {"price": price})
    return [happened(opened, days_ago + 5), happened(closed, days_ago)]


GOOD_AND_BAD: list[tuple[str, str, Sequence[c.Data], Sequence[c.Data]]] = [
    ("customer", "satisfaction", [c.Feedback("nps", 10)], [c.Feedback("nps", 0)]),
    ("customer", "satisfaction", [c.Feedback("ces", 7)], [c.Feedback("csat", 1)]),
    ("customer", "satisfaction", [c.Contact("phone", "inbound", 1.0, 0.9)], [c.Contact("phone", "inbound", 200.0, -0.9)]),
    ("customer", "satisfaction", [], [c.Return("o1", "defect")]),
    ("customer", "satisfaction", [], [c.Complaint("k1", "them", "major")]),
    ("customer", "trust", [delivered("us")], [delivered("us", 5)]),
    ("customer", "trust", [c.Payment("i1", "them", euros(5), TODAY, TODAY)], [c.Payment("i1", "them", euros(5), date(2026, 3, 1), TODAY)]),
    ("customer", "trust", [], [c.InvoiceDisputed("i1", "them")]),
    ("customer", "trust", [], [c.ContractBreached("c1", "us", "major")]),
    ("customer", "trust", [], [c.Incident("x1", "us", "critical")]),
    ("customer", "trust", [], [c.Complaint("k1", "us", "minor")]),
    ("customer", "commitment", [c.Purchase("o1", euros(10))], [c.Closed("them")]),
    ("customer", "commitment", [c.ContractSigned("c1", TODAY)], [c.ContractEnded("c1", "terminated", "them")]),
    ("customer", "commitment", [c.ContractRenewed("c1")], [c.ContractEnded("c1", "expired")]),
    ("customer", "commitment", [c.Referral("customer/other", converted=True)], []),
    ("partner", "delivery", [delivered("them")], [delivered("them", 3)]),
    ("partner", "delivery", [delivered("them")], [delivered("them", 0.1)]),
    ("partner", "delivery", [delivered("them")], [delivered("them", delivered=5)]),
    ("partner", "quality", [c.Inspection("l1", 1000, 0)], [c.Inspection("l1", 1000, 80)]),
    ("partner", "quality", [delivered("them")], [delivered("them", defective=4)]),
    ("partner", "quality", [informed("confirmed")], [informed("refuted")]),
    ("partner", "cost", [c.Rate("steel", "kg", euros(8), TODAY, euros(10))], [c.Rate("steel", "kg", euros(12), TODAY, euros(10))]),
    ("partner", "responsiveness", [answered(1)], [answered(200)]),
    ("partner", "responsiveness", [quoted(answered=True)], [quoted(answered=False)]),
    ("partner", "responsiveness", [], [c.Complaint("k1", "us", "major")]),
    ("partner", "trust", [c.Payment("i1", "us", euros(5), TODAY, TODAY)], [c.Payment("i1", "us", euros(5), date(2026, 3, 1), TODAY)]),
    ("partner", "exposure", [c.Qualified("steel", 0)], [c.Qualified("steel", 9)]),
    ("partner", "exposure", [c.Disrupted(TODAY)], []),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "dimension", "good", "bad"), GOOD_AND_BAD)
def test_a_dimension_rises_with_good_and_falls_with_bad(kind: str, dimension: str, good: Sequence[c.Data], bad: Sequence[c.Data]) -> None:
    neutral = happened(c.Opened("Acme"), 40, relationship=f"{kind}/acme")
    before = level([neutral], dimension)
    better = level([neutral, *(happened(data, 10, relationship=f"{kind}/acme") for data in good)], dimension)
    worse = level([neutral, *(happened(data, 10, relationship=f"{kind}/acme") for data in bad)], dimension)
    assert better > before or not good
    assert worse < before or not bad


def test_a_delivery_is_worse_the_later_and_the_shorter_it_is() -> None:
    def one(*args: float) -> float:
        return level([happened(delivered("them", *args), 10, relationship="partner/p")], "delivery")

    assert one(0) > one(0.1) > one(1) > one(6) > one(7) == one(60)
    assert one(0) > one(0, 9.9) > one(0, 5) > one(1, 5)


def test_an_unanswered_complaint_weighs_more_with_time_and_a_good_recovery_gives_most_back() -> None:
    complaint = happened(c.Complaint("k1", "them", "major"), 60)
    fresh = level([complaint], "satisfaction", NOW - 60 * DAY)
    assert level([complaint], "satisfaction", NOW - 45 * DAY) < fresh
    solved = happened(c.ComplaintResolved("k1", "resolved", satisfied=True), 57)
    grudging = happened(c.ComplaintResolved("k1", "resolved", satisfied=False), 57)
    open_, good, bad = (level([complaint, *more], "satisfaction") for more in ([], [solved], [grudging]))
    mean = POLICY.customer.satisfaction.prior_mean
    assert open_ < bad < good < mean
    assert good - open_ > 0.6 * (mean - open_)


def test_a_promise_overdue_costs_more_every_day_until_it_is_kept() -> None:
    made = happened(c.Promise("p1", "us", moment(NOW - 20 * DAY)), 30)
    levels = [level([made], "trust", NOW - days * DAY) for days in (21, 15, 5)]
    assert levels[0] > levels[1] > levels[2]
    assert level([made, happened(c.PromiseSettled("p1", "kept"), 19)], "trust") > levels[0]
    assert level([made, happened(c.PromiseSettled("p1", "waived"), 19)], "trust") == pytest.approx(levels[0])


def test_a_deal_that_serves_both_sides_is_better_balanced_than_one_that_starves_either() -> None:
    fair, for_us, for_them = (level(negotiated(price, 10), "balance") for price in (11.0, 10.1, 11.9))
    assert fair > for_us
    assert fair > for_them


def test_a_deal_says_less_when_the_other_side_is_a_guess() -> None:
    guessed = c.Issue("price", c.Ours(8, 12), theirs=c.Theirs(14, c.Span(9, 11, "press")))
    opened = happened(c.NegotiationOpened("n1", (guessed,)), 20)
    closed = happened(c.NegotiationClosed("n1", "agreed", {"price": 11.0}), 10)
    number = MODELS["customer"].names.index("balance")
    assert figured([opened, closed]).levels[number].evidence < figured(negotiated(11.0, 10)).levels[number].evidence


def test_a_rate_without_benchmark_is_held_against_the_one_before() -> None:
    first = happened(c.Rate("steel", "kg", euros(10), date(2026, 1, 1)), 100, relationship="partner/p")
    dearer = happened(c.Rate("steel", "kg", euros(12), date(2026, 4, 1)), 50, relationship="partner/p")
    cheaper = happened(c.Rate("steel", "kg", euros(9), date(2026, 4, 1)), 50, relationship="partner/p")
    base = POLICY.partner.cost.prior_mean
    assert level([first], "cost") == pytest.approx(base)
    assert level([dearer, first], "cost") < base < level([first, cheaper], "cost")


def test_persons_judgements_count_but_never_more_than_their_cap() -> None:
    judged = [happened(c.Assessment(f"a{n}", "trust", 1.0, "I like them"), 1) for n in range(20)]
    number = MODELS["customer"].names.index("trust")
    assert figured(judged).levels[number].evidence == pytest.approx(POLICY.assessment.weight_max, rel=1e-6)
    twice = [happened(c.Assessment("a", "trust", value, "changed my mind"), ago) for value, ago in ((1.0, 9), (0.0, 2))]
    assert level(twice, "trust") < POLICY.customer.trust.prior_mean


def test_volume_of_contacts_and_length_of_tenure_earn_nothing() -> None:
    opened = happened(c.Opened("Acme"), 3000)
    contacts = [happened(c.Contact("mail", "outbound"), ago) for ago in range(1, 300)]
    assert figured([opened, *contacts]).quality == pytest.approx(MODELS["customer"].base)


def test_a_type_of_the_other_kind_or_unknown_is_counted_and_is_no_evidence() -> None:
    events = [happened(c.Inspection("l1", 10, 9)), happened(None), happened(c.Incentive("i1", "us", "discount"))]
    state = folded(events)
    assert (state.events, state.unused) == (3, 3)
    assert figured(events).evidence == 0


def test_little_or_old_evidence_gives_a_wide_interval_and_never_a_perfect_score() -> None:
    praise = [happened(c.Feedback("nps", 10), ago) for ago in range(1, 200)]
    much, little = figured(praise), figured(praise[:1])
    old = figured(praise, NOW + 2000 * DAY)
    assert much.high - much.low < little.high - little.low
    assert old.high - old.low > much.high - much.low
    assert max(one.level for one in much.levels) < 1


def test_the_sample_s_stories_show_in_the_dimensions_they_are_about() -> None:
    def mean(story: str, dimension: str) -> float:
        told = [sample()[truth.relationship] for truth in truths(SEED, NOW) if truth.story == story]
        return statistics.mean(level(events, dimension) for events in told)

    assert mean("angry", "satisfaction") < mean("recovering", "satisfaction") < mean("loyal", "satisfaction")
    assert mean("we_let_them_down", "trust") < mean("steady", "trust")
    assert mean("drifting", "commitment") < mean("steady", "commitment") < mean("loyal", "commitment")
    assert mean("unfair_deal", "balance") < mean("loyal", "balance")
    assert mean("unreliable", "delivery") < mean("improving", "delivery") < mean("reliable", "delivery")
    assert mean("defective", "quality") < mean("reliable", "quality")
    assert mean("expensive", "cost") < mean("reliable", "cost")
    assert mean("slow", "responsiveness") < mean("reliable", "responsiveness")
    assert mean("disrupted", "exposure") > mean("reliable", "exposure")
