"""Checkpoints are signed for a log that holds all it held, with keys that stand in it; proofs and witnesses rest on them."""

import json
import shutil
import sqlite3
import stat
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from kafka import KafkaConsumer

from ledger.proof.checkpoint import Checkpoint, Trust
from ledger.proof.keys import WITNESS, VerifierKey
from ledger.proof.note import Note
from service.audit.anchor import anchored
from tests.service.commands import Rledger, eventually
from tests.service.test_putting import purchase
from tests.services.kafka import Kafka

VERIFY = (sys.executable, "-I", "-S", str(Path(__file__).parents[3] / "bin" / "verify-ledger"))


@pytest.fixture
def filled(rledger: Rledger) -> Rledger:
    """Ten events, and the signing key's."""
    fill(rledger, 1, 10)
    return rledger


@pytest.fixture
def filled_either(either: Rledger) -> Rledger:
    """The same, on each store."""
    fill(either, 1, 10)
    return either


def fill(rledger: Rledger, start: int, count: int) -> None:
    assert rledger("append", "-", stdin="".join(purchase(number) for number in range(start, start + count))).returncode == 0


def data(rledger: Rledger) -> Path:
    return Path(rledger.environ["RLEDGER_DATA"])


def said(rledger: Rledger, *arguments: str, stdin: str = "") -> str:
    done = rledger(*arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(rledger: Rledger, *arguments: str, stdin: str = "") -> str:
    done = rledger(*arguments, stdin=stdin)
    assert done.returncode == 1
    return done.stderr


def verified(*arguments: object) -> str:
    done = subprocess.run([*VERIFY, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tamper(rledger: Rledger, statements: str) -> None:
    with sqlite3.connect(data(rledger) / "ledger.db") as store:
        for (name,) in store.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            store.execute(f"DROP TRIGGER {name}")
        store.executescript(statements)
    store.close()


def test_a_checkpoint_is_a_note_signed_by_the_key_that_the_log_adopted(filled_either: Rledger) -> None:
    note = Note.parse(said(filled_either, "checkpoint").encode())
    vkey = VerifierKey.parse(said(filled_either, "checkpoint", "--vkey").strip())
    signed = Checkpoint.parse(note.text)
    assert signed.size == 11
    assert Trust(signed.origin, (vkey,)).open(note.encode()).checkpoint == signed
    (adopted,) = filled_either.json("keys", "list")
    assert (adopted["vkey"], adopted["position"], adopted["here"], adopted["replaced_at"]) == (str(vkey), 11, True, None)
    (key,) = (data(filled_either) / "keys").glob("*.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert said(filled_either, "checkpoint").encode() == note.encode()  # nothing came: nothing new to sign


def test_an_event_is_proven_to_whoever_has_only_the_files(filled_either: Rledger, tmp_path: Path) -> None:
    vkey = said(filled_either, "checkpoint", "--vkey").strip()
    for position in (1, 7, 11):
        assert said(filled_either, "prove", str(position), "--output", str(tmp_path)).split() == [
            str(tmp_path / f"{position}.tlog-proof"),
            str(tmp_path / f"{position}.leaf"),
        ]
        assert f"position {position}:" in verified(
            "bundle", tmp_path / f"{position}.tlog-proof", tmp_path / f"{position}.leaf", "--vkey", vkey
        )
    assert "there is no event at position 99" in refused(filled_either, "prove", "99")


def test_growth_since_a_checkpoint_is_proven(filled_either: Rledger, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text(said(filled_either, "checkpoint"))
    fill(filled_either, 100, 700)
    said(filled_either, "checkpoint")
    (tmp_path / "proof").write_text(said(filled_either, "prove", "--from", str(old)))
    vkey = said(filled_either, "checkpoint", "--vkey").strip()
    assert "nothing before position 12 changed" in verified("consistency", old, tmp_path / "proof", "--vkey", vkey)
    assert "711 hashes in tiles" in verified("tiles", data(filled_either) / "tiles", "--vkey", vkey)


def test_a_log_that_was_altered_gets_no_signature_and_no_proof(filled: Rledger) -> None:
    said(filled, "checkpoint")
    tamper(filled, "UPDATE stored_events SET state = CAST(replace(state, 'acme', 'ACME') AS BLOB) WHERE rowid = 3")
    assert "leaf 2 is not proven" in refused(filled, "prove", "3")
    shutil.rmtree(data(filled) / "tiles")
    fill(filled, 100, 1)
    assert "nothing was signed" in refused(filled, "checkpoint")


def test_a_shorter_log_gets_no_signature(filled: Rledger) -> None:
    shutil.copy(data(filled) / "ledger.db", data(filled) / "backup.db")
    fill(filled, 100, 5)
    said(filled, "checkpoint")
    shutil.move(data(filled) / "backup.db", data(filled) / "ledger.db")
    (data(filled) / "ledger.db-wal").unlink(missing_ok=True)
    shutil.rmtree(data(filled) / "tiles")
    assert "key" in refused(filled, "checkpoint")  # the log no longer knows the key: it would adopt a first one
    assert not list((data(filled) / "keys").glob("*.signed.new"))


def test_a_rotation_is_signed_by_both_keys_and_ends_the_old_one(filled_either: Rledger, tmp_path: Path) -> None:
    filled_either.environ["RLEDGER_ACTOR"] = "ada"
    old_vkey = said(filled_either, "checkpoint", "--vkey").strip()
    said(filled_either, "checkpoint")
    new_vkey = filled_either.json("keys", "rotate", "--why", "yearly")[0]["vkey"]
    assert len(list((data(filled_either) / "keys").glob("*.key"))) == 1
    said(filled_either, "prove", "5", "--output", str(tmp_path))
    for vkey in (old_vkey, new_vkey):
        verified("bundle", tmp_path / "5.tlog-proof", tmp_path / "5.leaf", "--vkey", vkey)
    first, second = filled_either.json("keys", "list")
    assert (first["vkey"], first["here"], second["vkey"], second["actor"], second["reason"]) == (old_vkey, False, new_vkey, "ada", "yearly")
    fill(filled_either, 100, 1)
    note = Note.parse(said(filled_either, "checkpoint").encode())
    assert [signature.key_id.hex() for signature in note.signatures] == [new_vkey.split("+")[1]]


def test_a_key_that_is_gone_or_open_to_others_signs_nothing(filled: Rledger) -> None:
    said(filled, "checkpoint")
    fill(filled, 100, 1)
    (key,) = (data(filled) / "keys").glob("*.key")
    key.chmod(0o644)
    assert "others can read" in refused(filled, "checkpoint")
    key.unlink()
    assert "rledger keys rotate" in refused(filled, "checkpoint")
    said(filled, "keys", "rotate", "--why", "lost")
    said(filled, "checkpoint")


def test_a_witness_cosigns_what_grew_and_refuses_what_did_not(filled_either: Rledger, tmp_path: Path) -> None:
    state = str(tmp_path / "audit.witness")
    witness = said(filled_either, "witness", "new", state, "--name", "witness.example/audit").strip()
    assert VerifierKey.parse(witness).kind == WITNESS
    first = said(filled_either, "prove", "--from", "0")
    assert "does not know the log" in refused(filled_either, "witness", "cosign", state, stdin=first)
    vkey = said(filled_either, "checkpoint", "--vkey").strip()
    said(filled_either, "witness", "trust", state, vkey)
    line = said(filled_either, "witness", "cosign", state, stdin=first)
    cosigned = tmp_path / "cosigned"
    cosigned.write_text(said(filled_either, "checkpoint", "--cosignature", "-", "--witness", witness, stdin=line))
    (tmp_path / "proof").write_text(said(filled_either, "prove", "--from", str(cosigned)))
    trust = ("--vkey", vkey, "--witness", witness)
    assert "cosigned by witness.example/audit" in verified("consistency", cosigned, tmp_path / "proof", *trust)
    assert filled_either.json("witness", "list", state) == [{"origin": vkey.split("+")[0], "size": 11}]
    assert "not 11, which this witness saw" in refused(filled_either, "witness", "cosign", state, stdin=first)
    fill(filled_either, 100, 20)
    said(filled_either, "checkpoint")
    grown = said(filled_either, "prove", "--from", "11")
    assert "did not sign" in refused(filled_either, "checkpoint", "--cosignature", "-", "--witness", witness, stdin="")
    forged = grown.replace(grown.split("\n")[1], first.split("\n")[4])
    assert "not proven to continue" in refused(filled_either, "witness", "cosign", state, stdin=forged)
    said(filled_either, "witness", "cosign", state, stdin=grown)
    assert filled_either.json("witness", "list", state)[0]["size"] == 31


LOW_ORDER = b"\x01" + bytes(31)  # y = 1: the point that is its own multiple
NOT_CANONICAL = (2**255 - 19 + 3).to_bytes(32, "little")  # y = 3, written a second way


@pytest.mark.parametrize("public", [LOW_ORDER, NOT_CANONICAL])
def test_a_key_by_which_anybody_could_sign_is_trusted_by_nobody(filled: Rledger, tmp_path: Path, public: bytes) -> None:
    state = str(tmp_path / "audit.witness")
    said(filled, "witness", "new", state, "--name", "witness.example/audit")
    typed = b"\x01" + public
    key_id = sha256(b"ledger.example/sales\n" + typed).digest()[:4].hex()
    vkey = f"ledger.example/sales+{key_id}+{b64encode(typed).decode()}"
    assert "of low order" in refused(filled, "witness", "trust", state, vkey)


def test_each_checkpoint_is_anchored_in_a_file(filled: Rledger, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor"
    filled.environ["RLEDGER_ANCHOR"] = str(anchor)
    notes = [said(filled, "checkpoint").encode()]
    fill(filled, 100, 1)
    notes.append(said(filled, "checkpoint").encode())
    assert anchored(anchor) == notes


def test_each_checkpoint_is_anchored_in_a_topic(filled: Rledger, kafka: Kafka) -> None:
    topic = "relationship.checkpoints"
    kafka.create_topic(topic, 1)
    filled.environ |= {"RLEDGER_ANCHOR": f"kafka:{topic}"}
    assert "names no broker" in refused(filled, "checkpoint")
    filled.environ |= {"RLEDGER_KAFKA": kafka.bootstrap}
    note = said(filled, "checkpoint").encode()
    consumer = KafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=30_000)
    record = next(consumer)
    consumer.close()
    assert (record.key, record.value) == (note.partition(b"\n")[0], note)


def test_the_worker_signs_the_log_and_keeps_its_tiles(filled: Rledger) -> None:
    fill(filled, 100, 600)
    filled.start("project")
    published = data(filled) / "tiles" / "checkpoint"
    eventually(published.exists)
    signed = Checkpoint.parse(Note.parse(published.read_bytes()).text)
    assert signed.size > 610
    assert (data(filled) / "tiles" / "tile" / "0" / "001").exists()
    (adopted,) = filled.json("keys", "list")
    assert adopted["reason"] == "the first checkpoint"


def test_checkpoint_json_has_what_the_note_says(filled: Rledger) -> None:
    (found,) = filled.json("checkpoint")
    assert set(found) == {"origin", "size", "root", "vkey", "note"}
    assert found["note"].startswith(f"{found['origin']}\n{found['size']}\n{found['root']}\n")
    assert json.dumps(found)
