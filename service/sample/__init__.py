"""A sample to look at: two years of plausible touchpoints with about 300 invented customers and partners, and the truth behind each.

Everything is drawn from a seed; no clock is read. Start with ``stories.py`` (what may be true of a relationship), then
``generator.py`` (``generate``, ``truths``) and ``trickle.py`` (how it goes on).
"""

from service.sample.generator import SPAN_DAYS, Truth, first, generate, truths
from service.sample.trickle import trickle

__all__ = ["SPAN_DAYS", "Truth", "first", "generate", "trickle", "truths"]
