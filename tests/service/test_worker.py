"""One worker keeps the views; a second stands by, and questions wait for a worker that is building them."""

import json
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


def test_workers_on_postgresql_share_the_relationships(rledger: Rledger, postgres_url: str) -> None:
    rledger.environ["RLEDGER_STORE"] = postgres_url
    rledger("append", "-", stdin=purchase(1))
    rledger("project", "--once")
    assert "nobody has any" in slices(rledger)
    first, second = rledger.start("project"), rledger.start("project")
    eventually(lambda: slices(rledger).count("has 4") == 2)
    assert "another worker keeps these views already" in rledger("project", "--once").stderr
    assert "in 6 slices now" in rledger("project", "--slices", "6").stdout
    eventually(lambda: slices(rledger).count("has 3") == 2)
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=PATIENCE_S) == 0
    eventually(lambda: "has 6" in slices(rledger))
    rledger("append", "-", stdin=purchase(2))
    eventually(lambda: rledger.json("show", "customer/acme")[0]["events"] == 2)
    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=PATIENCE_S) == 0


def slices(rledger: Rledger) -> str:
    """What the doctor says of who writes what."""
    found = json.loads(rledger("doctor", "--json").stdout)
    return next((check["found"] for check in found["checks"] if check["name"] == "slices"), "")
