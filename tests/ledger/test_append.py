"""Promises 1 and 2: exactly once, in order."""

from collections.abc import Callable

import msgspec
import pytest

from ledger.interface import Appended, DeadLetter, Delivered, Head, Refused
from ledger.ledger import Ledger
from schemas.errors import OvertakenError
from schemas.identity import content_digest
from tests.ledger.events import NOON_US, Clock, assert_orderly, everything, letter, positions, touchpoint, touchpoints

STREAM = "kafka/topic-id/touchpoints/0"


def test_a_new_ledger_is_empty(ledger: Ledger) -> None:
    assert ledger.head() == Head(0, 0)
    assert ledger.read(after=0, limit=10) == []
    assert ledger.next_offsets([STREAM]) == {}
    assert ledger.dead_letters(limit=10) == []


def test_what_was_appended_is_read_back_as_it_was(ledger: Ledger) -> None:
    one, two = touchpoint(1, "customer/ada"), touchpoint("zwei\u2028\U0001f600", "partner/bob", note="schön")
    assert ledger.append([one, two]) == [Appended(1, duplicate=False), Appended(2, duplicate=False)]
    log = everything(ledger)
    assert [event.event for event in log] == [one.event, two.event]
    assert [(event.relationship, event.version, event.type) for event in log] == [
        ("customer/ada", 1, one.type),
        ("partner/bob", 1, two.type),
    ]
    assert ledger.find(two.source, two.id) == log[1]
    assert ledger.find("crm", "none") is None


def test_positions_and_versions_follow_each_other_over_many_appends(ledger: Ledger) -> None:
    batches = [touchpoints(size, start=100_000 * size) for size in (1, 2, 3, 500, 1_300)]
    for batch in batches:
        ledger.append(batch)
    log = everything(ledger)
    assert_orderly(log)
    assert [event.event for event in log] == [each.event for batch in batches for each in batch]
    assert ledger.head() == Head(len(log), log[-1].recorded_us)


def test_nothing_appended_is_nothing_written(ledger: Ledger) -> None:
    assert ledger.append([]) == []
    assert ledger.head() == Head(0, 0)


