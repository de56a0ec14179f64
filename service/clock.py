"""The clock of the house. Everything below ``service/`` is handed its moments."""

import time


def now_us() -> int:
    """Microseconds since 1970 UTC, by this machine's clock."""
    return time.time_ns() // 1000
