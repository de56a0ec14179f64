"""Actions and whether they worked: each compared with similar relationships that had none.

``effects.py`` matches and tells the effect, purely; ``courses.py`` tells quality before and after from the log.
"""
