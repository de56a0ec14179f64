"""Say that something is wrong once it lasts, again once in a while, and once more when it is over."""

import time

import structlog

TELL_S = 2.0  # what is over sooner is not told
REMIND_S = 30.0  # between two log lines about the same trouble

log = structlog.get_logger()


class Trouble:
    """One thing that can be wrong at a time, from when it is first heard of."""

    def __init__(self) -> None:
        self._event = ""
        self._since_s = 0.0
        self._tell_at_s = 0.0

    def tell(self, event: str, error: Exception | None = None, *, after_s: float = 0.0, **fields: object) -> None:
        """Note that ``event`` goes on, for what ``error`` says; log it when it is time, as an error where there is one.

        ``after_s``: how long a try took that failed.
        """
        now_s = time.monotonic()
        if event != self._event:
            self._event, self._since_s = event, now_s - after_s
            self._tell_at_s = self._since_s + TELL_S
        if now_s >= self._tell_at_s:
            if error is None:
                log.warning(event, lasted_s=self._lasted_s(now_s), **fields)
            else:
                log.error(event, lasted_s=self._lasted_s(now_s), error=_words(error), **fields)
            self._tell_at_s = now_s + REMIND_S

    def end(self) -> None:
        """Note that all is well."""
        if self._event and self._tell_at_s > self._since_s + TELL_S:
            log.info("trouble.ended", was=self._event, lasted_s=self._lasted_s(time.monotonic()))
        self._event = ""

    def _lasted_s(self, now_s: float) -> int:
        return round(now_s - self._since_s)


def _words(error: Exception) -> str:
    """What kind of error it is and what it says; kafka-python's say both by themselves."""
    name, text = type(error).__name__, str(error)
    return text if name in text else f"{name}: {text}"
