"""Slices of relationships that stand at different positions, brought to one; and the slices cut anew."""

from collections.abc import Callable, Sequence
from contextlib import closing

from ledger.ledger import Ledger
from projections.keeper import Keeper
from projections.projection import Projection
from projections.rebuild import RebuildUnderWayError
from projections.stores.interface import Writer
from projections.stores.slices import BUCKETS, even
from projections.views import Views
from schemas.errors import SettingsError


def level(ledger: Ledger, views: Views, projections: Sequence[Projection], writer: Writer, *, clock: Callable[[], int]) -> None:
    """Bring the slices of ``writer``'s share that were left behind by whoever had them to where the others are."""
    parts = writer.parts([one.name for one in projections])
    for part in parts[:-1]:
        behind = Keeper(ledger, views, projections, clock=clock, share=part.share, writer=writer.within(part.share))
        while behind.advance(upto=parts[-1].position):
            pass


def reslice(ledger: Ledger, views: Views, projections: Sequence[Projection], count: int, *, clock: Callable[[], int]) -> None:
    """Cut the relationships into ``count`` slices, in one commit; nothing is rebuilt. Workers share the new ones within seconds.

    Slices that come together are first brought to one position, while no worker may write.

    Raises:
        SettingsError: a count that cannot be.
        RebuildUnderWayError: a rebuild is under way.
        StoreUnavailableError: nothing was changed, try again.
    """
    if not 1 <= count <= BUCKETS:
        raise SettingsError(f"{count} slices cannot be: expected 1 to {BUCKETS}")
    lock = views.try_lock("rebuild")
    if lock is None:
        raise RebuildUnderWayError(f"{views.place}: a rebuild is under way; wait until it is done")
    with lock, closing(views.writer()) as writer, writer.transaction():
        writer.revoke()
        level(ledger, views, projections, writer, clock=clock)
        writer.reslice(even(count))
