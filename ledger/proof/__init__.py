"""Proof that the log is whole: its Merkle tree, signed checkpoints, proofs and tiles, as pure functions over bytes.

Formats are RFC 9162's tree and C2SP's signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof and tlog-tiles. No database, no clock,
no file: hashes, keys and moments arrive as arguments. ``bin/verify-ledger`` reads the same formats and shares no line with this.
Imports ``schemas`` and ``cryptography``.
"""
