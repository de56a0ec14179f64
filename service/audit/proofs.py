"""Proofs for auditors, made from the tiles and checked before they are handed out."""

from pathlib import Path

from ledger.proof.bundle import Consistency, Inclusion
from ledger.proof.checkpoint import Checkpoint, Opened
from ledger.proof.errors import MalformedError, UnprovenError, UntrustedError
from ledger.proof.leaf import encode_leaf
from ledger.proof.merkle import consistency_proof, inclusion_proof
from ledger.proof.note import Note
from schemas.errors import NotFoundError
from service.audit.checkpoints import Checkpoints


def prove_record(checkpoints: Checkpoints, position: int, now_us: int) -> tuple[Inclusion, bytes]:
    """The proof that the record at ``position`` is in the log of the newest checkpoint, and the record's leaf.

    A checkpoint is made first where the newest is older than the record.

    Raises:
        NotFoundError: there is no such record yet.
        UnprovenError: the record is not the one that was hashed when it came.
    """
    ledger, tiles = checkpoints.ledger, checkpoints.tiles
    stored = ledger.read_sealed(after=position - 1, limit=1)
    if not stored or stored[0].position != position:
        raise NotFoundError(f"there is no event at position {position:,}; the log has {ledger.head().position:,}")
    opened = _at_least(checkpoints, position, now_us)
    size, leaf = opened.checkpoint.size, encode_leaf(stored[0])
    proof = inclusion_proof(position - 1, size, tiles.nodes(size))
    bundle = Inclusion(position - 1, tuple(proof), opened.note.encode())
    bundle.verify(leaf, checkpoints.trust())
    return bundle, leaf


def prove_growth(checkpoints: Checkpoints, old: Checkpoint | int, now_us: int) -> Consistency:
    """The proof that the log of the newest checkpoint continues ``old``: a checkpoint, or a size, 0 for a witness that knows nothing yet.

    Raises:
        UntrustedError: the checkpoint is another ledger's.
        UnprovenError: the log does not continue it.
    """
    old_size = old if isinstance(old, int) else old.size
    if isinstance(old, Checkpoint) and old.origin != checkpoints.origin:
        raise UntrustedError(f"the checkpoint is of {old.origin!r}, this ledger is {checkpoints.origin!r}: ask the other one")
    if old_size > (head := checkpoints.ledger.head().position):
        raise UnprovenError(f"the checkpoint is of {old_size:,} events, the log has {head:,}: it lost events, or is an older backup")
    opened = _at_least(checkpoints, old_size, now_us)
    size = opened.checkpoint.size
    proof = consistency_proof(old_size, size, checkpoints.tiles.nodes(size)) if old_size else ()
    bundle = Consistency(old_size, tuple(proof), opened.note.encode())
    if isinstance(old, Checkpoint) and old_size:
        bundle.verify(old, checkpoints.trust())
    return bundle


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file, whoever signed it.

    Raises:
        MalformedError: it holds none.
    """
    try:
        return Checkpoint.parse(Note.parse(path.read_bytes()).text)
    except MalformedError as error:
        raise MalformedError(f"{path}: {error}") from error


def _at_least(checkpoints: Checkpoints, size: int, now_us: int) -> Opened:
    """The newest checkpoint, if it is of that size at least; else a new one. The tiles reach it."""
    newest = checkpoints.newest()
    if newest is None or newest.checkpoint.size < size:
        checkpoints.make(now_us)
    return checkpoints.rested_on()
