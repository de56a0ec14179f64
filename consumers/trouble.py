"""Say that something is wrong once it lasts, again once in a while, and once more when it is over."""

import structlog

TELL_MS = 2_000  # what is over sooner is not told
REMIND_MS = 30_000  # between two log lines about the same trouble

log = structlog.get_logger()


class Trouble:
    """One thing that can be wrong at a time. It reads no clock: who waits says how long."""

    def __init__(self) -> None:
        self._event = ""
        self._lasted_ms = 0
        self._tell_at_ms = 0

    def tell(self, waited_ms: int, event: str, **fields: object) -> None:
        """Note that ``event`` cost ``waited_ms`` more; log it when it is time."""
        if event != self._event:
            self._event, self._lasted_ms, self._tell_at_ms = event, 0, TELL_MS
        self._lasted_ms += waited_ms
        if self._lasted_ms >= self._tell_at_ms:
            log.warning(event, lasted_s=self._lasted_ms // 1000, **fields)
            self._tell_at_ms = self._lasted_ms + REMIND_MS

    def end(self) -> None:
        """Note that all is well."""
        if self._event and self._tell_at_ms > TELL_MS:
            log.info("trouble.ended", was=self._event, lasted_s=self._lasted_ms // 1000)
        self._event = ""
