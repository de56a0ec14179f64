"""Answers that are up to date: the views of a ledger, brought to its end first when no worker keeps them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from ledger.ledger import Ledger
from projections.projection import Projection
from projections.queries import Reader
from projections.rebuild import stale
from projections.registry import projections
from projections.runner import Runner
from projections.scoring.policy import load
from projections.views import Views
from schemas.errors import StoreUnavailableError
from service.clock import now_us
from service.settings import Settings
from service.stores import open_ledger, views_path

FIRST_BUILD_S = 30.0  # how long a question waits for a worker that is just building the views
LOOK_S = 0.05
NEAR_EVENTS = 2_000  # a worker this close behind is current: it folds them faster than anybody asks


def open_views(settings: Settings) -> Views:
    """The views of that ledger."""
    path = views_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    return Views.open(path)


@contextmanager
def open_runner(ledger: Ledger, views: Views) -> Iterator[Runner]:
    """What keeps the views. The caller holds the worker's lock."""
    with closing(Runner(ledger, views, projections(load()), clock=now_us)) as runner:
        yield runner


@contextmanager
def open_reader(settings: Settings, *, notice: Callable[[str], None]) -> Iterator[Reader]:
    """Answers from the views, brought up to date first when no worker runs.

    ``notice`` is told when there is something to wait for.

    Raises:
        SettingsError: there is no ledger yet.
        StoreUnavailableError: the ledger or the views cannot be read, or a worker is still building them.
    """
    policy = load()
    with open_ledger(settings, read_only=True) as ledger, closing(open_views(settings)) as views:
        _bring_up_to_date(ledger, views, projections(policy), notice)
        yield Reader(ledger, views, policy)


def _bring_up_to_date(ledger: Ledger, views: Views, kept: Sequence[Projection], notice: Callable[[str], None]) -> None:
    """Let the views follow the log: fold here when nobody else does, else give the worker a moment."""
    deadline_s = time.monotonic() + FIRST_BUILD_S
    told = False
    while (behind := _behind(ledger, views, kept)) > 0:
        lock = views.try_lock()
        if lock is not None:
            if behind > NEAR_EVENTS:
                notice(f"bringing the views up to date, {behind:,} events ...")
            with lock, open_runner(ledger, views) as runner:
                runner.catch_up()
            return
        if behind <= NEAR_EVENTS and not stale(views, kept):
            return
        if not told:
            notice(f"a worker is bringing the views up to date, {behind:,} events to go ...")
            told = True
        if time.monotonic() > deadline_s:
            raise StoreUnavailableError(f"the views are {behind:,} events behind, a worker is at it: ask again, or see `rledger doctor`")
        time.sleep(LOOK_S)


def _behind(ledger: Ledger, views: Views, kept: Sequence[Projection]) -> int:
    """Events of the log that some view does not have yet; all of them where a view must be built anew."""
    head = ledger.head().position
    if stale(views, kept):
        return max(head, 1)
    progress = views.progress()
    return head - min(progress[one.name].position for one in kept)
