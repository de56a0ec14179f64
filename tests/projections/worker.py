"""A worker in a process of its own, to be killed: ``python -m tests.projections.worker LEDGER_URL VIEWS``."""

import sys
import time
from pathlib import Path

from ledger.ledger import Ledger
from projections.runner import Runner
from projections.stores import leases, postgres_leases
from projections.views import Views
from schemas.errors import LeaseLostError, StoreUnavailableError
from tests.projections.chains import Place, chains

WAIT_S = 0.1
LEASE_S = 0.5  # so that the others go on soon after it is killed


def main(store: str, place: Place) -> None:
    postgres_leases.LEASE_S, leases.REBALANCE_S = LEASE_S, 0.05
    ledger = Ledger.open(store, clock=lambda: 0, read_only=True)
    views = Views.open(place)
    with views.join() as part:
        while True:
            share = part.look()
            if share == ():
                time.sleep(WAIT_S)
                continue
            runner = Runner(ledger, views, [chains()], clock=lambda: 0, share=share)
            try:
                while part.look() == share:
                    if not runner.run_once():
                        ledger.wait(runner.position, WAIT_S)
            except (LeaseLostError, StoreUnavailableError):  # another one is building the views, or has taken over
                time.sleep(WAIT_S)
            finally:
                runner.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if "://" in sys.argv[2] else Path(sys.argv[2]))