def test_a_repeat_returns_its_first_position(ledger: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    batch = touchpoints(20)
    first = positions(ledger.append(batch))
    assert ledger.append(batch) == [Appended(position, duplicate=True) for position in first]
    assert open_ledger().append(batch[5:6]) == [Appended(6, duplicate=True)]
    assert ledger.head().position == 20


def test_a_repeat_within_one_batch_is_appended_once(ledger: Ledger) -> None:
    one, two = touchpoint(1), touchpoint(2)
    assert ledger.append([one, two, one, one]) == [
        Appended(1, duplicate=False),
        Appended(2, duplicate=False),
        Appended(1, duplicate=True),
        Appended(1, duplicate=True),
    ]
    assert_orderly(everything(ledger))


def test_a_repeat_that_was_encoded_anew_is_a_repeat(ledger: Ledger) -> None:
    one = touchpoint(1)
    ledger.append([one])
    fields = msgspec.json.decode(one.event)
    anew = msgspec.structs.replace(one, event=msgspec.json.format(msgspec.json.encode(dict(reversed(fields.items()))), indent=2))
    assert anew.event != one.event
    assert ledger.append([anew]) == [Appended(1, duplicate=True)]
    assert everything(ledger)[0].event == one.event


def test_an_id_is_unique_for_its_source_alone(ledger: Ledger) -> None:
    answer = ledger.append([touchpoint(1, source="crm"), touchpoint(1, source="shop")])
    assert positions(answer) == [1, 2]


def test_an_id_used_again_for_other_content_is_refused_with_both_digests(ledger: Ledger) -> None:
    one, other, good = touchpoint(1), touchpoint(1, note="other"), touchpoint(2)
    ledger.append([one])
    refused, appended = ledger.append([other, good])
    assert isinstance(refused, Refused)
    assert refused.code == "id_reused"
    assert content_digest(one.event).hex() in refused.reason
    assert content_digest(other.event).hex() in refused.reason
    assert "position 1" in refused.reason
    assert appended == Appended(2, duplicate=False)
    assert ledger.find("crm", "1") == everything(ledger)[0]


def test_an_id_used_twice_in_one_batch_for_other_content_is_refused(ledger: Ledger) -> None:
    first, refused = ledger.append([touchpoint(1), touchpoint(1, note="other")])
    assert first == Appended(1, duplicate=False)
    assert isinstance(refused, Refused)


def test_a_refused_touchpoint_becomes_a_dead_letter_in_the_same_commit(ledger: Ledger) -> None:
    def letter_for(index: int, refused: Refused) -> DeadLetter:
        return DeadLetter(refused.code, refused.reason, "touchpoints", 0, 40 + index, body=b"as it came")

    ledger.append([touchpoint(1)])
    _, refused = ledger.append([touchpoint(2), touchpoint(1, note="other")], letter_for=letter_for)
    (kept,) = ledger.dead_letters(limit=10)
    assert isinstance(refused, Refused)
    assert kept.letter == DeadLetter("id_reused", refused.reason, "touchpoints", 0, 41, body=b"as it came")


def test_offsets_move_with_the_events_they_stand_for(ledger: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    ledger.append(touchpoints(3), delivered=[Delivered(STREAM, None, 5), Delivered("file/abc", None, 700)])
    assert ledger.next_offsets([STREAM, "file/abc", "kafka/none"]) == {STREAM: 5, "file/abc": 700}
    ledger.append([], delivered=[Delivered(STREAM, 5, 9)])
    assert open_ledger().next_offsets([STREAM]) == {STREAM: 9}
    assert ledger.streams("kafka/topic-id/") == {STREAM: 9}
    assert ledger.streams("kafka/topic_id/") == {}


@pytest.mark.parametrize("expected", [None, 4, 6, 0])
def test_a_zombies_batch_leaves_no_trace(ledger: Ledger, expected: int | None) -> None:
    ledger.append([], delivered=[Delivered(STREAM, None, 5)])
    with pytest.raises(OvertakenError) as overtaken:
        ledger.append(touchpoints(3), delivered=[Delivered("file/abc", None, 9), Delivered(STREAM, expected, 8)], dead_letters=[letter()])
    assert (overtaken.value.stream, overtaken.value.expected, overtaken.value.stored) == (STREAM, expected, 5)
    assert ledger.head().position == 0
    assert ledger.next_offsets([STREAM, "file/abc"]) == {STREAM: 5}
    assert ledger.dead_letters(limit=10) == []


def test_a_redelivered_batch_after_a_lost_answer_is_refused_and_stands_once(ledger: Ledger) -> None:
    batch, delivered = touchpoints(3), [Delivered(STREAM, None, 3)]
    ledger.append(batch, delivered=delivered)
    with pytest.raises(OvertakenError):
        ledger.append(batch, delivered=delivered)
    assert ledger.head().position == 3


def test_time_never_runs_backwards_in_the_log(ledger: Ledger, clock: Clock, open_ledger: Callable[[], Ledger]) -> None:
    ledger.append([touchpoint(1)])
    clock.now_us -= 60_000_000
    open_ledger().append([touchpoint(2)])
    clock.now_us += 60_000_007
    ledger.append([touchpoint(3)])
    assert [event.recorded_us for event in everything(ledger)] == [NOON_US, NOON_US, NOON_US + 7]
    assert ledger.head() == Head(3, NOON_US + 7)


def test_a_batch_of_any_size_is_one_commit(ledger: Ledger) -> None:
    batch = touchpoints(12_345)
    assert positions(ledger.append(batch)) == list(range(1, 12_346))
    assert len({event.recorded_us for event in everything(ledger)}) == 1


def test_two_who_append_many_of_the_same_relationships_know_each_others_versions_and_repeats(
    ledger: Ledger, open_ledger: Callable[[], Ledger]
) -> None:
    other = open_ledger()
    for turn in range(8):
        for half, writer in enumerate((ledger, other)):
            start = 1 + (2 * turn + half) * 150
            assert positions(writer.append(touchpoints(150, start=start))) == list(range(start, start + 150))
    assert positions(ledger.append(touchpoints(200, start=2_301))) == list(range(2_301, 2_501))  # the half of it is other's
    twice = [*touchpoints(120, start=3_000), *touchpoints(120, start=3_000)]
    assert positions(other.append(twice)) == [*range(2_501, 2_621), *range(2_501, 2_621)]
    assert_orderly(everything(ledger))
