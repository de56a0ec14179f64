"""Workers share the views. Under a new policy they are made beside those that are kept, and answer."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from threading import Event, Thread
from typing import Any

import pytest
from structlog.testing import capture_logs

from ledger.ledger import Ledger
from projections.rebuild import Rebuilt, rebuild, stale
from projections.registry import projections
from projections.scoring.policy_file import replaced, shipped, shipped_text, written
from projections.views import Views
from schemas.catalogue import Feedback
from schemas.cloudevents import touchpoint
from service import reading, settings, worker
from service.adopting import adopt
from service.clock import now_us
from service.stores import open_ledger, open_views
from tests.service.commands import PATIENCE_S, Rledger, eventually
from tests.service.test_putting import purchase


def test_catching_up_once_is_left_to_the_worker_that_runs(rledger: Rledger) -> None:
    rledger("append", "-", stdin=purchase(1))
    with closing(open_views(settings.read(rledger.environ))) as views, views.try_lock() or nullcontext() as lock:
        assert lock is not None
        done = rledger("project", "--once")
    assert done.returncode == 1
    assert "another worker keeps these views already" in done.stderr


def test_workers_share_the_relationships(either: Rledger) -> None:
    either("append", "-", stdin=purchase(1))
    either("project", "--once")
    assert "nobody has any" in slices(either)
    first, second = either.start("project"), either.start("project")
    eventually(lambda: slices(either).count("has 4") == 2)
    assert "another worker keeps these views already" in either("project", "--once").stderr
    eventually(lambda: "in 6 slices now" in either("project", "--slices", "6").stdout)  # not while a worker looks whether to rebuild
    eventually(lambda: slices(either).count("has 3") == 2)
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=PATIENCE_S) == 0
    eventually(lambda: "has 6" in slices(either))
    either("append", "-", stdin=purchase(2))
    eventually(lambda: either.json("show", "customer/acme")[0]["events"] == 2)
    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=PATIENCE_S) == 0


def slices(rledger: Rledger) -> str:
    """What the doctor says of who writes what."""
    found = json.loads(rledger("doctor", "--json").stdout)
    return next((check["found"] for check in found["checks"] if check["name"] == "slices"), "")


OTHER = replaced(shipped(), {"version": "other", "dispute.weight": 0.8})


class Slow:
    """Stands in for ``rebuild``: each begins when it is told to, or to stop."""

    def __init__(self) -> None:
        self.begun, self.go = 0, Event()

    def __call__(self, *rest: Any, **more: Any) -> list[Rebuilt]:  # whatever rebuild takes
        self.begun += 1
        eventually(lambda: self.go.is_set() or more["stopped"]())
        return rebuild(*rest, **more)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    found = Slow()
    monkeypatch.setattr(worker, "rebuild", found)
    return found


@contextmanager
def working(rledger: Rledger, count: int = 1) -> Iterator[tuple[Ledger, Views]]:
    """Workers in threads of this process, on a ledger with one touchpoint that the views have."""
    rledger("append", "-", stdin=purchase(1))
    rledger("project", "--once")
    found, done = settings.read(rledger.environ), Event()
    threads = [Thread(target=worker.project, args=(found, done.is_set)) for _ in range(count)]
    with ExitStack() as stack:
        ledger, views = stack.enter_context(open_ledger(found)), stack.enter_context(closing(open_views(found)))
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(done.set)
        yield ledger, views


def told(ledger: Ledger, views: Views, key: str) -> None:
    """Append a touchpoint, and wait until the views have it."""
    ledger.append([touchpoint("shop", key, "relationship.feedback.v1", f"customer/{key}", now_us(), Feedback("nps", 7))])
    head = ledger.head().position
    eventually(lambda: views.progress()["relationships"].position >= head)


def adopt_other(ledger: Ledger) -> None:
    adopt(ledger, written(OTHER, shipped_text()), where="", why="to see", by="ada", at_us=now_us())


def test_while_views_are_made_anew_under_another_policy_the_old_ones_keep_up_and_answer(either: Rledger, slow: Slow) -> None:
    with working(either) as (ledger, views):
        told(ledger, views, "before")  # the worker is at it
        adopt_other(ledger)
        eventually(lambda: slow.begun)
        told(ledger, views, "meanwhile")
        assert either.json("explain", "customer/meanwhile")[0]["policy"] == shipped().version
        slow.go.set()
        eventually(lambda: not stale(views, projections(OTHER)))
        assert either.json("explain", "customer/meanwhile")[0]["policy"] == "other"
        told(ledger, views, "after")


def test_one_of_several_workers_makes_the_views_and_the_others_wait_quietly(either: Rledger, slow: Slow) -> None:
    with working(either, 2) as (ledger, views), capture_logs() as logs:
        eventually(lambda: sorted(Counter(one.worker for one in views.holdings()).values()) == [4, 4])
        adopt_other(ledger)
        eventually(lambda: slow.begun)
        for number in range(20):  # of either worker's slices
            told(ledger, views, f"meanwhile-{number}")
        slow.go.set()
        eventually(lambda: not stale(views, projections(OTHER)))
        for number in range(20):
            told(ledger, views, f"after-{number}")
    assert slow.begun == 1
    assert {"views.making", "view.rebuilt"} <= {one["event"] for one in logs}
    assert [one for one in logs if one["log_level"] not in {"info", "debug"}] == []


def test_views_of_the_policy_before_answer_however_far_behind_they_are(
    either: Rledger, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "NEAR_EVENTS", -1)  # whatever is behind is far
    with working(either) as (ledger, views):
        told(ledger, views, "before")
        adopt_other(ledger)
        eventually(lambda: slow.begun)
        assert either.json("explain", "customer/before")[0]["policy"] == shipped().version
        slow.go.set()


def test_a_worker_that_is_stopped_while_it_makes_views_leaves_the_old_ones(either: Rledger, slow: Slow) -> None:
    with working(either) as (ledger, views):
        told(ledger, views, "before")
        adopt_other(ledger)
        eventually(lambda: slow.begun)
    with closing(open_views(settings.read(either.environ))) as views:
        assert not stale(views, projections(shipped()))
        assert not [name for name, at in views.progress().items() if at.status == "rebuilding"]
