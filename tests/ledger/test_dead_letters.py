"""Dead letters: kept once, in the commit of what came with them; corrected and replayed."""

import pytest

from ledger.interface import Appended, DeadLetter, Delivered, KeptLetter, Refused
from ledger.ledger import Ledger
from schemas.errors import NotFoundError
from tests.ledger.events import NOON_US, Clock, everything, letter, touchpoint

FULL = DeadLetter(
    "bad_data",
    "amount is missing",
    "touchpoints",
    partition=7,
    offset=2**40,
    timestamp_ms=1_700_000_000_000,
    key=b"\x00key\xff",
    headers=(("ce_id", b"1"), ("ce_id", None), ("", b"\xff\x00")),
    body=b"\xff\x00 as it came",
    source="crm",
    id="1",
)
EMPTY = DeadLetter("unreadable", "bad checksum", "orders.csv")


def test_a_dead_letter_is_kept_as_it_came(ledger: Ledger) -> None:
    ledger.append([], dead_letters=[FULL, EMPTY])
    assert ledger.dead_letters(limit=10) == [KeptLetter(1, NOON_US, FULL), KeptLetter(2, NOON_US, EMPTY)]
    assert ledger.dead_letter(1) == KeptLetter(1, NOON_US, FULL)


def test_text_no_database_takes_does_not_hold_up_a_partition(ledger: Ledger) -> None:
    ledger.append([], dead_letters=[DeadLetter("bad_envelope", "id holds a control character", "t", id="\x00", body=b'{"id":"\\u0000"}')])
    (kept,) = ledger.dead_letters(limit=10)
    assert kept.letter.body == b'{"id":"\\u0000"}'


def test_a_redelivered_dead_letter_is_kept_once(ledger: Ledger) -> None:
    ledger.append([], dead_letters=[letter(5), letter(6), letter(5)])
    ledger.append([], dead_letters=[letter(6), letter(7)])
    assert [(kept.number, kept.letter.offset) for kept in ledger.dead_letters(limit=10)] == [(1, 5), (2, 6), (3, 7)]


def test_another_message_at_the_same_offset_of_a_topic_made_anew_is_kept(ledger: Ledger) -> None:
    ledger.append([], dead_letters=[letter(5, body=b"old"), letter(5, body=b"new"), letter(5, body=None)])
    assert [kept.letter.body for kept in ledger.dead_letters(limit=10)] == [b"old", b"new", None]


def test_letters_from_a_source_without_offsets_each_stand_for_themselves(ledger: Ledger) -> None:
    ledger.append([], dead_letters=[letter(None), letter(None)])
    assert len(ledger.dead_letters(limit=10)) == 2


def test_dead_letters_are_listed_in_pages(ledger: Ledger) -> None:
    ledger.append([], dead_letters=[letter(offset) for offset in range(7)], delivered=[Delivered("s", None, 7)])
    assert [kept.number for kept in ledger.dead_letters(after=2, limit=3)] == [3, 4, 5]


def test_a_replay_appends_and_marks_the_letter(ledger: Ledger, clock: Clock) -> None:
    ledger.append([touchpoint(1)], dead_letters=[letter(0), letter(1)])
    clock.now_us += 1_000
    assert ledger.replay(2, touchpoint(2)) == Appended(2, duplicate=False)
    assert ledger.dead_letter(2) == KeptLetter(2, NOON_US, letter(1), NOON_US + 1_000, 2)
    assert [kept.number for kept in ledger.dead_letters(limit=10, waiting=True)] == [1]
    assert [kept.number for kept in ledger.dead_letters(limit=10, waiting=False)] == [2]


def test_replaying_twice_gives_the_same_position(ledger: Ledger) -> None:
    ledger.append([], dead_letters=[letter()])
    assert ledger.replay(1, touchpoint(1)) == Appended(1, duplicate=False)
    before = ledger.dead_letter(1)
    assert ledger.replay(1, touchpoint(1)) == Appended(1, duplicate=True)
    assert ledger.replay(1, touchpoint(2)) == Appended(1, duplicate=True)
    assert ledger.dead_letter(1) == before
    assert len(everything(ledger)) == 1


def test_a_correction_that_stands_already_marks_the_letter_with_its_place(ledger: Ledger) -> None:
    ledger.append([touchpoint(1)], dead_letters=[letter()])
    assert ledger.replay(1, touchpoint(1)) == Appended(1, duplicate=True)
    assert ledger.dead_letter(1).replayed_position == 1


def test_a_correction_that_is_refused_leaves_the_letter_waiting(ledger: Ledger) -> None:
    ledger.append([touchpoint(1)], dead_letters=[letter()])
    assert isinstance(ledger.replay(1, touchpoint(1, note="other")), Refused)
    assert ledger.dead_letter(1).replayed_us is None


def test_a_letter_that_is_not_there_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFoundError, match="no dead letter 9"):
        ledger.dead_letter(9)
    with pytest.raises(NotFoundError, match="no dead letter 9"):
        ledger.replay(9, touchpoint(1))
    assert ledger.head().position == 0
