"""Gather the appends of many threads into one commit: what a commit costs is shared by all that wait for one.

Whoever finds nobody writing writes for all that wait, then hands over to one of those that came meanwhile. No thread of its own,
nothing left running; a caller waits until its own request is durable, so never more than one request a thread is held here.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from ledger.plan import Answer, Outcome, Request
from schemas.errors import StoreUnavailableError

GROUP_MAX = 5_000  # touchpoints a commit, unless one request alone has more


class _Ticket:
    """A request on its way: woken either answered, or to lead the next group."""

    __slots__ = ("outcome", "request", "woken")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.outcome: Outcome | Exception | None = None
        self.woken = threading.Lock()
        self.woken.acquire()


class Gatherer:
    """Hands requests to ``record`` in groups, one group at a time, in the order they came."""

    def __init__(self, record: Callable[[Sequence[Request]], list[Outcome]]) -> None:
        self._record = record
        self._mutex = threading.Lock()  # held for moments only
        self._waiting: deque[_Ticket] = deque()
        self._led = False

    def submit(self, request: Request) -> Answer:
        """Return the answer once ``request`` is durable.

        Raises:
            LedgerError: the request was refused, or nothing could be written; nothing of it was kept.
        """
        ticket = _Ticket(request)
        with self._mutex:
            self._waiting.append(ticket)
            leads, self._led = not self._led, True
        if not leads:
            ticket.woken.acquire()
        if ticket.outcome is None:
            self._lead()
        if isinstance(ticket.outcome, Exception):
            raise ticket.outcome
        return cast("Answer", ticket.outcome)

    def _lead(self) -> None:
        group = self._next_group()
        try:
            for ticket, outcome in zip(group, self._outcomes([ticket.request for ticket in group]), strict=True):
                ticket.outcome = outcome
        finally:
            with self._mutex:
                successor = self._waiting[0] if self._waiting else None
                self._led = successor is not None
            if successor is not None:
                successor.woken.release()
            for ticket in group:
                ticket.woken.release()

    def _next_group(self) -> list[_Ticket]:
        group: list[_Ticket] = []
        size = 0
        with self._mutex:
            while self._waiting and (not group or size + len(self._waiting[0].request.touchpoints) <= GROUP_MAX):
                group.append(self._waiting.popleft())
                size += len(group[-1].request.touchpoints)
        return group

    def _outcomes(self, requests: list[Request]) -> Sequence[Outcome | Exception]:
        """Record ``requests``; where one of several fails by a bug, each alone, so that it fails for its own caller only."""
        try:
            return self._record(requests)
        except StoreUnavailableError as error:
            return [error] * len(requests)
        except Exception as error:  # noqa: BLE001  # raised again for the caller whose request it was
            if len(requests) == 1:
                return [error]
            return [outcome for request in requests for outcome in self._outcomes([request])]
