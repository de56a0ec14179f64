"""Promise 6: what is personal stands in the store as ciphertext; with its key it goes, for ever, and the proofs still hold."""

import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from ledger import sealing
from ledger.interface import Appended, DeadLetter, Refused
from ledger.ledger import Ledger
from ledger.proof.leaf import encode_leaf
from ledger.proof.merkle import Frontier, leaf_hash
from ledger.vault import KeptKey, KeyUnavailableError, MasterKey, Vault
from schemas import cloudevents
from schemas.catalogue import CATALOGUE, Assessment
from schemas.errors import AlteredError, ChangedError, SettingsError
from schemas.identity import content_digest
from schemas.personal import FIELDS
from schemas.records import recorded
from schemas.touchpoint import Touchpoint
from tests.ledger.events import NOON_US, Clock, erasure, everything, letter, personal, positions, touchpoint, vault

ADA, BOB = "customer/ada", "customer/bob"
TOKEN = b"enc:v1:"
Open = Callable[..., Ledger]


@pytest.fixture
def ledger(open_ledger: Open) -> Ledger:
    return open_ledger(vault())


def bytes_of(url: str) -> bytes:
    """All that the database holds: SQLite's file and log; of PostgreSQL, every row of every table."""
    if url.startswith("sqlite"):
        place = Path(url.removeprefix("sqlite:///"))
        return b"".join(one.read_bytes() for one in sorted(place.parent.glob(f"{place.name}*")) if not one.name.endswith("-shm"))
    found = b""
    with psycopg.connect(url) as server:
        for (table,) in server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'ledger'").fetchall():
            with server.cursor().copy(f"COPY ledger.{table} TO STDOUT (FORMAT BINARY)".encode()) as copy:
                found += b"".join(map(bytes, copy))
    return found


def examples() -> list[Touchpoint]:
    """One touchpoint of each type, of the relationship, with the catalogue's example."""
    types = [entry for entry in CATALOGUE.values() if entry.kinds]
    return [cloudevents.touchpoint("crm", entry.type, entry.type, ADA, NOON_US, entry.example) for entry in types]


def erase(ledger: Ledger, relationship: str = ADA) -> Appended | Refused:
    return ledger.erase(relationship, ledger.history_sealed(relationship)[-1].version, erasure(relationship))


def root_of(ledger: Ledger) -> bytes:
    size = ledger.head().position
    return Frontier().extended(leaf_hash(encode_leaf(one)) for one in ledger.read_sealed(after=0, limit=size)).root()


def test_nothing_personal_and_no_secret_stands_in_the_store(ledger: Ledger, url: str) -> None:
    issue = {
        "issue": "p",
        "ours": {"target": 1, "reservation": 73123},
        "theirs": {"target": 2, "reservation": {"low": 61234, "high": 71234}},
    }
    ledger.append([personal(1), touchpoint(2, note="kept as it came")])
    ledger.append(
        [cloudevents.touchpoint("crm", "3", "relationship.negotiation-opened.v1", ADA, NOON_US, {"negotiation_id": "N", "issues": [issue]})]
    )
    ledger.append([cloudevents.touchpoint("crm", "4", "relationship.unheard-of.v1", ADA, NOON_US, {"who": "Charles Babbage"})])
    there = bytes_of(url)
    for hidden in (b"Lovelace", b"b.king", b"73123", b"61234", b"Babbage"):
        assert hidden not in there
    assert b"kept as it came" in there
    said = b"".join(one.event for one in everything(ledger))
    for hidden in (b"Lovelace", b"b.king", b"73123", b"61234", b"Babbage"):
        assert hidden in said


def test_what_is_read_says_what_was_appended(ledger: Ledger) -> None:
    given = examples()
    ledger.append(given)
    sealed = ledger.read_sealed(after=0, limit=100)
    assert len(kinds := {one.type for one in sealed if sealing.is_sealed(one.event)}) > 8
    assert kinds <= FIELDS.keys()
    for one, as_it_came in zip(everything(ledger), given, strict=True):
        assert content_digest(one.event) == content_digest(as_it_came.event)
        assert ledger.find("crm", one.type) == one
    assert ledger.history(ADA) == everything(ledger)


