"""The projection worker: the ledger into views and tiles, every day closed and its log signed. Several share the views.

When a policy is adopted, one worker makes the views anew under it beside those that all go on keeping, and swaps them.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import structlog

from ledger.ledger import Ledger
from projections import sharing
from projections.keeper import Retried
from projections.policies import Adoption, Policies
from projections.rebuild import RebuildUnderWayError, rebuild, stale
from projections.registry import projections
from projections.scoring.policy import Policy
from projections.scoring.policy_file import PolicyError
from projections.stores.interface import Lock
from projections.stores.slices import Share
from projections.views import PolicySupersededError, Views
from schemas.errors import LeaseLostError, StoreBusyError, StoreUnavailableError
from service.audit.schedule import Schedule
from service.clock import now_us
from service.days import DayCloser
from service.delivering import delivering
from service.noting import Noter
from service.reading import open_runner, standing
from service.settings import Settings
from service.stores import open_ledger, open_views

WAIT_S = 1.0  # between two looks at a quiet log, and at what others do; also how long a stop may take
AGAIN_S = 2.0  # after the store was unavailable

log = structlog.get_logger()


def project(settings: Settings, stopped: Callable[[], bool]) -> None:
    """The ledger into the views until ``stopped``. A worker with nothing to do stands by until another one is gone."""
    with open_ledger(settings) as ledger, closing(open_views(settings)) as views, views.join() as part, delivering(ledger, views, settings):
        with closing(_Worker(settings, ledger, views, part, stopped)) as worker:
            while not stopped():
                _try(worker)
        log.info("worker.stopped", position=worker.position)


def _try(worker: "_Worker") -> None:
    """Work, until there is something to begin anew with; what others are in the middle of, or a store that is away, is waited for."""
    try:
        worker.work()
    except PolicySupersededError as error:
        log.info("policy.superseded", view=error.view)
    except RebuildUnderWayError as error:
        log.debug("rebuild.awaited", reason=str(error))
        time.sleep(WAIT_S)
    except StoreBusyError as error:
        log.debug("writer.in_the_way", error=str(error))
    except PolicyError as error:
        log.warning("policy.refused", error=str(error), again_in_s=AGAIN_S)
        time.sleep(AGAIN_S)
    except LeaseLostError as error:
        log.warning("lease.lost", error=str(error), again_in_s=WAIT_S)
        time.sleep(WAIT_S)
    except StoreUnavailableError as error:
        log.warning("store.unavailable", error=str(error), again_in_s=AGAIN_S)
        time.sleep(AGAIN_S)


class _Worker:
    """What one worker keeps: ``part`` says of it which slices are its own."""

    def __init__(self, settings: Settings, ledger: Ledger, views: Views, part: Lock, stopped: Callable[[], bool]) -> None:
        self._ledger, self._views, self._part, self._stopped = ledger, views, part, stopped
        self._days, self._policies, self._audit = DayCloser(ledger), Policies(ledger), Schedule(settings, ledger)
        self._noter = Noter(ledger, views)
        self._told: Share | str = "nothing yet"
        self._beside = ThreadPoolExecutor(1, "rebuild")
        self._making: Future[None] | None = None
        self._closed = False
        self.position = 0

    def work(self) -> None:
        """Keep what is ours as the views stand, until that, the policy in force or our share changes.

        One worker makes views anew that follow another policy, in a thread; where none stand that this program could keep, the others wait.

        Raises:
            PolicySupersededError: another process made the views under another policy.
            RebuildUnderWayError: somebody else is making the views that this program needs.
            PolicyError: this program cannot follow the policy in force.
            LeaseLostError: another worker has taken over what was ours.
            StoreUnavailableError: nothing was lost, try again later.
        """
        if self._making is not None and self._making.done():
            made, self._making = self._making, None
            made.result()  # raises what was raised there
        share = self._part.look()
        self._tell(share)
        if share == ():
            time.sleep(WAIT_S)
            return
        first = share is None or share[0].first == 0  # one of us makes views, signs, and notes what the views say of the day
        self._policies.refresh()
        adopted, wanted = self._policies.newest, self._policies.in_force
        policy = standing(self._views, self._policies)
        if policy is None and not first:
            time.sleep(WAIT_S)
            return
        if policy is not None and policy.digest != wanted.digest and first and self._making is None:
            self._making = self._beside.submit(self._make, wanted, adopted)
        policy = policy or wanted
        log.info("policy.followed", version=policy.version, digest=policy.digest)
        with open_runner(self._ledger, self._views, policy, share) as runner:
            while self._stands(share, adopted):
                self._days.close(now_us())
                folded = runner.run_once()
                noted = first and not folded and self._noter.look(policy, now_us())
                more = first and self._audit.step(now_us(), idle=not folded)
                if not (more or folded or noted):
                    self._ledger.wait(runner.position, WAIT_S)
                self.position = runner.position
                self._policies.refresh()

    def _stands(self, share: Share, adopted: Adoption | None) -> bool:
        """Whether to go on as it is."""
        made = self._making is not None and self._making.done()
        return not self._stopped() and self._part.look() == share and self._policies.newest is adopted and not made

    def _make(self, policy: Policy, adopted: Adoption | None) -> None:
        """Make the views that follow another policy anew under this one, and swap; no longer when yet another one is adopted meanwhile."""
        kept = projections(policy)
        names = stale(self._views, kept)
        log.info("views.making", policy=policy.version, views=names)
        try:
            rebuild(self._ledger, self._views, kept, names=names, clock=now_us, stopped=lambda: self._ended(adopted))
        except RebuildUnderWayError:
            time.sleep(AGAIN_S)  # in this thread: the views that stand are kept meanwhile

    def _ended(self, adopted: Adoption | None) -> bool:
        return self._closed or self._stopped() or self._policies.newest is not adopted

    def close(self) -> None:
        """End the thread, at its next commit."""
        self._closed = True
        self._beside.shutdown()

    def _tell(self, share: Share) -> None:
        """Log what we work on, when that changes."""
        if share == self._told:
            return
        if share == ():
            log.info("worker.standing-by", views=self._views.place)
        else:
            slices = [f"{one.first}-{one.beyond - 1}" for one in share or ()]
            log.info("worker.started", views=self._views.place, slices=slices)
        self._told = share


def project_once(settings: Settings) -> int:
    """Catch up and stop. Returns: the position the views have reached.

    Raises:
        StoreUnavailableError: another worker keeps these views.
    """
    with open_ledger(settings) as ledger, closing(open_views(settings)) as views:
        lock = views.try_lock()
        if lock is None:
            raise StoreUnavailableError(f"{views.place}: another worker keeps these views already; `rledger doctor` shows how far it is")
        policy = Policies(ledger).in_force  # nobody else keeps views of another one
        with lock, open_runner(ledger, views, policy, lock.look()) as runner:
            DayCloser(ledger).close(now_us())
            runner.catch_up()
            if Noter(ledger, views).look(policy, now_us()):
                runner.catch_up()
            return runner.position


def _kept(ledger: Ledger, views: Views) -> Policy:
    """The policy under which the views are kept now, or will be."""
    policies = Policies(ledger)
    return standing(views, policies) or policies.in_force


def reslice(settings: Settings, count: int) -> None:
    """Cut the relationships into ``count`` slices. Workers may go on meanwhile.

    Raises:
        SettingsError: a count that cannot be.
    """
    with open_ledger(settings, read_only=True) as ledger, closing(open_views(settings)) as views:
        sharing.reslice(ledger, views, projections(_kept(ledger, views)), count, clock=now_us)


def retry_parked(settings: Settings) -> Retried:
    """Fold the waiting events of parked relationships again. A worker may go on meanwhile."""
    freed = waiting = 0
    with open_ledger(settings, read_only=True) as ledger, closing(open_views(settings)) as views:
        policy = _kept(ledger, views)
        for share in views.slices():  # each stands at one position, whatever the others do
            with open_runner(ledger, views, policy, share) as runner:
                retried = runner.retry_parked()
                freed, waiting = freed + retried.freed, waiting + retried.waiting
    return Retried(freed, waiting)
