"""What an append may suppose of the log, so that little is looked up while it is held: which identities are new, and the newest versions.

A version that is remembered is right, or the database refuses what is made of it, for a version that is known is never taken again.
"""

REMEMBERED = 100_000  # newest versions; some 15 MB
DOUBTS_MAX = 64  # appends that look up every version after suppositions went wrong again and again


class Newest:
    """The newest versions of relationships, as this process left them.

    They are right while the log ends where it left it. Once others have appended, they are supposed to be right still; where they were not,
    so many appends look again before the next supposes, twice as many each time: that is of writers who share relationships.
    """

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._end: int | None = None
        self._supposed = False
        self._doubts = self._doubting = 0
        self.supposing = True
        """Whether the next append supposes that all its identities are new: as they were in the last one, and nothing was refused."""

    def at(self, position: int, *, supposing: bool) -> dict[str, int]:
        """What is remembered of a log that ends at ``position``; to be gone on with, and forgotten unless ``left`` is called after."""
        alone = position == self._end
        self._supposed = not alone and supposing and not self._doubting
        if self._end is None or not (alone or self._supposed) or len(self._versions) > REMEMBERED:
            self._versions = {}
        self._doubting -= bool(self._doubting) and not alone
        self._end = None
        return self._versions

    def left(self, position: int) -> None:
        """Remember: the log now ends at ``position``, durably, and what ``at`` gave is right there."""
        self._end = position
        if self._supposed:
            self._doubts = 0

    def refused(self) -> None:
        """What was supposed was wrong: doubt it for a while."""
        self.supposing = False
        self._doubts = self._doubting = min(max(1, 2 * self._doubts), DOUBTS_MAX)
