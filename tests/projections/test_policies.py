"""The policy: read whole or refused by name, written anew with its comments, adopted as an event that every answer follows."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.moments import Moments
from projections.policies import Policies, adoption_id
from projections.queries import Reader
from projections.rebuild import stale
from projections.registry import projections
from projections.runner import Runner
from projections.scoring.policy_file import PolicyError, numbers, read, replaced, shipped, shipped_text, written
from projections.views import PolicySupersededError
from schemas.catalogue import Feedback, PolicyAdopted
from schemas.cloudevents import touchpoint
from schemas.touchpoint import LEDGER_SOURCE, LEDGER_SUBJECT
from tests.projections.events import DAY, NOW, POLICY
from tests.projections.houses import House

HARSH = written(
    replaced(shipped(), {"version": "harsh", "customer.satisfaction.prior_mean": 0.1, "customer.satisfaction.half_life_days": 30}),
    shipped_text(),
)
FLOATS = [
    name
    for name, value in numbers(POLICY).items()
    if type(value) is float and not name.endswith(".weight") and not name.startswith(("standing", "deal", "turn", "alerts"))
]


@pytest.mark.parametrize(
    ("line", "broken", "named"),
    [
        ("kept_weight = 1.0", "kept_weight = -1.0", "promise.kept_weight: expected"),
        ("kept_weight = 1.0", "kept_wieght = 1.0", "promise.kept_wieght is no number"),
        ("trend_days = 90", "trend_days = 0.5", "model.trend_days: expected `int`"),
        ("[customer.trust]\nweight = 0.25", "[customer.trust]\nweight = 0.35", "customer dimensions add up to 1.1"),
        ("exit = 38.0", "exit = 51.0", "standing.customer: exit 51"),
        ('version = "2026.1"', "version = ", "line 3"),
        ('version = "2026.1"', "", "no version"),
    ],
)
def test_a_wrong_policy_is_refused_by_the_name_of_what_is_wrong(line: str, broken: str, named: str) -> None:
    assert line in shipped_text()
    with pytest.raises(PolicyError, match=r"policy mine\.toml: ") as error:
        read(shipped_text().replace(line, broken, 1), where="mine.toml")
    assert named in str(error.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = shipped_text().replace("kept_weight = 1.0", "kept_weight = -1.0").replace("growth_days = 30", "growth_days = 0\nother = 1")
    with pytest.raises(PolicyError) as error:
        read(text, where="mine.toml")
    assert [problem.partition(" ")[0].rstrip(":") for problem in error.value.problems] == [
        "complaint.other", "complaint.growth_days", "promise.kept_weight"
    ]  # fmt: skip


def test_a_file_of_an_older_version_takes_what_it_lacks_from_the_shipped_one_and_says_so() -> None:
    text = shipped_text().replace("rush_hours = 8", "# rush_hours = 8").partition("[standing.customer]")[0]
    found = read(text, where="old.toml")
    assert found.missing == ("leaks.rush_hours", "standing")
    assert found.policy == shipped()


def test_only_what_was_adopted_may_hold_what_this_program_does_not_know() -> None:
    text = shipped_text() + "[weather]\nrain = 1\n"
    with pytest.raises(PolicyError, match="weather is no number of a policy"):
        read(text, where="new.toml")
    assert read(text, where="new.toml", tolerant=True) == (found := read(text, where="new.toml", tolerant=True))
    assert (found.policy, found.unknown) == (shipped(), ("weather",))


@given(st.dictionaries(st.sampled_from(FLOATS), st.floats(0.01, 0.99), max_size=8))
def test_a_policy_is_written_so_that_it_reads_the_same_with_every_comment_in_place(changes: dict[str, float]) -> None:
    policy = replaced(POLICY, changes)
    text = written(policy, shipped_text(), dict.fromkeys(changes, "calibrated on nothing"))
    assert read(text, where="").policy == policy
    assert text.count("#") >= shipped_text().count("#")
    assert text.count("calibrated on nothing") == len(changes)
    assert len(text.splitlines()) == len(shipped_text().splitlines())


def test_what_is_written_anew_without_a_change_is_the_same_text_and_a_note_takes_the_place_of_the_last() -> None:
    assert written(POLICY, shipped_text()) == shipped_text()
    once = written(POLICY, shipped_text(), {"customer.trust.prior_mean": "calibrated on Monday", "purchases.shape": "calibrated on Monday"})
    twice = written(POLICY, once, {"customer.trust.prior_mean": "calibrated on Tuesday", "purchases.shape": "calibrated on Tuesday"})
    assert "prior_mean = 0.75           # calibrated on Tuesday" in twice
    assert "Monday" not in twice


def test_text_that_cannot_be_edited_a_line_a_number_gives_way_to_the_shipped_text() -> None:
    inline = 'version = "mine"\npromise = {kept_weight = 2.0}\n'
    policy = read(inline, where="").policy
    assert read(written(policy, inline), where="").policy == policy


def test_the_digest_names_the_numbers_and_nothing_else() -> None:
    assert msgspec.structs.replace(POLICY, version="other").digest == POLICY.digest
    assert replaced(POLICY, {"dispute.weight": 0.71}).digest != POLICY.digest


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.now_us = NOW - 10 * DAY
    house.append([touchpoint("shop", "f1", "relationship.feedback.v1", "customer/acme", house.now_us, Feedback("nps", 7))])
    yield house
    house.close()


def adopt(house: House, text: str = HARSH) -> None:
    """Adopt a policy at the house's moment."""
    policies = Policies(house.ledger)
    data = PolicyAdopted(read(text, where="").policy.version, text)
    id_ = adoption_id(len(policies.adopted) + 1)
    house.ledger.append([touchpoint(LEDGER_SOURCE, id_, "ledger.policy-adopted.v1", LEDGER_SUBJECT, house.now_us, data, actor="ada")])


