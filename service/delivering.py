"""Alerts told to the world outside, each once: what was delivered is recorded in the ledger, so a replay or a rebuild delivers nothing.

Delivered is what stands, is no history, and is young. An alert is looked up by its id before it is published and recorded after: a crash in
between repeats it, with the same id. One process at a time delivers, by a lease.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import kafka.errors
import msgspec
import structlog

from consumers import notices
from consumers.notices import Notice
from consumers.producing import Destination
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

ALERTS_MAX = 100  # a round
ROUND_S = (0.5, 1.5)  # between two looks; drawn anew each time, so that two processes rarely look at once
TERM_S = 15.0  # how long a process that died is waited for; a round is over well within it
BY = "rledger"

log = structlog.get_logger()


@contextmanager
def delivering(ledger: Ledger, views: Views, settings: Settings) -> Iterator[None]:
    """Deliver alerts to Kafka, where one is named, in a thread of its own; nothing that fails here stops anything else."""
    if settings.kafka is None:
        yield
        return
    stopped, topic = threading.Event(), Destination(settings.kafka, settings.alerts, settings.kafka_options)
    thread = threading.Thread(target=_run, args=(ledger, views, topic, stopped), name="alerts")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def deliver(ledger: Ledger, views: Views, policy: Policy, *, to: str, publish: Callable[[Sequence[Notice]], None], at_us: int) -> int:
    """Deliver what waits, ``ALERTS_MAX`` at most, and record it. Returns: how many were delivered.

    Args:
        ledger: where it is recorded.
        views: which alerts there are, under ``policy``.
        policy: the one the views follow.
        to: names the destination for ever: ``kafka:relationship.alerts``.
        publish: brings them there, or raises.
        at_us: now, microseconds UTC.
    """
    told = undelivered(views, policy, since_us=at_us - policy.alerts.deliver_us, limit=ALERTS_MAX)
    waiting = [one for one in told if ledger.find(LEDGER_SOURCE, _record_id(one.id, to)) is None]
    if not waiting:
        return 0
    publish([Notice(one.id, one.relationship, msgspec.json.encode(one)) for one in waiting])
    for one in waiting:
        own.record(ledger, one.relationship, AlertDelivered(one.id, to), by=BY, at_us=at_us, id_=_record_id(one.id, to))
    log.info("alerts.delivered", to=to, count=len(waiting))
    return len(waiting)


def _run(ledger: Ledger, views: Views, topic: Destination, stopped: threading.Event) -> None:
    lease, trouble, policies = Lease(ledger, f"alerts/{topic.topic}", term_s=TERM_S), Trouble(), Policies(ledger)
    publish, to = partial(notices.publish, topic), f"kafka:{topic.topic}"
    while not stopped.wait(random.uniform(*ROUND_S)):  # noqa: S311  # spreads processes
        try:
            if lease.acquire():
                if lease.due():
                    lease.renew()
                policies.refresh()
                deliver(ledger, views, standing(views, policies) or policies.in_force, to=to, publish=publish, at_us=now_us())
                trouble.end()
        except OvertakenError:
            log.debug("alerts.overtaken", to=to)
        except (kafka.errors.KafkaError, LedgerError, OSError) as error:
            trouble.tell("alerts.delayed", error, after_s=TELL_S, to=to)
    with suppress(LedgerError):
        lease.release()


def _record_id(alert: str, to: str) -> str:
    """The id of the event that says an alert was delivered."""
    return f"alert-delivered/{alert}/{to}"
