"""Where views stand: a SQLite file or a PostgreSQL schema. All SQL about views is here, and nothing about events or folds.

``interface.py`` says what a store does for ``views.py`` (reads) and for ``keeper.py`` and ``rebuild.py`` (a ``Writer``).
"""
