"""One worker keeps the views; a second stands by, and questions wait for a worker that is building them."""

import signal
from contextlib import closing, nullcontext

from service import settings
from service.stores import open_views
from tests.service.commands import PATIENCE_S, Rledger, eventually
from tests.service.test_putting import purchase


def test_a_second_worker_stands_by_and_takes_over(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    first = rledger.start("project")
    assert first.stdout is not None
    assert "worker.started" in first.stdout.readline()
    second = rledger.start("project")
    assert second.stdout is not None
    assert "worker.standing-by" in second.stdout.readline()
    first.kill()
    assert "worker.started" in second.stdout.readline()
    rledger("append", "-", stdin=purchase(2))
    eventually(lambda: rledger.json("show", "customer/acme")[0]["events"] == 2)
    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=PATIENCE_S) == 0


def test_catching_up_once_is_left_to_the_worker_that_runs(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    with closing(open_views(settings.read(rledger.environ))) as views, views.try_lock() or nullcontext() as lock:
        assert lock is not None
        done = rledger("project", "--once")
    assert done.returncode == 1
    assert "another worker keeps these views already" in done.stderr
