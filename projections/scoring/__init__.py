"""How quality is measured: evidence that fades, one file per dimension, two models, one policy.

Pure functions of small states. ``evidence.py`` has the arithmetic, ``policy.toml`` every number with its unit and source and ``policy/``
its types, ``models.py`` which touchpoint speaks for which dimension of a customer and of a partner. Imports nothing of the other rooms of
``projections/``.
"""
