"""Where views stand: a SQLite file or a PostgreSQL schema. All SQL about views is here, and nothing about events or folds.

``interface.py`` says what a store does for ``views.py`` (reads) and for ``keeper.py`` and ``rebuild.py`` (a ``Writer``), ``slices.py``
how relationships are parted among workers and ``leases.py`` who has which part, ``indexes.py`` which index answers a question. The rest is
SQLite's (``sqlite*.py``) or PostgreSQL's.
"""
