"""What a dead letter said is sealed as what is personal in an event: with a key that an erasure destroys, wherever copies are."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest

from ledger import letters
from ledger.interface import DeadLetter, KeptLetter
from ledger.ledger import Ledger
from ledger.vault import KeyUnavailableError, MasterKey, Vault
from schemas.errors import StoreUnavailableError
from tests.ledger.events import NOON_US, Clock, erasure, letter, personal, touchpoint, vault
from tests.ledger.test_dead_letters import EMPTY, FULL
from tests.ledger.test_sealing import bytes_of

ADA, BOB = "customer/ada", "customer/bob"
Open = Callable[..., Ledger]
NAMED = b'{"id":"1","subject":"customer/ada","data":{"name":"Ada Lovelace"}}'
BROKEN = b'{"id":"1","subject":"customer/ada","data":{"name":"Ada Lovelace"'
ANYBODY = b'{"phone":"Ada Lovelace"'


@pytest.fixture
def ledger(open_ledger: Open) -> Ledger:
    return open_ledger(vault())


def keep(ledger: Ledger, *kept: DeadLetter) -> None:
    ledger.append([], dead_letters=kept)


def erase(ledger: Ledger, relationship: str = ADA) -> None:
    history = ledger.history_sealed(relationship)
    ledger.erase(relationship, history[-1].version if history else 0, erasure(relationship))


def said(ledger: Ledger) -> list[bytes | None]:
    return [one.letter.body for one in ledger.dead_letters(limit=100)]


def sealed_by(ledger: Ledger) -> list[str]:
    """By whose keys letters are sealed."""
    rows = ledger.recorder.dead_letters(0, 100, None)
    names = {one.number: one.relationship for one in ledger.recorder.keys([row.key_number for row in rows if row.key_number])}
    return [names[row.key_number] if row.key_number else "" for row in rows]


def altered(url: str, statement: str) -> None:
    """Execute a statement behind the ledger's back."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as store:
            store.execute(statement)
    else:
        with psycopg.connect(url) as server:
            server.execute("SET search_path = ledger; SET session_replication_role = replica")
            server.execute(statement.encode())


def test_what_it_said_is_not_in_the_store_and_is_read_as_it_came(ledger: Ledger, url: str) -> None:
    given = [FULL, EMPTY, letter(1, body=NAMED), letter(2, body=None, key=b"Ada Lovelace"), letter(3, headers=(("who", b"Ada Lovelace"),))]
    keep(ledger, *given, letter(4, body=b"\x00", key=b"\xff"))
    there = bytes_of(url)
    for hidden in (b"Ada Lovelace", b"amount is missing", b"as it came", b"the value is not JSON"):
        assert hidden not in there
    assert ledger.dead_letters(limit=5) == [KeptLetter(at, NOON_US, one) for at, one in enumerate(given, 1)]
    assert ledger.dead_letter(3).letter == given[2]
    assert [one.letter.body for one in ledger.dead_letters_sealed(limit=9)] != said(ledger)
    assert ledger.unmarked_letters() == []
    assert ledger.altered() == []


@pytest.mark.parametrize(
    ("kept", "whose"),
    [
        (letter(body=NAMED), ADA),
        (letter(body=BROKEN, key=b"customer/ada"), ADA),
        (letter(body=b"{}", headers=(("CE_Subject", b"customer/ada"),)), ADA),
        (letter(body=b'{"subject":"nobody we know"}', key=b"customer/ada"), ADA),
        (letter(body=NAMED, key=b"customer/bob"), ADA),
        (letter(body=BROKEN), "ledger"),
        (letter(body=b'{"subject":"ledger"}', key=b"ledger"), "ledger"),
        (letter(body=b'{"subject":7}', key=b"\xff", headers=(("ce_subject", None),)), "ledger"),
        (letter(body=None), "ledger"),
    ],
)
def test_it_is_sealed_with_the_key_of_the_relationship_it_names_else_with_the_ledgers_own(
    ledger: Ledger, kept: DeadLetter, whose: str
) -> None:
    keep(ledger, kept)
    assert sealed_by(ledger) == [whose]
    assert ledger.dead_letter(1).letter == kept


