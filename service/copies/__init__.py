"""What leaves the ledger as files and may come back: exports for whoever asks, backups for the day the store is lost.

Both hold the records as they stand, line by line, under a manifest that names every file with its hash and the signed checkpoint that
all rests on.
"""
