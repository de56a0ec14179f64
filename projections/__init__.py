"""From events to views: pure folds, the scoring, the runner that keeps the tables, and typed reads of them.

Imports ``ledger`` and ``schemas``. Folds know no clock, no database and no log; ``runner.py`` is the thin shell around them.
Start with ``projection.py`` (what a projection is) and ``relationships.py`` (the main one).
"""
