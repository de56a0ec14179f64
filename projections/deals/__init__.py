"""Deals: what terms give each side, what both could have had instead, what to offer; negotiations and contracts as views.

``negotiations.py`` and ``contracts.py`` keep a row each. The rest are pure functions; a relationship's present state arrives as an
argument. ``gains.py`` has the one definition of a gain and what stands in for what we do not know of the other side, ``frontier.py`` the
terms that waste nothing and the points on them that theory calls fair, ``evaluate.py`` puts them together into the answer, ``effects.py``
says what the deal would do to the relationship.
"""
