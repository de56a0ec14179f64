"""The sample is the same for the same seed, uses the whole catalogue, and each story shows in the figures that define it."""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from schemas.catalogue import CATALOGUE, RESERVED_PREFIX
from schemas.cloudevents import decode_json
from schemas.touchpoint import Touchpoint, microseconds
from service import sample

SEED = 7
END_US = microseconds(datetime.fromisoformat("2026-11-24T09:30:00Z"))
DAY_US = 86_400_000_000
MINUTE_US = 60_000_000

Happening = tuple[str, dict[str, Any], int]  # short type, data, occurred_us
Told = dict[str, list[Happening]]  # by kind and story


@pytest.fixture(scope="module")
def touchpoints() -> list[Touchpoint]:
    return list(sample.generate(SEED, END_US))


@pytest.fixture(scope="module")
def told(touchpoints: list[Touchpoint]) -> Told:
    """By story: (short type, data, occurred_us) of everything that happened since it turned."""
    truths = {truth.relationship: truth for truth in sample.truths(SEED, END_US)}
    stories = defaultdict(list)
    for one in touchpoints:
        truth = truths[one.subject]
        event = msgspec.json.decode(one.event)
        at_us = occurred_us(one)
        if at_us >= (truth.turned_us or 0):
            stories[f"{one.subject.split('/')[0]} {truth.story}"].append((one.type.split(".")[1], event["data"], at_us))
    return stories


def occurred_us(one: Touchpoint) -> int:
    return microseconds(datetime.fromisoformat(msgspec.json.decode(one.event)["time"]))


def test_the_same_seed_and_end_give_the_same_touchpoints(touchpoints: list[Touchpoint]) -> None:
    assert list(sample.generate(SEED, END_US)) == touchpoints


def test_another_seed_gives_other_relationships() -> None:
    ours, others = ({truth.relationship for truth in sample.truths(seed, END_US)} for seed in (SEED, SEED + 1))
    assert len(ours & others) < len(ours) / 2


def test_another_end_moves_the_moments_and_keeps_the_people() -> None:
    now, later = sample.truths(SEED, END_US), sample.truths(SEED, END_US + 3 * DAY_US)
    assert [(one.relationship, one.story) for one in now] == [(one.relationship, one.story) for one in later]


def test_there_are_two_hundred_customers_and_a_hundred_partners_with_two_years_of_touchpoints(touchpoints: list[Touchpoint]) -> None:
    kinds = Counter(truth.relationship.split("/")[0] for truth in sample.truths(SEED, END_US))
    assert kinds == {"customer": 200, "partner": 100}
    assert {one.subject for one in touchpoints} == {truth.relationship for truth in sample.truths(SEED, END_US)}
    assert 15_000 < len(touchpoints) < 30_000
    assert occurred_us(touchpoints[0]) == END_US - sample.SPAN_DAYS * DAY_US
    assert END_US - 2 * DAY_US < occurred_us(touchpoints[-1]) <= END_US


def test_touchpoints_come_in_order_of_time_each_with_its_own_identity(touchpoints: list[Touchpoint]) -> None:
    moments = [occurred_us(one) for one in touchpoints]
    assert moments == sorted(moments)
    assert len({(one.source, one.id) for one in touchpoints}) == len(touchpoints)


def test_intake_accepts_every_touchpoint_as_it_is(touchpoints: list[Touchpoint]) -> None:
    assert [decode_json(one.event, now_us=END_US) for one in touchpoints] == touchpoints


def test_every_type_of_the_catalogue_is_used(touchpoints: list[Touchpoint]) -> None:
    assert {one.type for one in touchpoints} == {type_ for type_ in CATALOGUE if not type_.startswith(RESERVED_PREFIX)}


def test_the_first_touchpoint_can_be_looked_up(touchpoints: list[Touchpoint]) -> None:
    assert sample.first(SEED) == (touchpoints[0].source, touchpoints[0].id)


def test_what_is_settled_was_opened_before(touchpoints: list[Touchpoint]) -> None:
    opened: dict[str, set[str]] = defaultdict(set)
    for one in touchpoints:
        data = msgspec.json.decode(one.event)["data"]
        match one.type.split(".")[1]:
            case "complaint" | "promise" | "negotiation-opened" | "contract-signed" | "purchase" | "order-placed" as type_:
                opened[type_].add(data.get(f"{type_.split('-')[0]}_id", data.get("order_id")))
            case "complaint-resolved":
                assert data["complaint_id"] in opened["complaint"]
            case "promise-settled":
                assert data["promise_id"] in opened["promise"]
            case "negotiation-offer" | "negotiation-closed":
                assert data["negotiation_id"] in opened["negotiation-opened"]
            case "contract-renewed" | "contract-ended" | "contract-breached":
                assert data["contract_id"] in opened["contract-signed"]
            case "delivery" | "return":
                assert data["order_id"] in opened["purchase"] | opened["order-placed"]


def share(told: Iterable[Happening], type_: str, holds: Callable[[dict[str, Any]], bool]) -> float:
    """Of the touchpoints of a type, the share for which something holds."""
    found = [holds(data) for name, data, _ in told if name == type_]
    assert len(found) > 10
    return sum(found) / len(found)


def late(data: dict[str, Any]) -> bool:
    return datetime.fromisoformat(data["delivered_at"]) > datetime.fromisoformat(data["promised_at"])


