"""What people do with the ledger itself, recorded in it: who, what, when, as one of the ledger's own types.

Such an event is refused from outside; here is the one place where commands and the service write them.
"""

import getpass
import uuid

from ledger.interface import Appended, Refused
from ledger.ledger import Ledger
from schemas.catalogue import CATALOGUE, RESERVED_PREFIX, Data
from schemas.cloudevents import touchpoint
from schemas.errors import LedgerError
from schemas.touchpoint import LEDGER_SOURCE, Touchpoint
from service.settings import Settings


class OwnEventRefusedError(LedgerError):
    """The ledger holds another event with this id. Look at it with ``rledger history``, then act on what it says."""

    code = "own_event_refused"


def actor(settings: Settings) -> str:
    """Who acts: ``RLEDGER_ACTOR``, else the login name of whoever runs the command; ``unknown`` where the system has no name."""
    if settings.actor:
        return settings.actor
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no entry anywhere
        return "unknown"


def record(ledger: Ledger, subject: str, data: Data, *, by: str, at_us: int, id_: str | None = None) -> Appended:
    """Append one of the ledger's own events and return where it stands.

    Args:
        ledger: the one it is recorded in.
        subject: the relationship it is about, or ``LEDGER_SUBJECT`` for the ledger itself.
        data: of a type whose name begins with ``ledger.``.
        by: who did it, kept as ``actor``.
        at_us: when, microseconds UTC.
        id_: what makes a repeat a repeat; without one every call is an event of its own.

    Raises:
        OwnEventRefusedError: ``id_`` was used with other content.
    """
    (answer,) = ledger.append([touchpoint_of(subject, data, by=by, at_us=at_us, id_=id_)])
    if isinstance(answer, Refused):
        raise OwnEventRefusedError(answer.reason)
    return answer


def touchpoint_of(subject: str, data: Data, *, by: str, at_us: int, id_: str | None = None) -> Touchpoint:
    """One of the ledger's own events before it is appended; as in ``record``."""
    return touchpoint(LEDGER_SOURCE, id_ or str(uuid.uuid4()), TYPES[type(data)], subject, at_us, data, actor=by)


TYPES = {entry.struct: entry.type for entry in CATALOGUE.values() if entry.type.startswith(RESERVED_PREFIX)}
"""The ledger's own types by their struct."""
