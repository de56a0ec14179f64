"""Acquisition: how good relationships are later, by how they began; whom to attract, which partners to open, what to offer them.

``firsts.py`` says what a touchpoint is a first experience of, ``days.py`` remembers the first days, ``beginnings.py`` keeps one row per
relationship of them, ``began.py`` parts these, ``shrinking.py`` draws the means of few towards the mean of all, ``cohorts.py`` tells how
good each cohort is, ``incentives.py`` compares matched relationships, ``proposals.py`` ranks what to do, ``answer.py`` is all of it.
Imports ``projections/scoring``, ``projections/actions`` and ``projections/partners``.
"""
