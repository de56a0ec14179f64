"""The log: append touchpoints exactly once, in order, for ever, and read them back.

Imports only ``schemas``. ``ledger.py`` is what the rest of the house talks to, ``plan.py`` decides what an append writes and answers, and
all SQL is in the recorders and the modules beside them, ``sqlite*.py`` and ``postgres*.py``.
"""
