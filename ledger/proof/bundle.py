"""Proofs as files that are verified offline: a record is in the log, a log continues an earlier one.

An inclusion bundle is a C2SP tlog-proof. A consistency bundle has the form in which witnesses take it (tlog-witness ``add-checkpoint``),
so it can be sent to one as it is.

Sources: c2sp.org/tlog-proof, c2sp.org/tlog-witness.
"""

from collections.abc import Sequence
from typing import Self

import msgspec

from ledger.proof.checkpoint import Checkpoint, Opened, Trust
from ledger.proof.errors import MalformedError, UnprovenError
from ledger.proof.leaf import decode_leaf
from ledger.proof.merkle import leaf_hash, verify_consistency, verify_inclusion
from ledger.proof.text import decode_base64, decode_hash, decode_number, encode_base64
from schemas.touchpoint import Stored

PROOF_MAX = 63  # hashes: a tree of 2^63 leaves is no higher
HEADER = "c2sp.org/tlog-proof@v1"


class Inclusion(msgspec.Struct, frozen=True):
    """That leaf ``index`` (from 0: position - 1) is in the tree of ``checkpoint``, a signed note. ``extra`` is not authenticated."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The bundle's file, ``POSITION.tlog-proof``."""
        extra = () if self.extra is None else (f"extra {encode_base64(self.extra)}",)
        return _encode((HEADER, *extra, f"index {self.index}"), self.proof, self.checkpoint)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a bundle; this verifies nothing.

        Raises:
            MalformedError: it is none.
        """
        lines, checkpoint = _split(raw)
        if lines.pop(0) != HEADER:
            raise MalformedError(f"not a proof bundle, whose first line is {HEADER}")
        extra = decode_base64(lines.pop(0)[6:], "the extra data") if lines and lines[0].startswith("extra ") else None
        return cls(_number(lines, "index"), _proof(lines), checkpoint, extra)

    def verify(self, leaf: bytes, trust: Trust) -> tuple[Stored, Opened]:
        """Check that ``leaf`` is the record at its position of the log that ``trust`` names; returns it and the checkpoint it rests on.

        Raises:
            MalformedError: leaf or checkpoint cannot be read.
            UntrustedError: the checkpoint is not to be believed.
            UnprovenError: the leaf is not in its tree, or says another position.
        """
        opened = trust.open(self.checkpoint)
        verify_inclusion(leaf_hash(leaf), self.index, opened.checkpoint.size, self.proof, opened.checkpoint.root)
        stored = decode_leaf(leaf)
        if stored.position != self.index + 1:
            raise UnprovenError(f"the leaf at index {self.index} says position {stored.position}: the log itself is wrong there")
        return stored, opened


class Consistency(msgspec.Struct, frozen=True):
    """That the tree of ``checkpoint``, a signed note, begins with the tree of ``old_size``."""

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        return _encode((f"old {self.old_size}",), self.proof, self.checkpoint)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a bundle; this verifies nothing.

        Raises:
            MalformedError: it is none.
        """
        lines, checkpoint = _split(raw)
        return cls(_number(lines, "old"), _proof(lines), checkpoint)

    def verify(self, old: Checkpoint, trust: Trust) -> Opened:
        """Check that the log continues ``old``, a checkpoint seen before; returns the new one.

        Raises:
            MalformedError: the checkpoint cannot be read.
            UntrustedError: it is not to be believed.
            UnprovenError: it does not continue ``old``, or the proof starts from another size.
        """
        opened = trust.open(self.checkpoint)
        if old.origin != trust.origin or old.size != self.old_size:
            raise UnprovenError(
                f"the proof is from size {self.old_size} of {trust.origin}, not {old.size} of {old.origin}: ask for that one"
            )
        verify_consistency(old.size, old.root, opened.checkpoint.size, opened.checkpoint.root, self.proof)
        return opened


def _encode(lines: Sequence[str], proof: Sequence[bytes], checkpoint: bytes) -> bytes:
    return "\n".join((*lines, *map(encode_base64, proof), "", "")).encode() + checkpoint


def _split(raw: bytes) -> tuple[list[str], bytes]:
    """The lines before the first empty one, at least one, and what follows it."""
    head, blank, checkpoint = raw.partition(b"\n\n")
    if not (head and blank and head.isascii()):
        raise MalformedError(f"not a proof, ASCII lines and an empty one before a checkpoint: {raw[:80]!r}")
    return head.decode().split("\n"), checkpoint


def _number(lines: list[str], name: str) -> int:
    line = lines.pop(0) if lines else ""
    if not line.startswith(f"{name} "):
        raise MalformedError(f"a proof's line '{name} NUMBER' is missing: {line[:80]!r} stands there")
    return decode_number(line.removeprefix(f"{name} "), f"the {name} of a proof")


def _proof(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > PROOF_MAX:
        raise MalformedError(f"a proof of {len(lines)} hashes is longer than any tree is high, {PROOF_MAX}")
    return tuple(decode_hash(line, "a hash of the proof") for line in lines)
