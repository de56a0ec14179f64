"""What a projection worker does, again and again: make the views ready for this program, then follow the log.

It pulls: whatever the log has behind its position is folded and committed, from one event when live to tens of thousands when catching up.
"""

from collections.abc import Callable, Collection, Sequence

from ledger.ledger import Ledger
from projections.keeper import READ_EVENTS, Keeper, Retried
from projections.projection import Projection
from projections.rebuild import Rebuilt, rebuild, stale, tidy
from projections.sharing import level
from projections.stores.slices import EVERYTHING, Share
from projections.views import Views


class Runner:
    """Keeps ``projections`` in ``views``, of ``share``, which the caller holds (``try_lock`` or ``join``). One thread at a time.

    Every method may raise ``StoreUnavailableError`` (nothing was lost, call it again later) or ``LeaseLostError`` (take part anew).
    """

    def __init__(
        self, ledger: Ledger, views: Views, projections: Sequence[Projection], *, clock: Callable[[], int], share: Share = EVERYTHING
    ) -> None:
        self._ledger, self._views, self._projections, self._clock = ledger, views, projections, clock
        self._keeper = Keeper(ledger, views, projections, clock=clock, share=share)
        self._prepared = False

    @property
    def position(self) -> int:
        """Of the last event that stands in the views."""
        return self._keeper.position

    def prepare(self) -> None:
        """Rebuild the views that this program folds otherwise than they stand there, and try the parked again. Later calls do nothing."""
        if self._prepared:
            return
        tidy(self._ledger, self._views)
        if names := stale(self._views, self._projections):
            self.rebuild(names)
        level(self._ledger, self._views, self._projections, self._keeper.writer, clock=self._clock)
        self.retry_parked()
        self._prepared = True

    def rebuild(self, names: Collection[str]) -> list[Rebuilt]:
        """Make some views anew beside the live ones and swap: see ``rebuild.rebuild``."""
        return rebuild(self._ledger, self._views, self._projections, names=names, clock=self._clock)

    def retry_parked(self) -> Retried:
        """Fold the waiting events of parked relationships again."""
        return self._keeper.retry_parked()

    def run_once(self) -> int:
        """Fold what is there, at most one commit of it, then publish some of the rows that a close of day left to do.

        Returns: events folded and rows published; 0: the views are current, and ``Ledger.wait`` tells when they no longer are.
        """
        self.prepare()
        events = self._keeper.advance()
        return events + (self._keeper.sweep() if events < READ_EVENTS else 0)

    def catch_up(self) -> int:
        """Fold all that the log holds at this moment, and publish what is left to. Returns: events folded."""
        self.prepare()
        return self._keeper.catch_up(upto=self._ledger.head().position)

    def close(self) -> None:
        self._keeper.close()
