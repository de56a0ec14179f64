"""Gather the appends of many threads into one commit: what a commit costs is shared by all that wait for one.

Appends that come while a group is written form the next group, and wait for its turn, one lock for all of them. Who gets it first writes
for all; each of the others then finds its answer and lets the next one in. So threads wake one after the other, instead of all at once for
Python's lock. And they wake while the store is at the next group's commit, for which it needs no Python: before that they would be in its
way. There is no thread of its own to start or to stop, and a caller waits until its own request is durable, so never more than one request
a thread is held here.
"""

import threading
from collections.abc import Callable, Iterator, Sequence

from ledger.plan import Answer, Outcome, Request
from schemas.errors import StoreUnavailableError

GROUP_MAX = 5_000  # touchpoints a commit, unless one request alone has more
SEVERAL = 4  # so many wait with their answers for the next group's commit to begin; fewer are hardly in its way
PATIENCE_S = 0.01  # how long they wait at most: another process may be writing

Record = Callable[[Sequence[Request], Callable[[], None]], list[Outcome]]
"""As ``LedgerRecorder.record``."""


class _Group:
    """Requests that are written together, in the order they came.

    ``turn`` is held while the group before them is written; ``committing`` is set once the store is at it and Python is free.
    """

    __slots__ = ("committing", "tickets", "turn")

    def __init__(self) -> None:
        self.tickets: list[_Ticket] = []
        self.turn = threading.Lock()
        self.committing = threading.Event()

    def commits(self) -> Iterator[list["_Ticket"]]:
        """The tickets, so many together as go into one commit."""
        commit: list[_Ticket] = []
        size = 0
        for ticket in self.tickets:
            size += len(ticket.request.touchpoints)
            if commit and size > GROUP_MAX:
                yield commit
                commit, size = [], len(ticket.request.touchpoints)
            commit.append(ticket)
        yield commit


class _Ticket:
    """A request on its way, and its answer once there is one."""

    __slots__ = ("group", "outcome", "request")

    def __init__(self, request: Request, group: _Group) -> None:
        self.request, self.group = request, group
        self.outcome: Outcome | Exception | None = None


class Gatherer:
    """Hands requests to ``record`` in groups, one group at a time, in the order they came."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._mutex = threading.Lock()  # guards, for moments only, which group is forming and what is in it
        self._forming = _Group()

    def submit(self, request: Request) -> Answer:
        """Return the answer once ``request`` is durable.

        Raises:
            LedgerError: the request was refused, or nothing could be written; nothing of it was kept.
        """
        ticket = _Ticket(request, self._forming)
        try:
            with self._mutex:
                ticket.group = self._forming
                ticket.group.tickets.append(ticket)
            while ticket.outcome is None:
                with (group := ticket.group).turn:
                    if ticket.outcome is None and ticket.group is group:
                        self._lead(ticket)
        except BaseException:  # a signal's, such as KeyboardInterrupt: nobody waits for this answer any more
            with self._mutex:
                if ticket in ticket.group.tickets:
                    ticket.group.tickets.remove(ticket)
            raise
        outcome, ticket.outcome = ticket.outcome, None
        if isinstance(outcome, Exception):
            try:
                raise outcome
            finally:
                del outcome  # an error and the frame it was raised in hold each other, and with them every touchpoint of the request
        return outcome

    def _lead(self, leader: _Ticket) -> None:
        """Write for all of the leader's group, whose turn it holds, and give the turn to those that came meanwhile."""
        group, following = leader.group, _Group()
        with following.turn:
            try:
                with self._mutex:
                    self._forming = following
                for commit in group.commits():
                    requests = [ticket.request for ticket in commit]
                    for ticket, outcome in zip(commit, self._outcomes(requests, group.committing.set), strict=True):
                        ticket.outcome = outcome
            finally:
                with self._mutex:
                    # Interrupted before all answers are known: the next leader asks again, for what was written is then a repeat.
                    left = [ticket for ticket in group.tickets if ticket.outcome is None and ticket is not leader]
                    for ticket in left:
                        ticket.group = following
                    following.tickets[:0] = left
                    several = len(group.tickets) >= SEVERAL and bool(following.tickets)
                    group.tickets.clear()  # they know their group: a circle would keep their touchpoints for long
        if several:
            following.committing.wait(PATIENCE_S)

    def _outcomes(self, requests: list[Request], committing: Callable[[], None]) -> Sequence[Outcome | Exception]:
        """Record ``requests``; where one of several fails by a bug, each alone, so that it fails for its own caller only."""
        try:
            return self._record(requests, committing)
        except StoreUnavailableError as error:
            return [type(error)(str(error)) for _ in requests]
        except Exception as error:  # noqa: BLE001  # raised again for the caller whose request it was
            if len(requests) == 1:
                return [error]
            return [outcome for request in requests for outcome in self._outcomes([request], committing)]