@pytest.mark.parametrize(
    "spelled", ['{ "name" : "Ada\\u0020Lovelace" }', '{"name":"x","name":"Ada Lovelace"}', '{"\\u006eame":"Ada Lovelace"}']
)
def test_however_it_is_spelled_it_is_sealed(ledger: Ledger, url: str, spelled: str) -> None:
    body = '{"specversion":"1.0","id":"1","source":"s","type":"relationship.opened.v1","subject":"customer/ada",'
    event = f'{body} "time":"2024-10-04T12:00:00Z", "data": {spelled}}}'.encode()
    ledger.append([cloudevents.decode_json(event, now_us=NOON_US)])
    assert b"Lovelace" not in bytes_of(url)
    assert recorded(everything(ledger)[0]).data.name == "Ada Lovelace"  # type: ignore[union-attr]


def test_after_an_erasure_nothing_personal_can_be_read_and_every_type_still_decodes(ledger: Ledger, open_ledger: Open) -> None:
    other = open_ledger(vault())  # as another process: it has the key in memory
    ledger.append([*examples(), personal("x")])
    assert b"Ada Lovelace" in other.history(ADA)[-1].event
    erase(ledger)
    for reader in (ledger, other, open_ledger(vault())):
        said = b"".join(one.event for one in reader.history(ADA))
        assert b"Ada Lovelace" not in said
        assert b"A. Maier" not in said
        data = {one.type: recorded(one).data for one in reader.history(ADA)}
        assert all(data.values())
        assert data["relationship.opened.v1"].name == "(erased)"  # type: ignore[union-attr]
        # Our own secrets are no personal data: what scores are made of stays.
        assert data["relationship.negotiation-opened.v1"].issues[0].ours.reservation == 730  # type: ignore[union-attr]


def test_erased_assessors_can_still_be_told_apart(ledger: Ledger) -> None:
    data = [Assessment(who, "trust", value, "because") for who, value in (("a", 0.1), ("b", 0.2), ("a", 0.3))]
    ledger.append([cloudevents.touchpoint("crm", str(at), "relationship.assessment.v1", ADA, NOON_US, one) for at, one in enumerate(data)])
    erase(ledger)
    one, two, again, _ = (recorded(stored).data for stored in ledger.history(ADA))
    assert one.assessor == again.assessor != two.assessor  # type: ignore[union-attr]
    assert one.assessor.startswith("(erased ")  # type: ignore[union-attr]


def test_an_erased_key_is_gone_from_the_files(ledger: Ledger, url: str) -> None:
    ledger.append([personal(1)])
    kept = ledger.key_of(ADA)
    assert kept is not None
    assert kept.wrapped is not None
    assert kept.wrapped in bytes_of(url)
    erase(ledger)
    assert ledger.scrub()
    assert kept.wrapped not in bytes_of(url)


def test_an_erasure_changes_no_event_and_no_proof(ledger: Ledger) -> None:
    ledger.append([*examples(), personal("x")])
    before, size = ledger.read_sealed(after=0, limit=100), ledger.head().position
    erase(ledger)
    assert ledger.read_sealed(after=0, limit=size) == before
    assert ledger.tree().root == root_of(ledger)
    assert ledger.check() == []


def test_a_repeat_is_recognised_before_and_after(ledger: Ledger) -> None:
    (first,) = positions(ledger.append([personal(1)]))
    assert ledger.append([personal(1)]) == [Appended(first, duplicate=True)]
    (refused,) = ledger.append([personal(1, name="Augusta")])
    assert isinstance(refused, Refused)
    assert refused.code == "id_reused"
    erase(ledger)
    assert ledger.append([personal(1), personal(1, name="Augusta")]) == [Appended(first, duplicate=True)] * 2


def test_touchpoints_after_an_erasure_lose_what_is_personal(ledger: Ledger, url: str) -> None:
    ledger.append([personal(1)])
    erase(ledger)
    positions(ledger.append([personal(2, name="Ada Byron"), personal(3, "customer/other", name="Mary")]))
    assert b"Byron" not in bytes_of(url)
    assert b'"name":"(erased)"' in ledger.history(ADA)[-1].event
    assert b"Mary" in ledger.history("customer/other")[0].event
    kept = ledger.key_of(ADA)
    assert kept is not None
    assert kept.wrapped is None


@pytest.mark.parametrize("with_", [vault(), None], ids=["with a vault", "without"])
def test_a_relationship_without_a_key_can_be_erased_and_never_gets_one(open_ledger: Open, url: str, with_: Vault | None) -> None:
    ledger = open_ledger(with_)
    ledger.append([touchpoint(1)])
    erase(ledger)
    ledger.append([personal(2)])
    assert b"Lovelace" not in bytes_of(url)
    assert ledger.append([personal(2)]) == [Appended(3, duplicate=True)]


