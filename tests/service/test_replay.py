"""``replay``: a view at any moment with the tree it rests on, what differs and why, and who looked."""

import json
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ledger.ledger import Ledger
from ledger.proof.checkpoint import Checkpoint
from ledger.proof.keys import Signer
from ledger.proof.text import encode_base64
from schemas.errors import StoreUnavailableError
from service import replaying, settings
from tests.service.commands import Rledger, bare

LINES = [
    {"id": "e1", "time": "2026-03-01T12:00:00Z", "type": "relationship.opened.v1", "data": {"name": "Acme"}},
    {
        "id": "e2",
        "time": "2026-03-05T12:00:00Z",
        "type": "relationship.complaint.v1",
        "data": {"complaint_id": "C-1", "by": "them", "severity": "major"},
    },
    {
        "id": "e3",
        "time": "2026-03-09T12:00:00Z",
        "type": "relationship.complaint-resolved.v1",
        "data": {"complaint_id": "C-1", "outcome": "resolved"},
    },
]
HEAD = {"specversion": "1.0", "source": "/desk", "subject": "customer/acme"}


@pytest.fixture(params=["sqlite", "postgres"])
def acme(request: pytest.FixtureRequest, tmp_path: Path) -> Rledger:
    store = {} if request.param == "sqlite" else {"RLEDGER_STORE": request.getfixturevalue("postgres_url")}
    rledger = Rledger(bare(tmp_path / "data") | {"RLEDGER_ACTOR": "the auditor"} | store)
    rledger("append", "-", stdin="\n".join(json.dumps(HEAD | line) for line in LINES))
    return rledger


def ledger(rledger: Rledger) -> Ledger:
    return Ledger.open(settings.read(rledger.environ).store, clock=lambda: 0, read_only=True)


def test_a_replay_says_what_the_rows_were_and_which_tree_they_rest_on(acme: Rledger) -> None:
    with ledger(acme) as store:
        tree = store.tree()
    head, row, tail = acme.json("replay", "--view", "complaints", "--as-of", "2026-03-06")
    assert (head["view"], head["told"]["as_of"]) == ("complaints", "2026-03-06T23:59:59.999999Z")
    assert head["told"]["checkpoint"] == {"origin": tree.origin, "size": 3, "root": encode_base64(tree.root), "signed": None}
    assert (row["key"], row["position"], row["row"]["status"]) == ("customer/acme#C-1", 2, "open")
    assert tail == {"rows": 1, "left_out": {}}
    assert "rests on 4 events" in acme("replay", "--view", "complaints").stdout


def test_a_replay_agrees_with_every_signed_checkpoint_it_passes_or_tells_nothing(acme: Rledger) -> None:
    signed = acme("checkpoint")
    assert signed.returncode == 0, signed.stderr
    note = signed.stdout
    size = int(note.splitlines()[1])
    checkpoint = acme.json("replay")[0]["told"]["checkpoint"]
    assert (checkpoint["size"], checkpoint["signed"]) == (size, note)
    assert f"agrees with the signed checkpoint of {size} events" in acme("replay").stdout
    with Ledger.open(settings.read(acme.environ).store, clock=lambda: 0) as store:
        forged = Checkpoint(checkpoint["origin"], 2, bytes(32))
        store.keep_checkpoint(2, forged.signed(Signer(checkpoint["origin"], bytes(32))).encode())
    done = acme("replay", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the first 2 events, as they were read, are not those that were appended" in done.stderr


def test_who_looked_at_what_is_an_event(acme: Rledger) -> None:
    head = acme.json("replay", "--as-of", "2026-03-06", "--known-at", "2026-03-07", "--against", "2026-03-05")[0]
    with ledger(acme) as store:
        (stored,) = store.history("ledger")
    event = json.loads(stored.event)
    assert (head["recorded"], stored.position, stored.type) == (4, 4, "ledger.replayed.v1")
    assert event["actor"] == "the auditor"
    assert event["data"] == {
        "view": "relationships",
        "size": 0,  # in March nothing was recorded yet
        "as_of": "2026-03-06T23:59:59.999999Z",
        "known_at": "2026-03-07T23:59:59.999999Z",
        "against": "2026-03-05T23:59:59.999999Z",
    }


def test_what_differs_between_two_moments_is_told_with_its_events(acme: Rledger) -> None:
    head, change, tail = acme.json("replay", "--view", "complaints", "--as-of", "2026-03-10", "--against", "2026-03-06")
    assert (head["against"]["as_of"], head["told"]["as_of"]) == ("2026-03-06T23:59:59.999999Z", "2026-03-10T23:59:59.999999Z")
    assert change["columns"]["status"] == ["open", "resolved"]
    assert [(one["position"], one["id"], one["counts"]) for one in change["events"]] == [(3, "e3", "now")]
    assert tail["rows"] == 1
    table = acme("replay", "--view", "complaints", "--as-of", "2026-03-10", "--against", "2026-03-06").stdout
    assert "complaint-resolved at 3" in table


def test_what_was_learned_between_two_moments_is_told_with_the_correction(acme: Rledger) -> None:
    known = acme.json("history", "customer/acme")[-1]["recorded_at"]
    acme("correct", "/desk", "e2", "--why", "it was not them")
    now = acme.json("history", "customer/acme")[-1]["recorded_at"]
    _, *changes, _ = acme.json("replay", "--view", "complaints", "--known-at", now, "--against", known)
    (change,) = changes
    assert change["columns"]["status"] == ["resolved", "unknown_opening"]
    assert change["events"][0]["corrected"] == {"position": 4, "now": "withdrawn", "reason": "it was not them"}
    assert "withdrawn by 4" in acme("replay", "--view", "complaints", "--known-at", now, "--against", known).stdout


@pytest.fixture
def read_only(acme: Rledger, monkeypatch: pytest.MonkeyPatch) -> Rledger:
    """Where nothing can be written: a database that says so; of a file a stand-in, for root may write to any."""
    store = settings.read(acme.environ).store
    if store.startswith("postgresql"):
        with psycopg.connect(store, autocommit=True) as connection:
            name = sql.Identifier(connection.info.dbname)
            connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        return acme

    def refuse(*_: object, **__: object) -> None:
        raise StoreUnavailableError("ledger.db cannot be used: permission denied")

    monkeypatch.setattr(replaying, "open_ledger", refuse)
    return acme


def test_who_may_only_read_is_answered_and_told_that_it_is_not_recorded(read_only: Rledger) -> None:
    done = read_only("replay", "--view", "complaints", "--json")
    head, *_ = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 0
    assert head["recorded"] is None
    assert head["told"]["checkpoint"]["size"] == 3
    assert done.stderr.startswith("not recorded: ")
    with ledger(read_only) as store:
        assert store.head().position == 3


def test_an_unknown_view_is_refused_and_nobody_is_said_to_have_looked(acme: Rledger) -> None:
    done = acme("replay", "--view", "nonsense")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no view 'nonsense'; there are relationships, " in done.stderr
    with ledger(acme) as store:
        assert store.head().position == 3


def test_a_change_of_reasons_is_told_in_words(sampled: Rledger) -> None:
    told = sampled("replay", "--as-of", "2026-10-31", "--against", "2026-09-30", "--limit", "5").stdout
    assert "reasons" in told
    assert "{'rule'" not in told