def test_an_erasure_takes_it_away_in_its_own_commit_and_what_is_left_says_why_it_was_refused(ledger: Ledger, url: str) -> None:
    ledger.append([personal(1)], dead_letters=[letter(1, body=NAMED), letter(2, body=BROKEN), letter(3, body=ANYBODY)])
    erase(ledger)
    assert said(ledger) == [None, BROKEN, ANYBODY]
    assert ledger.dead_letter(1).letter == letters.erased(letter(1))
    assert ledger.erase_letters(ADA) == 2  # what names it, however broken, too
    assert said(ledger) == [None, None, ANYBODY]
    assert [one.letter.reason for one in ledger.dead_letters(limit=2)] == [letters.erased(letter()).reason] * 2
    assert ledger.erase_letters(ADA) == 0
    ledger.scrub()
    assert b"Lovelace" not in bytes_of(url)
    assert (ledger.unmarked_letters(), ledger.altered()) == ([], [])


def test_letters_about_an_erased_relationship_come_erased(ledger: Ledger) -> None:
    ledger.append([personal(1)])
    erase(ledger)
    keep(ledger, letter(1, body=NAMED), letter(1, body=NAMED), letter(2, key=b"customer/bob"))
    assert said(ledger) == [None, b"{"]
    assert (ledger.unmarked_letters(), ledger.altered(), ledger.erase_letters(ADA)) == ([], [], 0)


def test_a_ledger_without_keys_erases_them_as_well(open_ledger: Open, url: str) -> None:
    ledger = open_ledger()
    ledger.append([touchpoint(1, ADA)], dead_letters=[letter(1, body=NAMED), letter(2, body=BROKEN), letter(3, body=ANYBODY)])
    erase(ledger)
    assert ledger.erase_letters(ADA) == 2
    keep(ledger, letter(4, body=NAMED))
    assert said(ledger) == [None, None, ANYBODY, None]
    assert (ledger.erase_letters(ADA), ledger.unmarked_letters(), ledger.altered()) == (0, [], [])


def test_a_master_key_that_cannot_be_fetched_hinders_neither_opening_nor_verifying(ledger: Ledger, open_ledger: Open) -> None:
    asked = 0

    def fails() -> list[MasterKey]:
        nonlocal asked
        asked += 1
        raise StoreUnavailableError("the command failed")

    keep(ledger, *(letter(at, body=NAMED) for at in range(250)))
    ledger.append([personal(1, BOB)], dead_letters=[letter(250, body=BROKEN)])
    other = open_ledger(Vault(fails))
    assert (other.unmarked_letters(), other.altered()) == ([], [])
    assert asked == 1
    with pytest.raises(StoreUnavailableError, match="the command failed"):
        other.dead_letters(limit=9)


def test_two_letters_of_one_place_are_erased_alike(ledger: Ledger) -> None:
    ledger.append([personal(1)], dead_letters=[letter(5, body=NAMED), letter(5, body=NAMED + b" ")])
    erase(ledger)
    assert ledger.erase_letters(ADA) == 2
    assert (said(ledger), ledger.unmarked_letters(), ledger.altered()) == ([None, None], [], [])


def test_a_refused_touchpoint_is_sealed_with_the_key_of_its_relationship(ledger: Ledger) -> None:
    ledger.append([personal(1), touchpoint(2)])
    again = [personal(1, name="Augusta"), touchpoint(2, note="other")]
    ledger.append(again, letter_for=lambda at, _: letter(at, body=again[at].event))
    assert sealed_by(ledger) == [ADA, ADA]
    ledger.append([touchpoint(2, note="another")], letter_for=lambda *_: letter(7, body=touchpoint(2).event))
    assert sealed_by(ledger)[2:] == ["ledger"]  # its type has nothing personal, and its key was not asked for
    erase(ledger)
    assert ledger.erase_letters(ADA) == 3


