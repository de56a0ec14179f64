"""What all cases share: the items of evidence a case gives."""

import msgspec


class Item(msgspec.Struct, frozen=True, gc=False):
    """Evidence from a case.

    dimension: its name. at_us: the moment it fades from. since_us: the moment it counts from, not before ``at_us``.
    by: the tie of the touchpoint it is put down to. minus may be below 0: a recovery takes back what was lost.
    """

    dimension: str
    at_us: int
    since_us: int
    plus: float
    minus: float
    ours: bool
    by: int


class CaseBase(msgspec.Struct, array_like=True, gc=False):
    """Encoded as an array, its tag first, so that a state with many cases stays small."""
