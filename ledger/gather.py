"""Gather the appends of many threads into one commit: what a commit costs is shared by all that wait for one.

Whoever finds nobody writing leads: it writes for all that wait, then makes one of those that came meanwhile the next leader. There is
no thread of its own to start or to stop, and a caller waits until its own request is durable, so never more than one request a
thread is held here.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from ledger.plan import Answer, Outcome, Request
from schemas.errors import StoreUnavailableError

GROUP_MAX = 5_000  # touchpoints a commit, unless one request alone has more


class _Ticket:
    """A request on its way. ``woken`` is held until it is answered or its thread is to lead."""

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
        self._mutex = threading.Lock()  # guards the two below, for moments only
        self._waiting: deque[_Ticket] = deque()
        self._leader: _Ticket | None = None

    def submit(self, request: Request) -> Answer:
        """Return the answer once ``request`` is durable.

        Raises:
            LedgerError: the request was refused, or nothing could be written; nothing of it was kept.
        """
        ticket = _Ticket(request)
        try:
            with self._mutex:
                self._waiting.append(ticket)
                self._leader = self._leader or ticket
            if self._leader is not ticket:
                ticket.woken.acquire()
            if ticket.outcome is None:
                self._lead(ticket)
        except BaseException:  # a signal's, such as KeyboardInterrupt: the others must not wait for a leader that is gone
            self._withdraw(ticket)
            raise
        if isinstance(ticket.outcome, Exception):
            raise ticket.outcome
        return cast("Answer", ticket.outcome)

    def _lead(self, leader: _Ticket) -> None:
        group = self._next_group()
        try:
            for ticket, outcome in zip(group, self._outcomes([ticket.request for ticket in group]), strict=True):
                ticket.outcome = outcome
        finally:
            followers = [ticket for ticket in group if ticket is not leader]
            with self._mutex:
                # Interrupted before the answer was known: the next leader asks again, for what was written is then a repeat.
                self._waiting.extendleft(ticket for ticket in reversed(followers) if ticket.outcome is None)
                self._promote()
            for ticket in followers:
                if ticket.outcome is not None:
                    ticket.woken.release()

    def _promote(self) -> None:
        self._leader = self._waiting[0] if self._waiting else None
        if self._leader is not None:
            self._leader.woken.release()

    def _withdraw(self, ticket: _Ticket) -> None:
        with self._mutex:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            if self._leader is ticket:
                self._promote()

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
            return [type(error)(str(error)) for _ in requests]
        except Exception as error:  # noqa: BLE001  # raised again for the caller whose request it was
            if len(requests) == 1:
                return [error]
            return [outcome for request in requests for outcome in self._outcomes([request])]
