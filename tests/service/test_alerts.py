"""``alerts``: for people and for programs; what is done with them stands in the ledger, with who did it."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from consumers import notices
from consumers.notices import Notice
from ledger.ledger import Ledger
from projections.alerts.queries import Asked, listed
from projections.alerts.view import Told
from projections.moments import Moments
from projections.policies import Policies
from projections.queries import Reader
from projections.rebuild import rebuild
from projections.registry import projections
from projections.runner import Runner
from projections.stores.slices import EVERYTHING, Share
from projections.views import Views
from schemas.catalogue import Complaint, Delivery, Feedback
from schemas.cloudevents import touchpoint
from schemas.touchpoint import LEDGER_SUBJECT, iso, moment
from service import delivering, noting
from service.clock import now_us
from service.days import DAY_US, day_closed
from tests.service.commands import Rledger, eventually

FIELDS = [
    *("id", "relationship", "kind", "severity", "state", "cause", "text", "next_step", "evidence", "opened_at", "since_at", "last_at"),
    "historical",
    *("closed_at", "closed", "acknowledged_by", "assignee", "snoozed_until", "resolved_by", "resolved_at", "note", "delivered", "value"),
]
ACME = "customer/acme"
TO = "kafka:relationship.alerts"


def purchase(relationship: str, amount: str) -> str:
    event = {"specversion": "1.0", "id": relationship, "source": "shop", "type": "relationship.purchase.v1", "subject": relationship}
    data = {"order_id": "P-1", "amount": {"amount": amount, "currency": "EUR"}}
    return json.dumps(event | {"time": iso(now_us() - DAY_US // 8), "data": data}) + "\n"


def late_delivery(number: int, days_ago: float, relationship: str = ACME, id_: str | None = None) -> str:
    at = moment(now_us() - int(days_ago * DAY_US))
    data = {"order_id": f"O-{number}", "by": "us", "promised_at": (at - timedelta(days=3)).isoformat(), "delivered_at": at.isoformat()}
    event = {"specversion": "1.0", "id": id_ or f"d{number}", "source": "shop", "type": "relationship.delivery.v1", "subject": relationship}
    return json.dumps(event | {"time": at.isoformat(), "data": data}) + "\n"


@pytest.fixture
def alerted(either: Rledger) -> Rledger:
    """With one alert: our deliveries to a customer are late again."""
    either.environ |= {"RLEDGER_ACTOR": "ada"}
    either("append", "-", stdin=late_delivery(1, 1.0) + late_delivery(2, 0.5))
    return either


def only(rledger: Rledger, *options: str) -> dict[str, object]:
    (found,) = rledger.json("alerts", "list", *options)
    return found  # type: ignore[no-any-return]


def test_an_alert_says_what_why_and_what_to_do(alerted: Rledger) -> None:
    found = only(alerted)
    assert list(found) == FIELDS
    assert (found["kind"], found["relationship"], found["state"], found["evidence"]) == ("we_fail_again", ACME, "open", [1, 2])
    said = alerted("alerts", "list").stdout
    for words in (str(found["id"]), "we fail again", ACME, "our deliveries are late or short again", "→ mend it with us first"):
        assert words in said


def test_where_most_is_at_stake_comes_first(alerted: Rledger) -> None:
    small, large = (purchase(name, amount) for name, amount in ((ACME, "90.00"), ("customer/zeta", "7000.00")))
    late = late_delivery(1, 1.0, "customer/zeta", "x1") + late_delivery(2, 0.5, "customer/zeta", "x2")
    alerted("append", "-", stdin=small + large + late)
    found = alerted.json("alerts", "list")
    assert [(one["relationship"], one["value"]["amount"], one["value"]["peers"]) for one in found] == [
        ("customer/zeta", pytest.approx(7000.0, rel=0.01), 0.5),
        (ACME, pytest.approx(90.0, rel=0.01), 0.0),
    ]
    assert " EUR revenue" in alerted("alerts", "list").stdout.splitlines()[0]


def test_who_takes_an_alert_is_recorded_and_it_is_found_by_that(alerted: Rledger) -> None:
    id_ = str(only(alerted)["id"])
    done = alerted("alerts", "assign", id_[:6], "--to", "bob", "--note", "please")
    assert done.stdout.startswith(f"{id_} we fail again of {ACME}: assigned to bob, position 3")
    found = only(alerted, "--assignee", "bob")
    assert (found["acknowledged_by"], found["assignee"], found["note"], found["state"]) == ("ada", "bob", "please", "acknowledged")
    (event,) = [line["event"] for line in alerted.json("history", ACME) if line["event"]["type"] == "ledger.alert-assigned.v1"]
    assert (event["actor"], event["data"]["alert_id"]) == ("ada", id_)


def test_a_snoozed_alert_is_open_again_afterwards(alerted: Rledger, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = str(only(alerted)["id"])
    alerted("alerts", "snooze", id_, "--until", iso(now_us() + 3_600_000_000))
    assert only(alerted)["state"] == "snoozed"
    monkeypatch.setattr("service.cli.alerts.now_us", lambda: now_us() - 10_000_000)
    alerted("alerts", "snooze", id_, "--until", iso(now_us() - 1_000_000))
    assert only(alerted)["state"] == "open"


def test_a_resolved_alert_is_gone_stays_so_for_a_while_and_is_kept(alerted: Rledger) -> None:
    id_ = str(only(alerted)["id"])
    alerted("alerts", "resolve", id_, "--note", "mended")
    assert alerted.json("alerts", "list") == []
    assert alerted("alerts", "list").stdout == "no alert matches\n"
    alerted("append", "-", stdin=late_delivery(3, 0.0))
    found = only(alerted, "--state", "all", "--kind", "we_fail_again")
    assert (found["state"], found["resolved_by"], found["note"], found["evidence"]) == ("resolved", "ada", "mended", [1, 2, 4])


def test_what_is_done_with_alerts_is_no_touchpoint(alerted: Rledger) -> None:
    before = alerted.json("show", ACME)[0]["events"]
    alerted("alerts", "ack", str(only(alerted)["id"]))
    assert alerted.json("show", ACME)[0]["events"] == before == 2
    assert alerted.json("show", ACME, "--as-of", iso(now_us()))[0]["events"] == 2


def test_an_id_nobody_has_is_an_error_that_says_where_to_look(alerted: Rledger) -> None:
    done = alerted("alerts", "ack", "ffffff")
    assert (done.returncode, "rledger alerts list --state all" in done.stderr) == (1, True)


def test_filters_and_past_moments(sampled: Rledger) -> None:
    every = sampled.json("alerts", "list", "--state", "all", "--limit", "0")
    assert {one["state"] for one in every} >= {"open", "closed", "lapsed"}
    high = sampled.json("alerts", "list", "--severity", "high", "--limit", "0")
    assert high == [one for one in every if one["severity"] == "high" and one["state"] == "open"]
    one = high[0]
    mine = sampled.json("alerts", "list", "--relationship", one["relationship"], "--kind", one["kind"])
    assert one["id"] in [other["id"] for other in mine]
    year_ago = iso(now_us() - 365 * DAY_US)
    then = sampled.json("alerts", "list", "--as-of", year_ago, "--limit", "0")
    assert then
    assert all(other["opened_at"] <= year_ago for other in then)


class Desk:
    """A ledger with views whose clock a test turns, and what was delivered from it."""

    def __init__(self, folder: Path) -> None:
        self.now_us = now_us() // DAY_US * DAY_US
        self.ledger = Ledger.open(f"sqlite:///{folder}/ledger.db", clock=lambda: self.now_us)
        self.views = Views.open(folder / "views.db")
        self.policy = Policies(self.ledger).in_force
        self.sent: list[str] = []

    def catch_up(self, share: Share = EVERYTHING) -> None:
        with closing(Runner(self.ledger, self.views, projections(self.policy), clock=lambda: self.now_us, share=share)) as runner:
            runner.catch_up()

    def append(self, data: Complaint | Delivery | Feedback, id_: str, days_ago: float = 0.0, subject: str = ACME) -> None:
        at_us = self.now_us - int(days_ago * DAY_US)
        type_ = {Complaint: "complaint", Delivery: "delivery", Feedback: "feedback"}[type(data)]
        self.ledger.append([touchpoint("test", id_, f"relationship.{type_}.v1", subject, at_us, data)])

    def next_day(self, days: int = 1) -> None:
        self.now_us += days * DAY_US
        self.ledger.append([day_closed(self.now_us)])
        self.catch_up()

    def deliver(self, publish: Callable[[Sequence[Notice]], None] | None = None, at_once: int = 100) -> int:
        def note(notices: Sequence[Notice]) -> None:
            self.sent += [notice.id for notice in notices]

        outlet = delivering.Outlet(TO, publish or note, at_once)
        return delivering.deliver(self.ledger, self.views, self.policy, outlet, self.now_us)

    @property
    def reader(self) -> Reader:
        return Reader(self.ledger, self.views, self.policy)

    def alerts(self) -> list[Told]:
        return listed(self.reader, Asked(states=()), Moments(self.now_us))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.views.close()
    desk.ledger.close()


def test_an_alert_is_delivered_once_whatever_is_replayed_or_rebuilt(desk: Desk) -> None:
    desk.append(Complaint("C-1", "them", "critical"), "c1")
    desk.next_day(3)
    assert desk.deliver() == 1
    assert desk.deliver() == 0  # not even before the views know of it
    desk.catch_up()
    (one,) = desk.alerts()
    assert (desk.sent, one.delivered) == ([one.id], (TO,))
    rebuild(desk.ledger, desk.views, projections(desk.policy), names=["alerts"], clock=lambda: desk.now_us)
    desk.next_day()
    assert (desk.deliver(), desk.alerts()[0].id) == (0, one.id)


def test_a_delivery_that_failed_is_tried_again(desk: Desk) -> None:
    desk.append(Complaint("C-1", "them", "critical"), "c1")
    desk.next_day(3)

    def fail(_: object) -> None:
        raise OSError("no broker")

    with pytest.raises(OSError, match="no broker"):
        desk.deliver(fail)
    assert desk.deliver() == 1


def test_what_is_told_one_by_one_is_not_told_again_when_a_later_one_fails(desk: Desk) -> None:
    for number in range(3):
        desk.append(Complaint(f"C-{number}", "them", "critical"), f"c{number}", subject=f"customer/{number}")
    desk.next_day(3)
    assert [desk.deliver(at_once=1) for _ in range(4)] == [1, 1, 1, 0]  # though the views do not know of it yet
    assert sorted(desk.sent) == sorted(one.id for one in desk.alerts())


class Hook(BaseHTTPRequestHandler):
    """A webhook that notes what is posted to it, and answers as it is told."""

    answers: ClassVar[list[int]] = []
    posted: ClassVar[list[tuple[str, str, dict[str, Any]]]] = []

    def do_POST(self) -> None:  # as http.server calls it
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.posted.append((self.path, self.headers["ledger-alert"], body))
        self.send_response(self.answers.pop() if self.answers else 204)
        self.send_header("location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def hook() -> Iterator[str]:
    """Its address; what was posted stands in ``Hook.posted``."""
    Hook.answers, Hook.posted = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("answer", [301, 404, 500])
def test_an_alert_is_posted_again_until_a_webhook_takes_it(desk: Desk, hook: str, answer: int) -> None:
    desk.append(Complaint("C-1", "them", "critical"), "c1")
    desk.next_day(3)
    Hook.answers = [answer]
    post = partial(notices.post, f"{hook}/alerts?key=s3cret")
    with pytest.raises(OSError, match=f"{answer}"):
        desk.deliver(post)
    assert desk.deliver(post) == 1
    assert desk.deliver(post) == 0
    (one,) = desk.alerts()
    assert [(path, id_, body["text"]) for path, id_, body in Hook.posted] == [("/alerts?key=s3cret", one.id, one.text)] * 2


def test_a_worker_posts_alerts_without_a_broker_and_records_no_secret_of_the_address(rledger: Rledger, hook: str) -> None:
    rledger.environ |= {"RLEDGER_ALERTS": f"{hook}/services/s3cret"}
    rledger("append", "-", stdin=late_delivery(1, 1.0) + late_delivery(2, 0.5))
    rledger.start("project")
    eventually(lambda: [one["delivered"] for one in rledger.json("alerts", "list")] == [[f"webhook:{hook.removeprefix('http://')}"]])
    assert [body["relationship"] for _, _, body in Hook.posted] == [ACME]
    assert "s3cret" not in rledger("history", ACME, "--json").stdout


def test_neither_history_nor_what_is_old_is_delivered(desk: Desk) -> None:
    desk.append(Complaint("C-1", "them", "critical"), "c1", days_ago=100.0)
    desk.next_day()
    assert [one.historical for one in desk.alerts()] == [True]
    assert desk.deliver() == 0
    desk.append(Complaint("C-2", "them", "critical"), "c2", subject="customer/bolt")
    desk.next_day(2 + int(desk.policy.alerts.deliver_days) + 1)
    assert desk.deliver() == 0


def test_a_drop_of_our_reputation_is_an_alert_of_the_company(desk: Desk) -> None:
    for number in range(8):
        good = moment(desk.now_us + DAY_US)
        for customer in range(6):
            desk.append(
                Delivery(f"O-{number}-{customer}", "us", good, moment(desk.now_us)),
                f"d{number}-{customer}",
                subject=f"customer/c{customer}",
            )
    desk.next_day()
    assert noting.note(desk.ledger, desk.reader, moment(desk.now_us - DAY_US).date(), desk.now_us) == 1
    assert noting.note(desk.ledger, desk.reader, moment(desk.now_us - DAY_US).date(), desk.now_us + 1) == 0
    for number in range(8):
        for customer in range(6):
            bad = moment(desk.now_us - 9 * DAY_US)
            desk.append(
                Delivery(f"L-{number}-{customer}", "us", bad, moment(desk.now_us)), f"l{number}-{customer}", subject=f"customer/c{customer}"
            )
    desk.next_day()
    noting.note(desk.ledger, desk.reader, moment(desk.now_us - DAY_US).date(), desk.now_us)
    desk.catch_up()
    (one,) = [one for one in desk.alerts() if one.kind == "reputation_dropped"]
    assert (one.relationship, one.severity, one.historical) == (LEDGER_SUBJECT, "high", False)


def test_a_day_is_noted_once_all_slices_have_its_close(desk: Desk) -> None:
    in_time = Delivery("O-1", "us", moment(desk.now_us), moment(desk.now_us))
    for customer in range(6):
        desk.append(in_time, f"d{customer}", subject=f"customer/c{customer}")
    desk.catch_up()
    noter = noting.Noter(desk.ledger, desk.views)
    desk.now_us += DAY_US
    desk.ledger.append([day_closed(desk.now_us)])
    for share in desk.views.slices():
        assert noter.look(desk.policy, desk.now_us) == 0
        desk.catch_up(share)
    assert noter.look(desk.policy, desk.now_us) == 1


def test_who_stands_at_exit_is_proposed_once_and_withdrawn_when_it_is_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.append(Feedback("nps", 1.0), "f1")
    desk.next_day()
    shown = desk.reader.show(ACME, Moments(desk.now_us))
    for exits, count, states in (([shown], 1, ["open"]), ([shown], 0, ["open"]), ([], 1, ["closed"])):
        monkeypatch.setattr(Reader, "list", lambda *_, exits=exits, **__: exits)
        assert noting._exits(desk.ledger, desk.reader, moment(desk.now_us - DAY_US).date(), desk.now_us) == count  # noqa: SLF001
        desk.next_day()
        assert [one.state for one in desk.alerts() if one.kind == "exit_candidate"] == states


def test_an_alert_is_not_put_aside_until_a_moment_that_is_past(alerted: Rledger) -> None:
    (one,) = alerted.json("alerts", "list")
    done = alerted("alerts", "snooze", one["id"], "--until", "2026-01-01")
    assert (done.returncode, "--until is past" in done.stderr) == (2, True)
    assert [alert["state"] for alert in alerted.json("alerts", "list")] == ["open"]


def test_the_list_proposes_to_take_what_nobody_has_taken(alerted: Rledger) -> None:
    (one,) = alerted.json("alerts", "list")
    take = f"Take one: rledger alerts ack {one['id']}"
    assert take in alerted("alerts", "list").stdout
    alerted("alerts", "resolve", one["id"])
    assert take not in alerted("alerts", "list", "--state", "all").stdout
