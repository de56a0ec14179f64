"""How quality is measured: evidence that fades, one file per dimension, two models, one policy.

Pure functions of small states. ``evidence.py`` has the arithmetic, ``policy.toml`` every number with its unit and source,
``models.py`` which touchpoint speaks for which dimension of a customer and of a partner.
"""
