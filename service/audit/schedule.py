"""A checkpoint a day, and tiles as the log grows: what the worker does for auditors between its other work."""

import structlog

from ledger.ledger import Ledger
from schemas.errors import LedgerError, StoreUnavailableError
from service.audit.checkpoints import Checkpoints
from service.days import DAY_US
from service.settings import Settings

log = structlog.get_logger()


class Schedule:
    """Signs the log once a day, at the start too, and keeps the tiles near its end meanwhile."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._checkpoints = Checkpoints.of(settings, ledger)
        self._signed = 0  # days since 1970 up to the newest checkpoint

    def step(self, now_us: int, *, idle: bool) -> bool:
        """Do a little of what is to be done; nothing while there is other work and no checkpoint is due.

        What is wrong with the log or its key is logged, once a day, and stops nothing else. Returns: whether there may be more to do.

        Raises:
            StoreUnavailableError: try again later.
        """
        due = now_us // DAY_US > self._signed and self._checkpoints.ledger.head().position > 0
        if not (due or idle):
            return False
        try:
            if self._checkpoints.tiles.advance():
                return True
            if due:
                note = self._checkpoints.make(now_us)
                log.info("checkpoint.signed", size=note.text.split("\n")[1])
        except StoreUnavailableError:
            raise
        except LedgerError as error:
            if due:
                log.error("checkpoint.refused", code=error.code, error=str(error))  # noqa: TRY400  # no bug, so no trace
        self._signed = now_us // DAY_US if due else self._signed
        return False