def test_an_erasure_waits_for_nothing_that_was_not_looked_at(ledger: Ledger) -> None:
    ledger.append([personal(1)])
    version = ledger.history_sealed(ADA)[-1].version
    ledger.append([touchpoint(2)])
    with pytest.raises(ChangedError):
        ledger.erase(ADA, version, erasure(ADA))
    assert ledger.head().position == 2
    assert b"Lovelace" in ledger.history(ADA)[0].event


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {keys} SET wrapped = {blob}, destroyed_us = NULL",
        "UPDATE {keys} SET relationship = 'customer/other'",
        "DELETE FROM {keys}",
        "INSERT INTO {keys} VALUES (3, 'customer/ada', {blob}, 'x', 1, NULL)",
    ],
)
def test_the_database_itself_refuses_to_bring_a_key_back(ledger: Ledger, url: str, statement: str) -> None:
    ledger.append([personal(1)])
    erase(ledger)
    if url.startswith("sqlite"):
        with (
            closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection,
            pytest.raises(sqlite3.IntegrityError, match="immutable"),
        ):
            connection.execute(statement.format(keys="keys", blob="x'00'") + (" WHERE number = 2" if "UPDATE" in statement else ""))
    else:
        told = (psycopg.errors.RaiseException, psycopg.errors.UniqueViolation)
        with psycopg.connect(url) as server, pytest.raises(told):
            server.execute(
                (statement.format(keys="ledger.keys", blob="'x'") + (" WHERE number = 2" if "UPDATE" in statement else "")).encode()
            )


def test_ciphertext_opens_only_where_it_was_sealed(ledger: Ledger) -> None:
    ledger.append([personal(1), personal(2, name="Ada Byron")])
    one, two = ledger.read_sealed(after=0, limit=2)
    tokens = [one.event.split(b'"')[at] for at, part in enumerate(one.event.split(b'"')) if part.startswith(b"enc:v1:")]
    name, owner = tokens
    keys = ledger.vault.open_all(ledger.recorder.keys(sealing.numbers(one.event)))
    swapped = one.event.replace(name, b"@").replace(owner, name).replace(b"@", owner)
    moved = two.event.replace(next(part for part in two.event.split(b'"') if part.startswith(b"enc:v1:")), name)
    renamed = one.event.replace(b'"source":"crm"', b'"source":"erp"')
    for altered in (swapped, moved, renamed):
        with pytest.raises(ValueError, match="rledger verify"):
            sealing.open_event(altered, keys)
    assert b"Ada Lovelace" in sealing.open_event(one.event, keys)


ALTERED = {
    "the ciphertext": lambda event: event.replace(TOKEN + b"2:", TOKEN + b"2:AAAA", 1),
    "the number of the key": lambda event: event.replace(TOKEN + b"2:", TOKEN + b"9:", 1),
    "no number": lambda event: event.replace(TOKEN + b"2:", TOKEN + b"one:", 1),
    "the number of values": lambda event: event.replace(b'{"sealed":2', b'{"sealed":3', 1),
    "the end": lambda event: event[: event.rindex(TOKEN) + len(TOKEN)],
}


@pytest.mark.parametrize("alter", ALTERED.values(), ids=ALTERED.keys())
def test_a_sealed_event_that_was_altered_is_told_and_hinders_no_other(ledger: Ledger, alter: Callable[[bytes], bytes]) -> None:
    ledger.append([personal(1), personal(2, BOB)])
    one, two = ledger.read_sealed(after=0, limit=2)
    altered = alter(one.event)
    assert altered != one.event
    bad, good = ledger.opened([msgspec.structs.replace(one, event=altered), two])
    with pytest.raises(AlteredError, match=r"position 1 .* rledger verify"):
        recorded(bad)
    assert good == ledger.history(BOB)[0]


