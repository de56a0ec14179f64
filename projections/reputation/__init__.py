"""Reputation: how our own conduct stands with all who deal with us, what costs the most, what each remedy would gain.

``topics.py`` says which touchpoint is conduct of ours, ``conduct.py`` keeps one row per relationship, ``parties.py`` reads them all at
once, ``pool.py`` adds them up so that nobody dominates and tells how sure the sums are, ``company.py`` makes the answers of them,
``groups.py`` those by kind, segment and month. Imports ``projections/scoring``.
"""
