"""``bin/verify-ledger`` agrees with the ledger and finds what was altered, with nothing but the standard library."""

import base64
import hashlib
import itertools
import json
import random
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.proof.checkpoint import Checkpoint
from ledger.proof.errors import MalformedError
from ledger.proof.keys import LOG, P, Signer, VerifierKey
from ledger.proof.leaf import encode_leaf, encode_line
from ledger.proof.merkle import Frontier, leaf_hash
from ledger.proof.note import Note
from ledger.proof.tiles import ENTRIES, WIDTH, Tile, grow, tiles_of
from schemas.touchpoint import Stored
from tests.ledger.proof.logs import LOG_SIGNER, ORIGIN, WITNESS_SIGNERS, checkpoint, consistency, encode_entries, inclusion, record, records

SCRIPT = Path(__file__).parents[3] / "bin" / "verify-ledger"
BARE = (sys.executable, "-I", "-S")  # no environment, no site-packages, no project
SIZE, OLD_SIZE = 600, 345
VKEY = ("--vkey", str(LOG_SIGNER.key))
SEEN_S = 1_763_985_600

# Runs the script again and again in one bare process, so that hundreds of attempts take seconds.
LOOP = """
import contextlib, io, json, runpy, sys
assert not [path for path in sys.path if "site-packages" in path]
main = runpy.run_path(sys.argv[1])["main"]
for line in sys.stdin:
    sys.argv[1:] = json.loads(line)
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main()
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""

Verify = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def verify() -> Iterator[Verify]:
    """Calls the script with arguments; returns exit code, output and errors."""
    with subprocess.Popen([*BARE, "-c", LOOP, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def call(*args: object) -> tuple[int, str, str]:
            print(json.dumps([str(arg) for arg in args]), file=stdin, flush=True)
            code, out, err = json.loads(stdout.readline())
            assert bool(out) != bool(err) == bool(code)
            return code, out, err

        yield call
        stdin.close()


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """What a ledger of ``SIZE`` records hands out, in a folder."""
    cosigned = checkpoint(SIZE).signed(WITNESS_SIGNERS[0], SEEN_S)
    (tmp_path / "checkpoint").write_bytes(cosigned.encode())
    (tmp_path / "old.checkpoint").write_bytes(checkpoint(OLD_SIZE).encode())
    (tmp_path / "new.proof").write_bytes(consistency(OLD_SIZE, SIZE).encode())
    (tmp_path / "17.tlog-proof").write_bytes(inclusion(17, SIZE).encode())
    (tmp_path / "17.leaf").write_bytes(encode_leaf(record(17)))
    (tmp_path / "export.jsonl").write_bytes(exported(records(SIZE)))
    write_tiles(tmp_path, records(SIZE), OLD_SIZE)
    return tmp_path


def exported(history: list[Stored]) -> bytes:
    return b"".join(map(encode_line, history))


def write_tiles(folder: Path, history: list[Stored], *sizes: int) -> None:
    """The tiles and bundles of entries of ``history``, which grew by way of ``sizes``: partial tiles were outgrown."""
    leaves = [encode_leaf(stored) for stored in history]
    files: dict[Tile, bytes] = {}
    for start, end in itertools.pairwise((0, *sizes, len(leaves))):
        files |= dict(grow(start, map(leaf_hash, leaves[start:end]), files.__getitem__))
    for tile in tiles_of(len(leaves)):
        if tile.level == 0:
            files[Tile(ENTRIES, tile.index, tile.width)] = encode_entries([leaves[index] for index in tile.leaves])
            files[Tile(ENTRIES, tile.index, 1)] = encode_entries(leaves[tile.leaves.start :][:1])  # outgrown
    for tile, content in files.items():
        path = folder / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def forged(history: list[Stored]) -> list[Stored]:
    """``history`` numbered anew, as somebody would who removed, inserted or moved a record and hides it."""
    versions: dict[str, int] = {}
    renumbered: list[Stored] = []
    for position, stored in enumerate(history, 1):
        version = versions[stored.relationship] = versions.get(stored.relationship, 0) + 1
        recorded_us = max(stored.recorded_us, renumbered[-1].recorded_us if renumbered else 0)
        renumbered.append(msgspec.structs.replace(stored, position=position, version=version, recorded_us=recorded_us))
    return renumbered


# What is right is verified


def test_it_runs_as_a_command_without_the_project_and_without_packages(house: Path) -> None:
    command = [*BARE, str(SCRIPT), "bundle", str(house / "17.tlog-proof"), str(house / "17.leaf"), *VKEY]
    run = subprocess.run(command, capture_output=True, text=True, cwd="/", env={}, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[0] == (
        "verified: position 17: 'customer/3' version 3, 'relationship.contact.v1', recorded 2025-11-24T12:00:08Z, 77 bytes"
    )
    (house / "17.leaf").write_bytes(encode_leaf(record(18)))
    run = subprocess.run(command, capture_output=True, text=True, cwd="/", env={}, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("error: this record is not at position 17 of the log")
    assert subprocess.run([*BARE, SCRIPT, "bundle"], capture_output=True, check=False).returncode == 2


def test_it_imports_the_standard_library_alone() -> None:
    imported = {line.split()[1].partition(".")[0] for line in SCRIPT.read_text().splitlines() if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names


@pytest.mark.parametrize("position", [1, 2, 256, 257, 512, 599, 600])
def test_every_bundle_the_ledger_makes_is_verified(verify: Verify, house: Path, position: int) -> None:
    (house / "proof").write_bytes(inclusion(position, SIZE).encode())
    (house / "leaf").write_bytes(encode_leaf(record(position)))
    assert verify("bundle", house / "proof", house / "leaf", *VKEY)[0] == 0


@pytest.mark.parametrize("old_size", [1, 2, 3, 64, 255, 256, 257, 512, 599, 600])
def test_every_consistency_proof_the_ledger_makes_is_verified(verify: Verify, house: Path, old_size: int) -> None:
    (house / "old").write_bytes(checkpoint(old_size).encode())
    (house / "proof").write_bytes(consistency(old_size, SIZE).encode())
    assert verify("consistency", house / "old", house / "proof", *VKEY)[0] == 0


def test_the_whole_history_is_verified(verify: Verify, house: Path) -> None:
    code, out, _ = verify("leaves", house / "export.jsonl", house / "checkpoint", *VKEY, "--witness", WITNESS_SIGNERS[0].key)
    assert code == 0
    assert out.startswith("verified: 600 records of 7 relationships\n  log of 600 records, root ")
    assert "cosigned by witness.example/w1 at 2025-11-24T12:00:00Z" in out


def test_the_tiles_are_verified(verify: Verify, house: Path) -> None:
    code, out, _ = verify("tiles", house, *VKEY)
    assert (code, out.splitlines()[0]) == (0, "verified: 600 hashes in tiles, 600 records in bundles of entries")


def test_an_empty_log_is_verified(verify: Verify, house: Path) -> None:
    shutil.rmtree(house / "tile")
    (house / "export.jsonl").write_bytes(b"")
    (house / "checkpoint").write_bytes(checkpoint(0).encode())
    assert verify("leaves", house / "export.jsonl", house / "checkpoint", *VKEY)[0] == 0
    assert verify("tiles", house, *VKEY)[0] == 0


def test_full_tiles_may_replace_partial_ones_and_newer_ones_are_left_out(verify: Verify, house: Path) -> None:
    shutil.rmtree(house / "tile")
    write_tiles(house, records(SIZE + 300), SIZE)
    for partial in house.glob("tile/**/*.p/*"):
        if partial.parent.with_suffix("").exists():
            partial.unlink()
    assert verify("tiles", house, *VKEY)[1].splitlines()[1] == "  6 tiles are newer than the checkpoint and were not verified"


# Trust


def test_no_other_key_origin_or_witness_will_do(verify: Verify, house: Path) -> None:
    proof = ("bundle", house / "17.tlog-proof", house / "17.leaf")
    stranger, witness = Signer(ORIGIN, b"x" * 32), WITNESS_SIGNERS[0].key
    assert "no trusted key signed" in verify(*proof, "--vkey", stranger.key)[2]
    assert verify(*proof, "--vkey", stranger.key, *VKEY)[0] == 0  # after a rotation
    assert "is of 'ledger.example/sales', not of 'other'" in verify(*proof, *VKEY, "--origin", "other")[2]
    assert "0 trusted witnesses cosigned the checkpoint, 1 are asked for" in verify(*proof, *VKEY, "--witness", witness)[2]
    assert verify(*proof, *VKEY, "--witness", witness, "--quorum", "0")[0] == 0
    assert "not the Ed25519 key of a log" in verify(*proof, "--vkey", witness)[2]
    assert "not the Ed25519 key of a witness" in verify(*proof, *VKEY, "--witness", LOG_SIGNER.key)[2]
    whole = ("leaves", house / "export.jsonl", house / "checkpoint", *VKEY)
    assert verify(*whole, "--witness", witness, "--witness", witness)[0] == 0
    assert "1 trusted witnesses cosigned" in verify(*whole, "--witness", witness, "--witness", WITNESS_SIGNERS[1].key)[2]


def test_a_forged_cosignature_spoils_the_checkpoint(verify: Verify, house: Path) -> None:
    note = Note.parse((house / "checkpoint").read_bytes())
    later = msgspec.structs.replace(note.signatures[1], signature=bytes(8) + note.signatures[1].signature[8:])
    (house / "checkpoint").write_bytes(Note(note.text, (note.signatures[0], later)).encode())
    arguments = ("tiles", house, *VKEY)
    assert verify(*arguments)[0] == 0  # an unknown key's signature counts for nothing
    assert "the cosignature of witness.example/w1 on the checkpoint is wrong" in verify(*arguments, "--witness", WITNESS_SIGNERS[0].key)[2]


def test_a_log_that_signed_two_histories_is_found_out(verify: Verify, house: Path) -> None:
    """The attacker has the signing key and recomputes everything; an old checkpoint is at hand."""
    history = records(SIZE)[:]
    history[99] = msgspec.structs.replace(history[99], event=b'{"specversion":"1.0","id":"100","source":"/crm","data":{}}')
    leaf_hashes = [leaf_hash(encode_leaf(stored)) for stored in history]
    note = Checkpoint(ORIGIN, SIZE, Frontier().extended(leaf_hashes).root()).signed(LOG_SIGNER)
    (house / "export.jsonl").write_bytes(exported(history))
    (house / "checkpoint").write_bytes(note.encode())
    assert verify("leaves", house / "export.jsonl", house / "checkpoint", *VKEY)[0] == 0
    honest = (house / "new.proof").read_bytes()
    (house / "new.proof").write_bytes(honest.partition(b"\n\n")[0] + b"\n\n" + note.encode())
    assert (
        "does not continue that of size 345: history was rewritten"
        in verify("consistency", house / "old.checkpoint", house / "new.proof", *VKEY)[2]
    )
    (house / "old.checkpoint").write_bytes(checkpoint(SIZE).encode())
    (house / "new.proof").write_bytes(b"old 600\n\n" + note.encode())
    assert "two different logs of size 600 were signed" in verify("consistency", house / "old.checkpoint", house / "new.proof", *VKEY)[2]


# What was altered is found


def flipped(raw: bytes, at: int, by: int) -> bytes:
    return bytes([*raw[:at], raw[at] ^ by, *raw[at + 1 :]])


@pytest.mark.parametrize("name", ["17.tlog-proof", "17.leaf", "old.checkpoint", "new.proof"])
def test_any_changed_byte_of_a_proof_is_found(verify: Verify, house: Path, name: str) -> None:
    random_, path = random.Random(name), house / name
    if name.startswith("17"):
        arguments: tuple[object, ...] = ("bundle", house / "17.tlog-proof", house / "17.leaf", *VKEY)
    else:
        arguments = ("consistency", house / "old.checkpoint", house / "new.proof", *VKEY)
    right = path.read_bytes()
    for _ in range(30):
        path.write_bytes(flipped(right, random_.randrange(len(right)), random_.randint(1, 255)))
        assert verify(*arguments)[0] == 1
    for wrong in right[:-1], right + b"\n", right[1:], b"":
        path.write_bytes(wrong)
        assert verify(*arguments)[0] == 1
    path.unlink()
    assert verify(*arguments)[0] == 1


def test_any_changed_byte_of_an_export_is_found(verify: Verify, house: Path) -> None:
    random_, path = random.Random("export"), house / "export.jsonl"
    right = path.read_bytes()
    for _ in range(60):
        path.write_bytes(flipped(right, random_.randrange(len(right)), random_.randint(1, 255)))
        assert verify("leaves", path, house / "checkpoint", *VKEY)[0] == 1


def attacks(random_: random.Random, history: list[Stored]) -> Iterator[list[Stored]]:
    """``history`` with a record swapped, removed, inserted, repeated or moved, at random places."""
    one, other = sorted(random_.sample(range(len(history)), 2))
    swapped, moved = history[:], history[:]
    swapped[one], swapped[other] = swapped[other], swapped[one]
    moved.insert(one, moved.pop(other))
    yield swapped
    yield moved
    yield history[:one] + history[one + 1 :]
    yield [*history[:one], record(999), *history[one:]]
    yield [*history[:one], history[other], *history[one:]]
    yield [*history[:one], history[other], *history[one + 1 :]]
    yield history[:-1]
    yield history[1:]
    yield [*history, record(len(history) + 1)]


def test_records_swapped_removed_inserted_or_moved_are_found_also_when_all_is_numbered_anew(verify: Verify, house: Path) -> None:
    random_, path, history = random.Random("rows"), house / "export.jsonl", records(SIZE)
    for _ in range(4):
        for attacked in attacks(random_, history):
            for given_out in attacked, forged(attacked):
                path.write_bytes(exported(given_out))
                assert verify("leaves", path, house / "checkpoint", *VKEY)[0] == 1


def test_the_line_that_is_wrong_is_named(verify: Verify, house: Path) -> None:
    history, path = records(SIZE), house / "export.jsonl"
    arguments = ("leaves", path, house / "checkpoint", *VKEY)
    path.write_bytes(exported(history[:41] + history[42:]))
    assert "line 42 should be position 42 and version 7 of 'customer/1'" in verify(*arguments)[2]
    path.write_bytes(exported(history).replace(b'"position":42,', b'"position": 42,'))
    assert "line 42 is not a record as the ledger writes it: it was written anew" in verify(*arguments)[2]
    path.write_bytes(exported(history[:-1]))
    assert "599 records were given, the log had 600" in verify(*arguments)[2]
    path.write_bytes(exported(forged([*history[:41], history[40], *history[42:]])))
    assert "a record was altered" in verify(*arguments)[2]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"7",
        b"null",
        b'"x"',
        b"[" * 100_000,
        b"9" * 5_000,
        b'{"position":true}',
        b"\xff",
        b'{"position":1,"version":NaN}',
    ],
)
def test_lines_that_are_no_records_are_refused(verify: Verify, house: Path, line: bytes) -> None:
    path = house / "export.jsonl"
    path.write_bytes(line + b"\n")
    assert "line 1 is not a record" in verify("leaves", path, house / "checkpoint", *VKEY)[2]


@pytest.mark.parametrize("field", ["position", "version", "recorded_us", "relationship", "type", "event"])
@pytest.mark.parametrize("value", [None, True, 1.0, -1, 2**64, "x", [], {}, "\ud800"])
def test_fields_of_another_kind_are_refused(verify: Verify, house: Path, field: str, value: object) -> None:
    fields: dict[str, Any] = msgspec.structs.asdict(record(1)) | {"event": record(1).event.decode()} | {field: value}
    path = house / "export.jsonl"
    line = json.dumps(fields, ensure_ascii=value == "\ud800", separators=(",", ":")).encode()
    path.write_bytes(line + b"\n" + exported(records(SIZE)[1:]))
    assert verify("leaves", path, house / "checkpoint", *VKEY)[0] == 1


def test_any_changed_byte_of_a_tile_or_a_bundle_of_entries_is_found(verify: Verify, house: Path) -> None:
    random_ = random.Random("tiles")
    files = sorted(path for path in house.glob("tile/**/*") if path.is_file())
    assert len(files) == 12
    for path in files:
        right = path.read_bytes()
        for _ in range(6):
            path.write_bytes(flipped(right, random_.randrange(len(right)), random_.randint(1, 255)))
            assert verify("tiles", house, *VKEY)[0] == 1
        for wrong in {right[:-1], right + b"\0", right[32:] + right[:32], b""} - {right}:
            path.write_bytes(wrong)
            assert verify("tiles", house, *VKEY)[0] == 1
        path.write_bytes(right)
    assert verify("tiles", house, *VKEY)[0] == 0


def test_tiles_made_anew_for_another_history_are_found(verify: Verify, house: Path) -> None:
    random_ = random.Random("made anew")
    for attacked in attacks(random_, records(SIZE)):
        shutil.rmtree(house / "tile")
        write_tiles(house, forged(attacked))
        assert verify("tiles", house, *VKEY)[0] == 1


def test_tiles_swapped_removed_or_added_are_found(verify: Verify, house: Path) -> None:
    tiles = ("tiles", house, *VKEY)
    one, other, spare = house / "tile/0/000", house / "tile/0/001", house / "spare"
    for source, target in (one, spare), (other, one), (spare, other):
        source.rename(target)
    assert "tile/1/000.p/2 does not follow from the tiles below it" in verify(*tiles)[2]
    one.unlink()
    assert f"{one} is missing" in verify(*tiles)[2]
    write_tiles(house, records(SIZE))
    (house / "tile/1/000.p/2").unlink()
    assert "tile/1/000.p/2 is missing" in verify(*tiles)[2]
    write_tiles(house, records(SIZE))
    (house / "tile/0/0").write_bytes(bytes(32))
    assert "'tile/0/0' is no tile" in verify(*tiles)[2]


def test_the_altered_record_in_a_bundle_of_entries_is_named(verify: Verify, house: Path) -> None:
    leaves = [encode_leaf(stored) for stored in records(WIDTH)]
    leaves[41] = encode_leaf(record(43))
    (house / "tile/entries/000").write_bytes(encode_entries(leaves))
    assert "tile/entries/000: position 42 was altered" in verify("tiles", house, *VKEY)[2]


def test_a_log_that_states_wrong_positions_itself_is_found_out(verify: Verify, house: Path) -> None:
    leaf = encode_leaf(record(5))
    note = Checkpoint(ORIGIN, 1, leaf_hash(leaf)).signed(LOG_SIGNER).encode()
    (house / "proof").write_bytes(b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + note)
    (house / "leaf").write_bytes(leaf)
    assert "says position 5 at position 1" in verify("bundle", house / "proof", house / "leaf", *VKEY)[2]


# Its Ed25519 is as strict as ours


STANDALONE = runpy.run_path(str(SCRIPT))


def standalone_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    return bool(STANDALONE["ed25519_verifies"](STANDALONE["decode_point"](public), message, signature))


@settings(max_examples=15)
@given(st.binary(min_size=32, max_size=32), st.text(st.characters(codec="utf-8")), st.integers(0, 63), st.integers(1, 255))
def test_it_verifies_what_cryptography_verifies(seed: bytes, text: str, at: int, by: int) -> None:
    signer = Signer("a", seed)
    signature = signer.sign(text)
    assert standalone_verifies(signer.key.public, text.encode(), signature)
    assert not standalone_verifies(signer.key.public, text.encode() + b"x", signature)
    assert not standalone_verifies(signer.key.public, text.encode(), flipped(signature, at, by))
    assert not signer.key.verify(text, flipped(signature, at, by))


def test_a_second_form_of_a_signature_is_refused() -> None:
    """S + L would satisfy the equation too; only S below L is one signature in one form."""
    signature = LOG_SIGNER.sign("text\n")
    s = int.from_bytes(signature[32:], "little") + STANDALONE["L"]
    malleated = signature[:32] + s.to_bytes(32, "little")
    assert not standalone_verifies(LOG_SIGNER.key.public, b"text\n", malleated)
    assert not LOG_SIGNER.key.verify("text\n", malleated)
    for wrong in signature[:-1], signature + b"\0", b"":
        assert not standalone_verifies(LOG_SIGNER.key.public, b"text\n", wrong)


@given(st.one_of(st.binary(min_size=32, max_size=32), st.sampled_from([0, 1, 2, P - 1, P, P + 1]).map(lambda y: y.to_bytes(32, "little"))))
def test_it_takes_the_keys_that_the_ledger_takes(public: bytes) -> None:
    point = STANDALONE["decode_point"](public)
    taken = point is not None and STANDALONE["times"](8, point) != STANDALONE["ZERO"]
    try:
        VerifierKey("a", LOG, public)
    except MalformedError:
        assert not taken
    else:
        assert taken


def test_keys_for_which_anybody_can_sign_are_refused(verify: Verify, house: Path) -> None:
    typed = b"\x01" + bytes(32)
    key_id = hashlib.sha256(b"a\n" + typed).hexdigest()[:8]
    vkey = f"a+{key_id}+{base64.b64encode(typed).decode()}"
    proof = ("bundle", house / "17.tlog-proof", house / "17.leaf")
    assert "anybody can sign" in verify(*proof, "--vkey", vkey)[2]
    assert "has the wrong id" in verify(*proof, "--vkey", str(LOG_SIGNER.key).replace("+", "+0", 1))[2]
    assert "is not base64" in verify(*proof, "--vkey", "nothing")[2]
