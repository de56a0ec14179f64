"""The log: append touchpoints exactly once, in order, for ever, and read them back.

Imports only ``schemas``. SQL lives in the recorders (``sqlite.py``, ``postgres.py``) and nowhere else;
``ledger.py`` is what the rest of the house talks to.
"""
