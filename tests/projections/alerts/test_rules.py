"""Each kind of alert: what raises it, what it says, what ends it; and what raises nothing."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from projections.alerts.alert import AlertKind
from projections.scoring.policy_file import replaced
from schemas import catalogue as c
from schemas.catalogue import Data
from schemas.touchpoint import Recorded
from tests.projections.alerts.folds import PARTNER, VIEW, day, folded, live, opened_us, row, told
from tests.projections.events import POLICY

EUR = "EUR"


def complaint(days_ago: float, *, id_: str = "C-1", severity: c.Severity = "moderate", by: c.By = "them") -> Recorded:
    return live(c.Complaint(id_, by, severity, "delivery"), days_ago)


def settled(days_ago: float, id_: str = "C-1") -> Recorded:
    return live(c.ComplaintResolved(id_, "resolved"), days_ago)


def delivered(days_ago: float, late_days: float, *, by: c.By = "them", relationship: str = PARTNER) -> Recorded:
    data = c.Delivery(f"O-{days_ago}", by, day(days_ago + late_days), day(days_ago))
    return live(data, days_ago, relationship=relationship)


def bought(days_ago: float, amount: float = 100.0) -> Recorded:
    return live(c.Purchase(f"O-{days_ago}", c.Money(f"{amount:.2f}", EUR)), days_ago)


def rate(days_ago: float, rate: float, benchmark: float = 10.0) -> Recorded:
    data = c.Rate("bolt", "piece", c.Money(f"{rate:.2f}", EUR), day(days_ago).date(), c.Money(f"{benchmark:.2f}", EUR))
    return live(data, days_ago, relationship=PARTNER)


def test_a_complaint_is_overdue_at_the_close_of_the_day_its_severity_allows_and_no_earlier() -> None:
    events = [complaint(20.0)]
    allowed = POLICY.alerts.complaint_days["moderate"]
    assert told(events, 20.0 - allowed) == []
    (one,) = told(events, 20.0 - allowed - 1.0)
    assert (one.kind, one.severity, one.state, one.evidence) == ("complaint_overdue", "medium", "open", (events[0].position,))
    assert one.opened_at.endswith("T00:00:00Z")
    assert "C-1" in one.text
    assert one.next_step == POLICY.plays.complaint_overdue


def test_a_complaint_settled_in_time_raises_nothing_and_one_settled_late_closes_its_alert() -> None:
    assert told([complaint(20.0), settled(18.0)]) == []
    (one,) = told([complaint(20.0), settled(2.0)])
    assert (one.state, one.closed) == ("closed", "resolved")


def test_several_overdue_complaints_are_one_alert_that_ends_with_the_last() -> None:
    events = [complaint(40.0), complaint(39.0, id_="C-2", severity="critical"), settled(20.0)]
    (one,) = told(events)
    assert (one.state, one.severity, len(one.evidence)) == ("open", "high", 2)
    assert one.text == f"their critical complaint C-2 about delivery has been open since {day(39.0):%Y-%m-%d}"
    (one,) = told([*events, settled(10.0, "C-2")])
    assert one.state == "closed"


def test_an_alert_tells_the_gravest_part_that_stands_and_how_many_there_are_beside() -> None:
    minor, critical = complaint(60.0, id_="C-1", severity="minor"), complaint(39.0, id_="C-2", severity="critical")
    events = [minor, complaint(50.0, id_="C-3"), critical]
    (one,) = told(events)
    assert one.text == f"their critical complaint C-2 about delivery has been open since {day(39.0):%Y-%m-%d}, and 2 more"
    (one,) = told([*events, settled(10.0, "C-2")])
    assert one.text == f"their moderate complaint C-3 about delivery has been open since {day(50.0):%Y-%m-%d}, and 1 more"


def test_two_failures_in_a_row_are_an_alert_one_is_chance_and_successes_end_it() -> None:
    good = [delivered(200.0 - number, 0.0) for number in range(5)]
    assert told([*good, delivered(100.0, 3.0)]) == []
    events = [*good, delivered(100.0, 3.0), delivered(90.0, 3.0)]
    (one,) = told(events, 89.0)
    assert (one.kind, one.state, one.evidence) == ("late_again", "open", tuple(event.position for event in events[-2:]))
    (one,) = told([*events, *(delivered(80.0 - number, 0.0) for number in range(8))], 70.0)
    assert (one.state, one.closed) == ("closed", "better again")


def test_what_is_a_little_late_fails_in_part_and_what_is_short_fails_too() -> None:
    assert told([delivered(50.0 - number, 0.5) for number in range(2)]) == []
    assert [one.kind for one in told([delivered(50.0 - number, 1.0) for number in range(3)])] == ["late_again"]
    short = [
        live(c.Delivery(f"O-{at}", "them", day(at), day(at), 100.0, shipped), at, relationship=PARTNER)
        for at, shipped in ((50.0, 10.0), (40.0, 20.0))
    ]
    (one,) = told(short)
    assert (one.kind, "late or short" in one.text) == ("late_again", True)
    paid = [c.Payment("I", "them", c.Money("1", EUR), day(at + 3).date(), day(at).date()) for at in (40.0, 30.0, 20.0)]
    assert told([live(data, 40.0 - 10.0 * number) for number, data in enumerate(paid)]) == []  # three days late are hardly a failure


@pytest.mark.parametrize(
    ("relationship", "data", "kind"),
    [
        ("customer/acme", lambda at: c.Payment("I", "them", c.Money("1", EUR), day(at + 30).date(), day(at).date()), "pays_late_again"),
        ("customer/acme", lambda at: c.Delivery("O", "us", day(at + 3), day(at)), "we_fail_again"),
        ("customer/acme", lambda at: c.RequestAnswered("R", "us", day(at + 9), day(at)), "we_fail_again"),
        (PARTNER, lambda at: c.Payment("I", "us", c.Money("1", EUR), day(at + 30).date(), day(at).date()), "we_fail_again"),
        (PARTNER, lambda at: c.RequestAnswered("R", "them", day(at + 9), day(at)), "slow_again"),
        (PARTNER, lambda at: c.Quote("Q", day(at + 9)), "slow_again"),
        (PARTNER, lambda at: c.Information("report", day(at), accuracy="refuted"), "wrong_again"),
        (PARTNER, lambda at: c.Inspection(f"L-{at}", 100, 20), "wrong_again"),
    ],
)
def test_whatever_fails_again_has_its_alert(relationship: str, data: Callable[[float], Data], kind: AlertKind) -> None:
    events = [live(data(at), at, relationship=relationship) for at in (10.0, 5.0)]
    assert kind in [one.kind for one in told(events)]


def test_silence_is_told_by_the_customers_own_rhythm() -> None:
    weekly = [bought(400.0 - 7.0 * number) for number in range(20)]  # the last 267 days ago
    assert told(weekly, 250.0) == []
    (one,) = told(weekly, 200.0)
    assert (one.kind, one.evidence) == ("silence", (weekly[-1].position,))
    monthly = [bought(700.0 - 30.0 * number) for number in range(15)]  # the last 280 days ago
    assert told(monthly, 213.0) == []
    (one,) = told([*weekly, bought(190.0)], 190.0)
    assert (one.state, one.closed) == ("closed", "they buy again")


def test_who_buys_more_rarely_and_less_is_drifting_away_before_falling_silent() -> None:
    usual = [bought(500.0 - 10.0 * number) for number in range(20)]  # the last 310 days ago
    fading = [bought(285.0, 40.0), bought(260.0, 30.0), bought(235.0, 30.0)]
    assert told([*usual, *fading], 234.0, kind="silence")
    assert told([*usual, bought(285.0), bought(260.0), bought(235.0)], 234.0) == []


def test_a_worse_mood_brings_the_day_of_silence_forward_and_alone_is_none() -> None:
    weekly = [bought(400.0 - 7.0 * number) for number in range(20)]  # the last 267 days ago
    usual = [live(c.Contact("phone", "inbound", sentiment=0.6), 395.0 - 20.0 * number) for number in range(5)]
    worse = [live(c.Contact("phone", "inbound", sentiment=-0.6), 266.0 - number) for number in range(2)]
    (alone,) = told([*weekly, *usual], kind="silence")
    (sadder,) = told([*weekly, *usual, *worse], kind="silence")
    assert opened_us(sadder) < opened_us(alone)
    assert told([*weekly, *usual, *worse], 263.0) == []


def test_a_mood_that_stays_bad_is_told_before_a_rhythm_is() -> None:
    few = [bought(200.0), bought(150.0)]
    words = [live(c.Contact("phone", "inbound", None, -0.8), days) for days in (120.0, 100.0, 80.0)]
    assert told([*few, *words[:2]], 99.0) == []
    found = [one for one in told([*few, *words], 79.0) if one.kind == "silence"]
    assert [(one.state, f"since {day(120.0):%Y-%m-%d}" in one.text) for one in found] == [("open", True)]
    assert told([*few, *words, bought(70.0)], 70.0, kind="silence")[0].closed == "they buy again"
    assert told(words, kind="silence") == []  # who never bought does not buy less


def test_a_purchase_ends_a_silence_that_was_watched_for_before_a_rhythm_is_known() -> None:
    few = [bought(1010.0), bought(1005.0), bought(1000.0)]
    words = [live(c.Contact("phone", "inbound", None, mood), days) for mood, days in ((-0.5, 999.0), (1.0, 998.0), (1.0, 997.0))]
    assert told([*few, *words], kind="silence")
    assert told([*few, *words, bought(990.0)], kind="silence") == []


def test_a_silence_that_hardly_anything_is_known_of_is_watched_for_within_what_a_ledger_holds() -> None:
    policy = replaced(POLICY, {"alerts.silence_limit": 2000.0, "purchases.shape": 0.001})
    few = [bought(200.0), bought(170.0), bought(150.0), live(c.Contact("phone", "inbound", None, -0.8), 140.0)]
    assert msgspec.msgpack.encode(folded(few, policy))
    assert row(few, policy=policy).open == 0


def test_few_purchases_tell_no_rhythm() -> None:
    assert told([bought(500.0), bought(480.0), bought(460.0)]) == []


def test_a_rate_above_its_benchmark_stands_until_it_is_at_the_market_again() -> None:
    assert told([rate(50.0, 10.5)]) == []
    events = [rate(300.0, 12.0)]
    (one,) = told(events)
    assert (one.kind, one.state, "20%" in one.text) == ("rate_above_benchmark", "open", True)
    (one,) = told([*events, rate(10.0, 10.0)])
    assert one.state == "closed"


def signed(days_ago: float, ends_in: float, *, renewal: str | None = None) -> Recorded:
    data = c.ContractSigned("K-1", day(days_ago).date(), day(-ends_in).date(), renewal=renewal, notice_days=60)  # type: ignore[arg-type]
    return live(data, days_ago)


def talks(days_ago: float) -> Recorded:
    return live(c.NegotiationOpened("N-1", (c.Issue("price", c.Ours(100.0, 90.0)),)), days_ago)


def test_a_contract_that_ends_without_talks_is_told_before_its_notice_runs_out() -> None:
    events = [signed(300.0, 40.0)]
    assert told(events, 60.0) == []
    (one,) = told(events, 40.0)
    assert (one.kind, one.state) == ("contract_ending", "open")
    assert told([*events, talks(100.0)]) == []
    assert told([signed(300.0, 40.0, renewal="auto")]) == []
    renewed = live(c.ContractRenewed("K-1", day(-400.0).date()), 20.0)
    (one,) = told([*events, renewed])
    assert (one.state, one.closed) == ("closed", "renewed")


ISSUE = c.Issue("price", c.Ours(100.0, 90.0), theirs=c.Theirs(90.0, 100.0))


@pytest.mark.parametrize(("price", "severity"), [(99.5, "high"), (95.0, None), (90.5, "high")])
def test_a_deal_that_leaves_either_side_hardly_anything_is_unequal(price: float, severity: str | None) -> None:
    opened = live(c.NegotiationOpened("N-1", (ISSUE,)), 30.0)
    closed = live(c.NegotiationClosed("N-1", "agreed", {"price": price}), 20.0)
    assert [one.severity for one in told([opened, closed], kind="unequal_deal")] == ([severity] if severity else [])


def test_an_offer_beyond_a_walk_away_is_told_and_is_over_when_the_deal_is_fair() -> None:
    opened = live(c.NegotiationOpened("N-1", (ISSUE,)), 30.0)
    hard = live(c.NegotiationOffer("N-1", "us", {"price": 99.0}), 29.0)
    beyond = live(c.NegotiationOffer("N-1", "us", {"price": 104.0}), 28.0)
    assert told([opened, hard]) == []
    (one,) = told([opened, hard, beyond])
    assert (one.severity, "them" in one.text) == ("medium", True)
    (one,) = told([opened, hard, beyond, live(c.NegotiationClosed("N-1", "agreed", {"price": 95.0}), 20.0)])
    assert one.state == "closed"


def test_broken_promises_are_one_alert_a_side_and_ours_weigh_more() -> None:
    events = []
    for number, by in enumerate(("us", "us", "them")):
        events += [
            live(c.Promise(f"P-{number}", by, day(29.0 - number)), 30.0 - number),  # type: ignore[arg-type]
            live(c.PromiseSettled(f"P-{number}", "broken"), 28.0 - number),
        ]
    found = {one.cause: one for one in told(events, kind="promise_broken")}
    assert {cause: (one.severity, len(one.evidence)) for cause, one in found.items()} == {
        "broken:us": ("high", 2),
        "broken:them": ("medium", 1),
    }


def test_a_promise_nobody_speaks_of_again_is_told_some_days_after_it_was_due() -> None:
    events = [live(c.Promise("P-1", "us", day(20.0)), 30.0)]
    assert told(events, 14.0) == []
    (one,) = told(events)
    assert (one.kind, one.state) == ("promise_broken", "open")
    (one,) = told([*events, live(c.PromiseSettled("P-1", "kept"), 1.0)])
    assert one.state == "closed"


def test_a_sole_source_is_at_risk_when_it_is_disrupted_or_late_again_and_another_source_ends_it() -> None:
    sole = live(c.Qualified("steel", 0), 300.0, relationship=PARTNER)
    stopped = live(c.Disrupted(day(30.0).date(), "bolt"), 30.0, relationship=PARTNER)
    assert told([stopped]) == []
    (one,) = told([sole, stopped])
    assert (one.kind, one.severity, "steel" in one.text) == ("sole_source_at_risk", "high", True)
    kinds = {one.kind for one in told([sole, delivered(30.0, 3.0), delivered(20.0, 3.0)])}
    assert kinds == {"late_again", "sole_source_at_risk"}
    (one,) = told([sole, stopped, live(c.Qualified("steel", 2), 10.0, relationship=PARTNER)])
    assert one.state == "closed"


def test_quality_has_turned_when_more_speaks_against_it_than_before_and_the_alert_names_the_day() -> None:
    good = [live(c.Feedback("nps", 9.0), 300.0 - 10.0 * number) for number in range(12)]
    bad = [live(c.Feedback("nps", 2.0), 100.0 - 10.0 * number) for number in range(6)]
    assert told(good) == []
    (one,) = told([*good, *bad], 50.0)
    assert (one.kind, one.severity) == ("quality_turned", "high")
    assert str(day(100.0).date()) in one.text
    assert set(one.evidence) <= {event.position for event in bad}
    again = [live(c.Feedback("nps", 9.0), 45.0 - number) for number in range(25)]
    (one,) = told([*good, *bad, *again], 10.0)
    assert (one.state, one.closed) == ("closed", "as good as before")


def test_one_bad_word_turns_nothing() -> None:
    good = [live(c.Feedback("nps", 9.0), 300.0 - 10.0 * number) for number in range(12)]
    assert told([*good, live(c.Feedback("nps", 0.0), 50.0)]) == []


def test_a_word_on_what_nobody_reported_is_a_notice_after_a_while_unless_the_report_comes() -> None:
    assert [one.kind for one in told([settled(20.0)])] == ["data_quality"]
    assert told([settled(20.0)], 19.0) == []
    assert told([settled(20.0), complaint(22.0)]) == []


def test_a_type_this_version_does_not_know_is_a_notice() -> None:
    (one,) = told([live(None, 3.0)])
    assert (one.kind, one.severity, "unheard-of" in one.text) == ("data_quality", "low", True)


def test_what_nothing_confirms_lapses_and_a_state_that_lasts_does_not() -> None:
    events = [delivered(300.0, 3.0), delivered(290.0, 3.0)]
    assert told(events, 280.0)[0].state == "open"
    (one,) = told(events)
    assert (one.state, one.closed_at is not None) == ("lapsed", True)
    assert told([rate(300.0, 12.0)])[0].state == "open"


def test_a_noted_exit_is_a_candidate_until_it_is_withdrawn() -> None:
    proposed = live(c.ExitProposed(True, 30.0, ("the whole interval is poor",)), 10.0)  # noqa: FBT003  # the event's first field
    (one,) = told([proposed])
    assert (one.kind, one.severity, one.text) == ("exit_candidate", "high", "the whole interval is poor")
    (one,) = told([proposed, live(c.ExitProposed(False), 5.0)])  # noqa: FBT003
    assert one.state == "closed"


def test_reputation_has_dropped_when_it_stands_well_below_its_best_of_late() -> None:
    def noted(days_ago: float, level: float) -> Recorded:
        data = c.ReputationNoted(day(days_ago).date() - timedelta(days=1), level, level - 3.0, level + 3.0)
        return live(data, days_ago, relationship="ledger")

    steady = [noted(30.0 - number, 80.0 - 0.1 * number) for number in range(20)]
    assert told(steady) == []
    (one,) = told([*steady, noted(9.0, 74.0)])
    assert (one.kind, one.relationship, one.state) == ("reputation_dropped", "ledger", "open")
    assert told([*steady, noted(9.0, 74.0), noted(8.0, 78.5)])[0].state == "closed"
    handled = [
        live(c.AlertAcknowledged(one.id), 8.0, relationship="ledger", actor="a.keller"),
        live(c.AlertDelivered(one.id, "topic"), 8.0, relationship="ledger"),
    ]
    (same,) = told([*steady, noted(9.0, 74.0), *handled])
    assert (same.state, same.acknowledged_by, same.delivered) == ("acknowledged", "a.keller", ("topic",))
    assert VIEW.row_key(live(None, 8.0, relationship="ledger")) is None  # what a newer version writes about the ledger


def test_the_row_counts_what_stands_and_names_the_gravest() -> None:
    found = row([complaint(40.0, severity="minor"), rate(30.0, 12.0)])
    assert (found.open, found.worst) == (2, "medium")
