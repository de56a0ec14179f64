"""Fit the policy to a company's own ledger and test it out of sample: pure functions from events to a report and a proposal.

``observed`` gathers the events, ``purchases``, ``deliveries`` and ``peers`` fit on the earlier part, ``questions`` asks
what the later part knows, ``baselines`` answers them plainly, ``measures`` says how well, ``calibrate`` brings it together. May import what
``projections`` may, and SciPy.
"""