def restarted(house: House) -> Reader:
    """The views and answers of a house that was opened again."""
    house.runner.close()
    policy = Policies(house.ledger).in_force
    house.runner = Runner(house.ledger, house.views, projections(policy), clock=lambda: house.now_us)
    house.runner.catch_up()
    return Reader(house.ledger, house.views, policy)


def test_the_last_policy_adopted_is_in_force_and_the_shipped_one_before(house: House) -> None:
    policies = Policies(house.ledger)
    assert (policies.newest, policies.in_force) == (None, shipped())
    adopt(house)
    adopt(house, shipped_text())
    policies.refresh()
    assert [one.data.version for one in policies.adopted] == ["harsh", "2026.1"]
    assert [one.event.actor for one in policies.adopted] == ["ada", "ada"]
    assert policies.in_force == shipped()
    assert [one.version for one in policies.earlier()] == ["harsh", "2026.1"]


def test_views_of_another_policy_are_stale_and_made_anew_but_for_those_that_follow_none(house: House) -> None:
    before = house.reader.show("customer/acme", Moments(NOW)).quality
    adopt(house)
    follow = {one.name for one in projections(POLICY) if one.policy}
    assert follow >= {"relationships", "reputation", "supply"}
    assert follow.isdisjoint({"complaints", "contracts", "negotiations", "rates"})
    assert set(stale(house.views, projections(Policies(house.ledger).in_force))) == follow
    with pytest.raises(PolicySupersededError):
        Reader(house.ledger, house.views, Policies(house.ledger).in_force).show("customer/acme", Moments(NOW))
    after = restarted(house).show("customer/acme", Moments(NOW)).quality
    assert before is not None
    assert after is not None
    assert after < before - 10
    with pytest.raises(PolicySupersededError):
        house.reader.show("customer/acme", Moments(NOW))


def test_a_keeper_of_an_older_policy_stops_where_the_views_follow_a_newer_one(house: House) -> None:
    adopt(house)
    policy = Policies(house.ledger).in_force
    newer = Runner(house.ledger, house.views, projections(policy), clock=lambda: house.now_us)
    newer.prepare()
    newer.close()
    with pytest.raises(PolicySupersededError):
        house.runner.run_once()


def test_the_past_is_told_under_the_policy_of_its_day(house: House) -> None:
    day = house.now_us
    house.now_us += DAY
    adopt(house)
    reader = restarted(house)
    for asked, version in (
        (Moments(NOW), "harsh"),
        (Moments(NOW, as_of_us=house.now_us), "harsh"),
        (Moments(NOW, as_of_us=day), "2026.1"),
        (Moments(NOW, known_us=day), "2026.1"),
        (Moments(NOW, as_of_us=NOW, known_us=day), "2026.1"),
        (Moments(NOW, as_of_us=day, known_us=NOW), "2026.1"),
    ):
        assert reader.explain("customer/acme", asked).head.policy == version
        assert reader.policy_at(asked).version == version
    mild, harsh = (reader.list(Moments(NOW, as_of_us=at))[0].quality for at in (day, house.now_us))
    assert mild is not None
    assert harsh is not None
    assert harsh < mild - 10


def test_a_policy_that_this_program_cannot_follow_is_an_error_that_says_where_it_stands(house: House) -> None:
    adopt(house)
    bad = HARSH.replace("trend_days = 90", "trend_days = 0")
    data = PolicyAdopted("bad", bad)
    house.ledger.append([touchpoint(LEDGER_SOURCE, adoption_id(2), "ledger.policy-adopted.v1", LEDGER_SUBJECT, NOW, data, actor="ada")])
    with pytest.raises(PolicyError, match=r"bad, adopted at position 3: model.trend_days"):
        _ = Policies(house.ledger).in_force