def test_a_redelivered_letter_is_kept_once_by_a_mark_that_tells_nothing(ledger: Ledger, open_ledger: Open) -> None:
    keep(ledger, letter(5, body=NAMED), letter(6))
    keep(open_ledger(vault()), letter(6), letter(5, body=NAMED), letter(5, body=BROKEN))
    assert said(ledger) == [NAMED, b"{", BROKEN]
    (row, *_) = ledger.recorder.dead_letters(0, 1, None)
    *_, guessed, _ = letters.to_row(letter(5, body=NAMED), row.recorded_us, None)
    assert row.mark != guessed


def test_letters_from_before_there_was_a_key_are_sealed_when_the_ledger_is_opened_with_one(open_ledger: Open, url: str) -> None:
    before = open_ledger()
    given = [FULL, EMPTY, *(letter(at, body=NAMED) for at in range(150))]
    keep(before, *given)
    assert b"Lovelace" in bytes_of(url)
    assert set(sealed_by(before)) == {""}
    ledger = open_ledger(vault())
    assert [one.letter for one in ledger.dead_letters(limit=200)] == given
    assert ledger.scrub()
    assert b"Lovelace" not in bytes_of(url)
    assert (ledger.unmarked_letters(), ledger.altered(), set(sealed_by(ledger))) == ([], [], {"ledger", ADA})
    keep(ledger, letter(7, body=NAMED))
    assert len(said(ledger)) == 100
    assert len(ledger.dead_letters(limit=200)) == 152  # known by its mark


def test_sealing_hides_no_alteration_made_before(open_ledger: Open, url: str) -> None:
    keep(open_ledger(), letter(1))
    altered(url, "UPDATE dead_letters SET code = 'too_deep'")
    ledger = open_ledger(vault())
    assert sealed_by(ledger) == ["ledger"]
    assert ledger.altered() == ["dead letters"]


def test_without_the_master_key_letters_are_not_read_and_all_else_goes_on(ledger: Ledger, open_ledger: Open) -> None:
    ledger.append([personal(1)], dead_letters=[letter(1, body=NAMED), letter(2, body=BROKEN)])
    without = open_ledger()
    with pytest.raises(KeyUnavailableError):
        without.dead_letters(limit=9)
    with pytest.raises(KeyUnavailableError):
        keep(without, letter(3))
    assert [one.number for one in without.dead_letters_sealed(limit=9)] == [1, 2]
    assert (without.unmarked_letters(), without.altered()) == ([], [])
    erase(without)
    assert without.erase_letters(ADA) == 1  # the other's key is not here, so what it says is not known
    assert said(ledger) == [None, BROKEN]
    assert ledger.erase_letters(ADA) == 1


def test_an_altered_letter_is_named(ledger: Ledger, url: str) -> None:
    keep(ledger, letter(1), letter(2), letter(3, body=NAMED))
    altered(url, "UPDATE dead_letters SET body = (SELECT body FROM dead_letters WHERE number = 1) WHERE number = 2")
    altered(url, 'UPDATE dead_letters SET "offset" = 9 WHERE number = 3')
    assert ledger.unmarked_letters() == [2, 3]
    whole, *bad = ledger.dead_letters(limit=9)
    assert whole.letter.body == letter(1).body
    assert [(one.letter.code, one.letter.body) for one in bad] == [(letter(1).code, None)] * 2
    assert all("rledger verify" in one.letter.reason for one in bad)
    assert ledger.altered() == ["dead letters"]


def test_every_way_to_write_keys_moves_their_sum(ledger: Ledger, url: str, clock: Clock) -> None:
    ledger.append([personal(1), personal(2, BOB)])
    assert ledger.altered() == []
    erase(ledger, BOB)
    erase(ledger, "customer/nobody")
    assert ledger.altered() == []
    with Ledger.open(url, clock=clock, vault=vault(2, 1)) as rotated:
        assert rotated.rewrap() == 2
        assert rotated.altered() == []
        rotated.append([personal(3, "customer/eve")], dead_letters=[letter(key=b"customer/new")])
        assert rotated.altered() == []
