"""The projection worker: the ledger into the views and tiles, one worker at a time, and every day closed and its log signed."""

import time
from collections.abc import Callable
from contextlib import closing

import structlog

from ledger.ledger import Ledger
from projections.keeper import Retried
from projections.policies import Policies
from projections.scoring.policy_file import PolicyError
from projections.stores.interface import Lock
from projections.views import PolicySupersededError, Views
from schemas.errors import StoreUnavailableError
from service.audit.schedule import Sealer
from service.clock import now_us
from service.days import DayCloser
from service.reading import open_runner, open_views
from service.settings import Settings
from service.stores import open_ledger

WAIT_S = 1.0  # between two looks at a quiet log; also how long a stop may take
AGAIN_S = 2.0  # after the store was unavailable

log = structlog.get_logger()


def project(settings: Settings, stopped: Callable[[], bool]) -> None:
    """The ledger into the views until ``stopped``. A second worker stands by until the first is gone."""
    with open_ledger(settings) as ledger, closing(open_views(settings)) as views:
        lock = _stand_by(views, stopped)
        if lock is None:
            return
        with lock:
            days, policies, sealer, position = DayCloser(ledger), Policies(ledger), Sealer(settings, ledger), 0
            log.info("worker.started")
            while not stopped():
                try:
                    position = _follow(ledger, views, policies, (days, sealer), stopped)
                except PolicySupersededError as error:
                    log.info("policy.superseded", view=error.view)
                except PolicyError as error:
                    log.warning("policy.refused", error=str(error), again_in_s=AGAIN_S)
                    time.sleep(AGAIN_S)
            log.info("worker.stopped", position=position)


def _follow(ledger: Ledger, views: Views, policies: Policies, daily: tuple[DayCloser, Sealer], stopped: Callable[[], bool]) -> int:
    """Keep the views under the policy in force until ``stopped`` or another one is adopted; first rebuild those that follow another one.

    Returns: the position reached.

    Raises:
        PolicySupersededError: another process made the views under another policy.
        PolicyError: this program cannot follow the policy in force.
    """
    days, sealer = daily
    policies.refresh()
    adopted, policy = policies.newest, policies.in_force
    log.info("policy.followed", version=policy.version, digest=policy.digest)
    with open_runner(ledger, views, policy) as runner:
        while not stopped():
            try:
                policies.refresh()
                if policies.newest is not adopted:
                    break
                days.close(now_us())
                folded = runner.run_once()
                if not sealer.step(now_us(), idle=not folded) and not folded:
                    ledger.wait(runner.position, WAIT_S)
            except PolicySupersededError:
                raise
            except StoreUnavailableError as error:
                log.warning("store.unavailable", error=str(error), again_in_s=AGAIN_S)
                time.sleep(AGAIN_S)
        return runner.position


def _stand_by(views: Views, stopped: Callable[[], bool]) -> Lock | None:
    """The worker's lock, once it is free; None when asked to stop before."""
    waiting = False
    while not stopped():
        if (lock := views.try_lock()) is not None:
            return lock
        if not waiting:
            log.info("worker.standing-by", views=views.place)
            waiting = True
        time.sleep(WAIT_S)
    return None


def project_once(settings: Settings) -> int:
    """Catch up and stop. Returns: the position the views have reached.

    Raises:
        StoreUnavailableError: another worker keeps these views.
    """
    with open_ledger(settings) as ledger, closing(open_views(settings)) as views:
        lock = views.try_lock()
        if lock is None:
            raise StoreUnavailableError(f"{views.place}: another worker keeps these views already; `rledger doctor` shows how far it is")
        with lock, open_runner(ledger, views, Policies(ledger).in_force) as runner:
            DayCloser(ledger).close(now_us())
            runner.catch_up()
            return runner.position


def retry_parked(settings: Settings) -> Retried:
    """Fold the waiting events of parked relationships again. A worker may go on meanwhile."""
    with (
        open_ledger(settings, read_only=True) as ledger,
        closing(open_views(settings)) as views,
        open_runner(ledger, views, Policies(ledger).in_force) as runner,
    ):
        return runner.retry_parked()
