"""Partners as those who buy from them look at them: scorecards, rates, exposure, and where time and money leak.

``scorecards.py`` keeps a row per partner and month, ``supply.py`` one per partner with its items, contracts and disruptions, ``rates.py``
one per item with its rate now and before. ``period.py`` adds scorecards up, ``prices.py`` holds what was paid against the market,
``exposure.py`` says how dependent we are, ``leaks.py`` what goes wrong costs a month, ``queries.py`` puts the answers together. Imports
``projections/scoring``.
"""
