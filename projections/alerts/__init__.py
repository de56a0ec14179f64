"""Alerts: what somebody should see to, opened and closed by folds, so that a replay raises the same ones.

``alert.py`` has the shapes, ``book.py`` how alerts open, lapse and close and how time passes for them; then one file per family of causes
(``care.py``, ``terms.py``, ``again.py``, ``rhythm.py``, ``turning.py``), what people do with them (``handling.py``), the projection
(``view.py``) and the questions (``queries.py``).
"""
