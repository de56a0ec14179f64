"""Calendar months in UTC, as numbers that can be counted with: year * 12 + month - 1."""

from datetime import UTC, datetime
from functools import lru_cache

from schemas.touchpoint import microseconds, moment

DAY_US = 86_400_000_000
YEAR_MONTHS = 12


def month_of(at_us: int) -> int:
    """The month of a moment."""
    return _month_of_day(at_us // DAY_US)


@lru_cache(maxsize=1024)
def month_name(month: int) -> str:
    """``2026-05``."""
    year, index = divmod(month, YEAR_MONTHS)
    return f"{year:04}-{index + 1:02}"


@lru_cache(maxsize=1024)
def month_number(name: str) -> int:
    """The month called so."""
    year, month = name.split("-")
    return int(year) * YEAR_MONTHS + int(month) - 1


def month_start(month: int) -> int:
    """The first moment of a month; ``month_start(month + 1)`` is its end."""
    year, index = divmod(month, YEAR_MONTHS)
    return microseconds(datetime(year, index + 1, 1, tzinfo=UTC))


@lru_cache(maxsize=8192)
def _month_of_day(day: int) -> int:
    """A day's month. Remembered: touchpoints fall on few days, and working a month out takes ten times as long as looking it up."""
    at = moment(day * DAY_US)
    return at.year * YEAR_MONTHS + at.month - 1
