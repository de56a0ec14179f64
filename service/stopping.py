"""How a long-running part is asked to stop: SIGTERM, SIGINT or SIGHUP once for a clean end, twice for an immediate one."""

import signal
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STOP_LIMIT_S = 10  # a part that has not ended by then is ended by the kernel; its batch stays where it was


class Stop:
    """Becomes true when the process is asked to stop. Make one, in the main thread, before the work begins."""

    def __init__(self, *, limit_s: int = STOP_LIMIT_S) -> None:
        self._asked = False
        self._limit_s = limit_s
        for number in STOP_SIGNALS:
            signal.signal(number, self._ask)

    def __call__(self) -> bool:
        """Whether to stop."""
        return self._asked

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.alarm(self._limit_s)  # SIGALRM is left at its default: it ends the process, even out of a C call that hangs
