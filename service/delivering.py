"""Alerts told to the world outside, each once: what was delivered is recorded in the ledger, so a replay or a rebuild delivers nothing.

Delivered is what stands, is no history, and is young. An alert is looked up by its id before it is published and recorded after: a crash in
between repeats it, with the same id. One process at a time delivers, by a lease.
"""

import random
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

import kafka.errors
import msgspec
import structlog

from consumers import notices
from consumers.notices import Notice
from consumers.producing import Destination, beside
from consumers.trouble import TELL_S, Trouble
from ledger.lease import Lease
from ledger.ledger import Ledger
from projections.alerts.queries import undelivered
from projections.policies import Policies
from projections.scoring.policy import Policy
from projections.views import Views
from schemas.catalogue import AlertDelivered
from schemas.errors import LedgerError, OvertakenError
from schemas.touchpoint import LEDGER_SOURCE
from service import own
from service.clock import now_us
from service.reading import standing
from service.settings import Settings

ALERTS_MAX = 100  # looked at in a round
ROUND_S = (0.5, 1.5)  # between two looks; drawn anew each time, so that two processes rarely look at once
SLOWER_MAX = 8  # times a round, after one that failed again and again: not to hammer at whoever is in trouble
TERM_S = 15.0  # how long a process that died is waited for; what is told at once is told well within it
BY = "rledger"

log = structlog.get_logger()


class Outlet(NamedTuple):
    """Where alerts are told. to: names it for ever, without what in an address may be secret. at_once: told before it is recorded."""

    to: str
    publish: Callable[[Sequence[Notice]], None]
    at_once: int


def outlet(settings: Settings) -> Outlet | None:
    """The webhook or the topic that the settings name; None where there is none."""
    if settings.alerts.startswith(("http://", "https://")):
        return Outlet(f"webhook:{urlsplit(settings.alerts).netloc}", partial(notices.post, settings.alerts), 1)
    if settings.kafka is None:
        return None
    topic = Destination(settings.kafka, settings.alerts, settings.kafka_options)
    return Outlet(f"kafka:{settings.alerts}", partial(notices.publish, topic), ALERTS_MAX)


def delivering(ledger: Ledger, views: Views, settings: Settings) -> AbstractContextManager[None]:
    """Deliver alerts, where an outlet is named, in a thread of its own; nothing that fails here stops anything else."""
    to = outlet(settings)
    return nullcontext() if to is None else beside("alerts", partial(_run, ledger, views, to))


def deliver(ledger: Ledger, views: Views, policy: Policy, outlet: Outlet, at_us: int) -> int:
    """Deliver what waits, as much as the outlet takes at once, and record it. Returns: how many were delivered.

    Args:
        ledger: where it is recorded.
        views: which alerts there are, under ``policy``.
        policy: the one the views follow.
        outlet: brings them there, or raises.
        at_us: now, microseconds UTC.
    """
    to = outlet.to
    told = undelivered(views, policy, since_us=at_us - policy.alerts.deliver_us, limit=ALERTS_MAX)
    waiting = [one for one in told if ledger.find(LEDGER_SOURCE, _record_id(one.id, to)) is None][: outlet.at_once]
    if not waiting:
        return 0
    outlet.publish([Notice(one.id, one.relationship, msgspec.json.encode(one)) for one in waiting])
    for one in waiting:
        own.record(ledger, one.relationship, AlertDelivered(one.id, to), by=BY, at_us=at_us, id_=_record_id(one.id, to))
    log.info("alerts.delivered", to=to, count=len(waiting))
    return len(waiting)


def _run(ledger: Ledger, views: Views, outlet: Outlet, stopped: threading.Event) -> None:
    lease = Lease(ledger, f"alerts/{outlet.to.removeprefix('kafka:')}", term_s=TERM_S)
    trouble, policies, slower = Trouble(), Policies(ledger), 1
    while not stopped.wait(slower * random.uniform(*ROUND_S)):  # noqa: S311  # spreads processes
        try:
            while lease.acquire() and not stopped.is_set():
                if lease.due():
                    lease.renew()
                policies.refresh()
                if not deliver(ledger, views, standing(views, policies) or policies.in_force, outlet, now_us()):
                    break
            slower = 1
            trouble.end()
        except OvertakenError:
            log.debug("alerts.overtaken", to=outlet.to)
        except (kafka.errors.KafkaError, LedgerError, OSError) as error:
            slower = min(2 * slower, SLOWER_MAX)
            trouble.tell("alerts.delayed", error, after_s=TELL_S, to=outlet.to)
    with suppress(LedgerError):
        lease.release()


def _record_id(alert: str, to: str) -> str:
    """The id of the event that says an alert was delivered."""
    return f"alert-delivered/{alert}/{to}"