@pytest.mark.parametrize("changes", [{"relationship": BOB}, {"wrapped": b"cut off"}])
def test_a_key_that_was_altered_hinders_no_other_relationship(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    ledger.append([personal(1), personal(2, BOB)])
    kept = ledger.key_of(ADA)
    assert kept is not None
    keys = ledger.recorder.keys

    def altered(numbers: Collection[int]) -> list[KeptKey]:
        return [msgspec.structs.replace(one, **changes) if one.number == kept.number else one for one in keys(numbers)]

    monkeypatch.setattr(ledger.recorder, "keys", altered)
    ledger.vault.forget()
    bad, good = ledger.read(after=0, limit=2)
    with pytest.raises(AlteredError):
        recorded(bad)
    assert recorded(good).relationship == BOB


def test_without_the_master_key_nothing_personal_is_written_or_read_and_all_else_works(ledger: Ledger, open_ledger: Open) -> None:
    ledger.append([personal(1), touchpoint(2, "customer/plain")])
    for without in (open_ledger(), open_ledger(vault(2)), open_ledger(Vault(lambda: (), lambda: MasterKey(bytes([3]) * 32)))):
        with pytest.raises(KeyUnavailableError, match=r"docs/privacy\.md"):
            without.history(ADA)
        with pytest.raises(KeyUnavailableError, match=r"docs/privacy\.md"):
            without.append([personal(3, "customer/new")])
        assert without.history("customer/plain")
        assert without.tree().root == root_of(without)
    assert isinstance(erase(open_ledger()), Appended)
    assert b"(erased)" in open_ledger().history(ADA)[0].event
    assert ledger.head().position == 3


def test_a_ledger_from_before_goes_on_and_is_sealed_from_now_on(open_ledger: Open, url: str) -> None:
    before = open_ledger()
    before.append([personal(1)])
    assert before.key_of(ADA) is None
    ledger = open_ledger(vault())
    ledger.append([personal(1), personal(2, name="Ada Byron")])
    assert b"Byron" not in bytes_of(url)
    assert [recorded(one).data.name for one in ledger.history(ADA)] == ["Ada Lovelace", "Ada Byron"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (
            b'{"sealed":1,"specversion":"1.0","id":"1","source":"s","type":"relationship.contact.v1","subject":"customer/ada"}',
            "bad_envelope",
        ),
        (b'{"id":"1","type":"relationship.opened.v1","data":{"name":"Ada","region":"enc:v1:1:AA"}}', "bad_data"),
        (b'{"id":"1","\\u0065nc:v1:1:AA":1,"type":"relationship.opened.v1","data":{"name":"Ada"}}', "bad_data"),
    ],
)
def test_what_looks_like_sealed_is_refused(ledger: Ledger, event: bytes, code: str) -> None:
    type_ = "relationship.contact.v1" if code == "bad_envelope" else "relationship.opened.v1"

    def letter_for(_: int, refused: Refused) -> DeadLetter:
        return letter(7, body=refused.reason.encode())

    (refused,) = ledger.append([Touchpoint("s", "1", type_, ADA, event)], letter_for=letter_for)
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert ledger.head().position == 0
    assert len(ledger.dead_letters(limit=10)) == 1


def test_a_text_that_looks_like_sealed_is_kept_where_it_is_personal(ledger: Ledger) -> None:
    given = personal(1, name="enc:v1:1:AAAA", owner='","comment":"enc:v1:2:AAAA"')
    positions(ledger.append([given]))
    assert content_digest(everything(ledger)[0].event) == content_digest(given.event)


def test_after_a_rotation_the_old_master_key_opens_nothing(ledger: Ledger, open_ledger: Open, clock: Clock, monkeypatch: Any) -> None:
    monkeypatch.setattr("ledger.ledger.REWRAP_KEYS", 2)
    ledger.append([personal(number, f"customer/{number}") for number in range(5)])
    erase(ledger, "customer/3")
    rotating = open_ledger(vault(2, 1))
    assert rotating.recorder.rewrap(vault(2).newest().id, lambda kept: rotating.vault.rewrapped(kept, rotating.vault.newest()), 2) == 2
    # Cut off here: the ledger's own key is under the new master key, so are those to come; the others are under the old one.
    between = open_ledger(vault(2, 1))
    between.append([personal(5, "customer/5")])
    assert b"Lovelace" in between.history("customer/4")[0].event
    with pytest.raises(KeyUnavailableError):
        open_ledger(vault(1)).append([personal(6, "customer/6")])
    assert rotating.rewrap() == 3
    assert rotating.rewrap() == 0
    after = open_ledger(vault(2))
    assert sum(b"Lovelace" in one.event for one in everything(after)) == 5
    with pytest.raises(KeyUnavailableError):
        open_ledger(vault(1)).history("customer/4")


def test_a_master_key_of_another_length_is_refused() -> None:
    with pytest.raises(SettingsError, match="32 bytes"):
        MasterKey(b"short")
