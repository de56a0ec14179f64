"""What an auditor is given, and what gives it: signing keys, checkpoints and where they are anchored, proofs, witnesses, verification.

The formats and hashes are ``ledger/proof``'s; here are the files, the clock and who may do what.
"""
