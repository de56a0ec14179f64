"""Deals: what terms give each side, what both could have had instead, what to offer; negotiations and contracts as views.

``negotiations.py`` and ``contracts.py`` keep a row each. The rest are pure functions; a relationship's present state arrives as an
argument: ``frontier.py`` has the terms that waste nothing and the points on them that theory calls fair, ``cautions.py`` what to warn of,
``effects.py`` what the deal would do to the relationship, ``evaluate.py`` puts them together into the answer. What a gain is, and what
stands in for what we do not know of the other side, is in ``projections/scoring/gains.py``. Imports ``projections/scoring``.
"""
