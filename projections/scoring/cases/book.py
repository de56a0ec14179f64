"""Keeping cases: touchpoints find theirs, and closed ones beyond the few that are remembered become plain sums and stay settled."""

from projections.scoring.cases import Case
from projections.scoring.policy import Policy
from schemas.identity import digest
from schemas.touchpoint import Recorded


def tell(cases: dict[str, Case], settled: dict[int, int], case_type: type[Case], event: Recorded, policy: Policy) -> bool:
    """Add a touchpoint to its case, begun where there is none. False: that case is settled, and a second report on it is no evidence."""
    key = case_type.key(event.data)  # type: ignore[arg-type]  # callers pair each data with its case
    case = cases.get(key)
    if case is None:
        if settled and _number(key) in settled:
            return False
        case = cases[key] = case_type()
    case.take(event, event.data, policy)  # type: ignore[arg-type]
    return True


def settle(cases: dict[str, Case], settled: dict[int, int]) -> tuple[Case, int] | None:
    """Take out the closed case that ended first, with the moment it did; its evidence no longer changes. None: every case is open."""
    closed = [(ended, key) for key, case in cases.items() if (ended := case.closed_us) is not None]
    if not closed:
        return None
    ended, key = min(closed)
    settled[_number(key)] = ended
    return cases.pop(key), ended


def _number(key: str) -> int:
    """A number for a case's key, eight bytes where the key may have two hundred."""
    return int.from_bytes(digest(key, "")[:8], "big")