def paid_late(data: dict[str, Any]) -> bool:
    return date.fromisoformat(data["paid_on"]) > date.fromisoformat(data["due_on"])


def answered_slowly(data: dict[str, Any]) -> bool:
    return datetime.fromisoformat(data["answered_at"]) - datetime.fromisoformat(data["asked_at"]) > timedelta(days=1)


def above_benchmark(data: dict[str, Any]) -> bool:
    return float(data["rate"]["amount"]) > 1.1 * float(data["benchmark"]["amount"])


@pytest.mark.parametrize(
    ("story", "type_", "holds", "at_least"),
    [
        ("customer we_let_them_down", "delivery", late, 0.5),
        ("customer late_payer", "payment", paid_late, 0.6),
        ("partner unreliable", "delivery", late, 0.4),
        ("partner disrupted", "qualified", lambda data: data["alternatives"] == 0, 1.0),
        ("partner slow", "request-answered", answered_slowly, 0.7),
        ("partner expensive", "rate", above_benchmark, 1.0),
        ("partner defective", "inspection", lambda data: data["defective"] > 0.05 * data["inspected"], 0.8),
        ("partner inaccurate", "information", lambda data: data["accuracy"] == "refuted", 0.35),
    ],
)
def test_a_story_shows_in_the_figure_that_defines_it(
    told: Told, story: str, type_: str, holds: Callable[[dict[str, Any]], bool], at_least: float
) -> None:
    good = {"customer": "customer loyal", "partner": "partner accurate" if type_ == "information" else "partner reliable"}[
        story.split(maxsplit=1)[0]
    ]
    assert share(told[story], type_, holds) >= at_least
    assert share(told[good], type_, holds) < at_least / 2


def test_angry_customers_complain_and_stay_unheard_while_recovering_ones_are_heard(
    told: Told,
) -> None:
    counts = {story: Counter(name for name, _, _ in events) for story, events in told.items()}
    angry, loyal = counts["customer angry"], counts["customer loyal"]
    assert angry["complaint"] / angry["purchase"] > 5 * loyal["complaint"] / loyal["purchase"]
    assert angry["complaint-resolved"] < 0.4 * angry["complaint"]
    recovering = counts["customer recovering"]
    assert recovering["complaint-resolved"] > 2 * recovering["complaint"]  # those of the bad time too


def test_drifting_customers_fall_silent(told: Told) -> None:
    last_us = max(at_us for name, _, at_us in told["customer drifting"] if name == "purchase")
    assert last_us < END_US - 30 * DAY_US


def test_an_unfair_deal_leaves_the_other_side_hardly_above_its_walk_away(
    told: Told,
) -> None:
    def their_gain(events: list[Happening]) -> list[float]:
        issues = {data["negotiation_id"]: data["issues"] for name, data, _ in events if name == "negotiation-opened"}
        gains = []
        for name, data, _ in events:
            if name == "negotiation-closed" and data["outcome"] == "agreed":
                sides = [(issue["theirs"], data["terms"][issue["issue"]]) for issue in issues[data["negotiation_id"]]]
                gains.append(min((term - side["reservation"]) / (side["target"] - side["reservation"]) for side, term in sides))
        return gains

    assert all(0 <= gain < 0.15 for kind in ("customer", "partner") for gain in their_gain(told[f"{kind} unfair_deal"]))
    assert all(gain > 0.35 for gain in their_gain(told["partner reliable"]))


def test_the_trickle_goes_on_in_order_with_a_few_touchpoints_a_second_at_most() -> None:
    hour = list(itertools.takewhile(lambda one: occurred_us(one) <= END_US + 60 * MINUTE_US, sample.trickle(SEED, END_US)))
    moments = [occurred_us(one) for one in hour]
    assert moments == sorted(moments)
    assert moments[0] > END_US
    assert 600 < len(hour) < 3600
    assert max(Counter(moments).values()) <= 2
    assert len({(one.source, one.id) for one in hour}) == len(hour)
    assert all(decode_json(one.event, now_us=occurred_us(one)) == one for one in hour)
    assert {one.subject for one in hour} <= {truth.relationship for truth in sample.truths(SEED, END_US)}


def test_a_trickle_started_again_goes_on_as_if_it_had_never_stopped() -> None:
    until_us = END_US + 20 * MINUTE_US
    whole = list(itertools.takewhile(lambda one: occurred_us(one) <= until_us, sample.trickle(SEED, END_US)))
    again_us = END_US + 7 * MINUTE_US + 300_000
    again = list(itertools.takewhile(lambda one: occurred_us(one) <= until_us, sample.trickle(SEED, again_us)))
    assert again == [one for one in whole if occurred_us(one) > again_us]


def test_purchases_keep_to_the_customers_own_rhythm(touchpoints: list[Touchpoint]) -> None:
    stories = {truth.relationship: truth.story for truth in sample.truths(SEED, END_US)}
    gaps: dict[str, list[float]] = defaultdict(list)
    last: dict[str, int] = {}
    for one in touchpoints:
        if one.type == "relationship.purchase.v1":
            at_us = occurred_us(one)
            if one.subject in last:
                gaps[stories[one.subject]].append(math.log1p((at_us - last[one.subject]) / DAY_US))
            last[one.subject] = at_us
    mean = {story: sum(found) / len(found) for story, found in gaps.items()}
    assert mean["loyal"] < mean["steady"]
    assert "one_time" not in mean
