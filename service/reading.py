"""Answers that are up to date: the views of a ledger, brought to its end first when no worker keeps them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from ledger.ledger import Ledger
from projections.policies import Policies
from projections.projection import Projection
from projections.queries import Reader
from projections.rebuild import stale
from projections.registry import projections
from projections.runner import Runner
from projections.scoring.policy import Policy
from projections.scoring.policy_file import shipped
from projections.stores.slices import EVERYTHING, Share
from projections.views import Views
from schemas.errors import SettingsError, StoreUnavailableError
from service.clock import now_us
from service.settings import Settings
from service.stores import open_ledger, open_views

FIRST_BUILD_S = 30.0  # how long a question waits for a worker that is just building the views
LOOK_S = 0.05
UPGRADED = "a worker that was started before an upgrade must be started again"
NEAR_EVENTS = 2_000  # a worker this close behind is current: it folds them faster than anybody asks


@contextmanager
def open_runner(ledger: Ledger, views: Views, policy: Policy, share: Share = EVERYTHING) -> Iterator[Runner]:
    """What keeps the views under a policy, of a share that the caller holds."""
    with closing(Runner(ledger, views, projections(policy), clock=now_us, share=share)) as runner:
        yield runner


@contextmanager
def open_reader(settings: Settings, *, notice: Callable[[str], None]) -> Iterator[Reader]:
    """Answers from the views, brought up to date first when no worker runs.

    ``notice`` is told when there is something to wait for.

    Raises:
        SettingsError: there is no ledger yet.
        StoreUnavailableError: the ledger or the views cannot be read, or a worker is still building them.
    """
    with open_ledger(settings, read_only=True) as ledger, closing(open_views(settings)) as views:
        yield Reader(ledger, views, _bring_up_to_date(ledger, views, notice))


def policy_in_force(settings: Settings) -> Policy:
    """The policy that was adopted last; the shipped one where there is no ledger yet.

    Raises:
        PolicyError: it was adopted by another program, and this one cannot follow it.
    """
    try:
        ledger = open_ledger(settings, read_only=True)
    except SettingsError:
        return shipped()
    with ledger:
        return Policies(ledger).in_force


def _bring_up_to_date(ledger: Ledger, views: Views, notice: Callable[[str], None]) -> Policy:
    """Let the views follow the log: fold here when nobody else does, else give the worker a moment. Returns: the policy they follow."""
    deadline_s = time.monotonic() + FIRST_BUILD_S
    told = False
    policies = Policies(ledger)
    policy = policies.in_force
    while (behind := _behind(ledger, views, projections(policy))) > 0:
        lock = views.try_lock()
        if lock is not None:
            if behind > NEAR_EVENTS:
                notice(f"bringing the views up to date, {behind:,} events ...")
            with lock, open_runner(ledger, views, policy, lock.look()) as runner:
                runner.catch_up()
            return policy
        if (found := standing(views, policies)) is not None:
            lag = _behind(ledger, views, projections(found))
            if lag <= NEAR_EVENTS:
                return found
            if found.digest != policy.digest:
                notice(f"answered under policy {found.version}, from views that are {lag:,} events behind: a worker is at it")
                return found
        if not told:
            notice(f"a worker is bringing the views up to date, {behind:,} events to go ...")
            told = True
        if time.monotonic() > deadline_s:
            late = f"the views are {behind:,} events behind, a worker is at it: ask again, or see `rledger doctor`"
            raise StoreUnavailableError(late if found is not None else f"{late}; {UPGRADED}")
        time.sleep(LOOK_S)
    return policy


def standing(views: Views, policies: Policies) -> Policy | None:
    """The newest policy under which the views stand; None where they must be made first.

    While they are made anew under the policy in force, those of the one before are kept, and answer.

    Raises:
        PolicyError: this program cannot follow the policy in force.
    """
    return next((policy for policy in (policies.in_force, *policies.earlier()) if not stale(views, projections(policy))), None)


def _behind(ledger: Ledger, views: Views, kept: Sequence[Projection]) -> int:
    """Events of the log that some view does not have yet; all of them where a view must be built anew."""
    head = ledger.head().position
    if stale(views, kept):
        return max(head, 1)
    progress = views.progress()
    return head - min(progress[one.name].position for one in kept)
