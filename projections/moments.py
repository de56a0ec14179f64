"""Which moment a question is about, in both times: what had happened, and what was known."""

import msgspec

from schemas.touchpoint import Recorded


class Moments(msgspec.Struct, frozen=True):
    """Which moment is asked about.

    now_us: this moment. as_of_us: only what had happened by then counts. known_us: only what was recorded by then counts.
    """

    now_us: int
    as_of_us: int | None = None
    known_us: int | None = None

    @property
    def past(self) -> bool:
        """Whether the views cannot answer and the ledger must be folded again."""
        return self.as_of_us is not None or self.known_us is not None

    @property
    def at_us(self) -> int:
        return self.now_us if self.as_of_us is None else self.as_of_us

    @property
    def knowledge_us(self) -> int:
        return self.now_us if self.known_us is None else self.known_us

    def happened(self, event: Recorded) -> bool:
        """Whether an event had happened by then."""
        return self.as_of_us is None or event.occurred_us <= self.as_of_us

    def knew(self, recorded_us: int) -> bool:
        """Whether what was recorded at a moment was known."""
        return self.known_us is None or recorded_us <= self.known_us

    def counts(self, event: Recorded) -> bool:
        """Whether an event had happened and was known."""
        return self.happened(event) and self.knew(event.recorded_us)
