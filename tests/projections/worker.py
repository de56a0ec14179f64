"""A worker in a process of its own, to be killed: ``python -m tests.projections.worker FOLDER``."""

import sys
from pathlib import Path

from ledger.ledger import Ledger
from projections.runner import Runner
from projections.views import Views
from tests.projections.chains import chains

WAIT_S = 0.1


def main(folder: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.db", clock=lambda: 0, read_only=True)
    views = Views.open(folder / "views.db")
    lock = views.try_lock()
    assert lock is not None, "the worker before this one still has the lock"
    with lock:
        runner = Runner(ledger, views, [chains()], clock=lambda: 0)
        while True:
            if not runner.run_once():
                ledger.wait(runner.position, WAIT_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
