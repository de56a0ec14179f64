"""Workers side by side: who has which relationships, and that rows are those of one worker that nobody disturbed."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.ledger import Ledger
from projections.keeper import Keeper
from projections.runner import Runner
from projections.sharing import reslice
from projections.stores import leases as leases_module
from projections.stores.interface import Lock
from projections.stores.leases import Leases
from projections.stores.slices import BUCKETS, Share, bucket, buckets, even, fair
from projections.views import Views
from schemas.errors import LeaseLostError, NotFoundError, SettingsError, StoreUnavailableError
from tests.projections.chains import House, Place, chains, execute, from_nothing, naive, parked, table, touchpoint
from tests.projections.test_locking import insist
from tests.projections.test_runner import everything

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workers(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Lock]]:
    """Three that take part, who look at the others whenever they are asked."""
    monkeypatch.setattr(leases_module, "REBALANCE_S", 0.0)
    with ExitStack() as stack:
        yield [stack.enter_context(house.views.join()) for _ in range(3)]


def shares(workers: list[Lock]) -> list[Share]:
    """What each has, once all have looked around often enough."""
    for _ in range(2):
        for one in workers:
            one.look()
    return [one.look() for one in workers]


def size(share: Share) -> int:
    return len(share or ())


@given(count=st.integers(1, BUCKETS), workers=st.integers(1, 300))
def test_slices_part_all_relationships_and_workers_part_all_slices(count: int, workers: int) -> None:
    slices = even(count)
    assert sorted(at for one in slices for at in range(one.first, one.beyond)) == list(range(BUCKETS))
    assert max(map(len, map(buckets, [(one,) for one in slices]))) - min(map(len, map(buckets, [(one,) for one in slices]))) <= 1
    assert sum(fair(count, workers, rank) for rank in range(workers)) == count


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_the_database_puts_a_relationship_into_the_same_bucket(house: House) -> None:
    names = [f"customer/{name}" for name in ("a", "acme", "x" * 200, "vale.printing", "c@d:e+f~g")]
    for name in names:
        assert execute(house.place, f"SELECT get_byte(sha256(convert_to('{name}', 'UTF8')), 0)") == [(bucket(name),)]
    assert bucket("customer/a") == 0xD4  # for ever: rows of a slice would be looked for in another one


def test_workers_share_all_slices_and_take_over_from_who_leaves(house: House, workers: list[Lock]) -> None:
    assert [size(share) for share in shares(workers)] in ([3, 3, 2], [3, 2, 3], [2, 3, 3])
    held = [at for share in shares(workers) for at in sorted(buckets(share))]
    assert sorted(held) == list(range(BUCKETS))
    workers[1].release()
    left = shares([workers[0], workers[2]])
    assert [size(share) for share in left] == [4, 4]
    assert house.views.try_lock() is None
    workers[0].release()
    assert size(workers[2].look()) == 8


def test_who_is_taken_for_dead_loses_its_slices_and_its_commit_is_refused(house: House, workers: list[Lock]) -> None:
    zombie, successor, third = workers
    third.release()
    house.log.add_many(100)
    with closing(house.runner(share=shares([zombie, successor])[0])) as runner:
        runner.catch_up()
        house.log.add_many(20)
        before = table(house.place)
        if isinstance(house.place, Path):
            zombie.release()
        else:
            execute(house.place, "UPDATE workers SET until = now() - interval '1 s'")
        assert size(successor.look()) == 8
        with pytest.raises(LeaseLostError):
            runner.catch_up()
        assert table(house.place) == before
    with closing(house.runner(share=successor.look())) as runner:
        runner.catch_up()
    assert (table(house.place), []) == from_nothing(house.log)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_what_a_killed_worker_on_this_machine_had_is_free_at_once(house: House, tmp_path: Path) -> None:
    Ledger.open(f"sqlite:///{tmp_path}/ledger.db", clock=lambda: 0).close()
    worker = subprocess.Popen([sys.executable, "-m", "tests.projections.worker", f"sqlite:///{tmp_path}/ledger.db", house.place], cwd=ROOT)
    try:
        while not any(one.worker for one in house.views.holdings()):
            assert worker.poll() is None
            time.sleep(0.02)
        assert house.views.try_lock() is None
    finally:
        end([worker])
    with house.views.join() as successor:
        assert size(successor.look()) == 8


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("gone", ["views.db", "views.db.worker-1.lock"])
def test_a_worker_whose_file_was_deleted_ends_and_says_so(workers: list[Lock], tmp_path: Path, gone: str) -> None:
    shares(workers)
    (tmp_path / gone).unlink()
    with pytest.raises(NotFoundError, match="was deleted while this worker kept it"):
        workers[1].look()


def test_one_that_works_alone_has_everything_and_needs_it_to_be_free(house: House) -> None:
    lock = house.views.try_lock()
    assert lock is not None
    with lock:
        assert buckets(lock.look()) == frozenset(range(BUCKETS))
        with house.views.join() as late:
            assert late.look() == ()
    with house.views.join() as first:
        assert size(first.look()) == 8
        assert house.views.try_lock() is None


def test_who_would_work_alone_makes_nobody_give_up_anything(house: House, workers: list[Lock], monkeypatch: pytest.MonkeyPatch) -> None:
    for late in workers[1:]:
        late.release()
    assert size(workers[0].look()) == 8
    monkeypatch.setattr(Leases, "alone", lambda _: workers[0].look())  # it would sign on, and be seen
    assert house.views.try_lock() is None
    assert size(workers[0].look()) == 8


@pytest.mark.usefixtures("small")
def test_slices_are_split_and_merged_wherever_they_stand_and_rows_stay_exact(house: House) -> None:
    rng = random.Random(3)
    broken = chains(lambda id_: int(id_[1:]) % 60 == 13)
    house.catch_up(broken)
    for step in range(40):
        house.log.add_many(rng.randrange(12), relationships=9)
        if step % 9 == 4:
            house.log.close_day()
        if step % 7 == 6:
            wrong = rng.choice([one for one in house.log.events if one.type == "relationship.contact.v0"])
            house.log.correct(wrong.relationship, msgspec.json.decode(wrong.event)["id"])
        some = rng.choice(house.views.slices())
        with closing(Keeper(house.log.ledger, house.views, [broken], clock=lambda: 0, share=some)) as keeper:
            rng.choice([keeper.advance, keeper.catch_up])()
        if step % 5 == 2:
            count = rng.choice([1, 2, 3, 5, 8])
            reslice(house.log.ledger, house.views, [broken], count, clock=lambda: 0)
            assert len(house.views.slices()) == count
        if step % 8 == 7:
            with closing(house.runner(broken)) as runner:
                (rebuilt,) = runner.rebuild(["chains"])
            assert rebuilt.comparison is not None
            assert rebuilt.comparison.equal
    assert house.views.status(head=10**6)[0].position == min(one.position or 0 for one in house.views.holdings())
    house.catch_up(broken)
    assert (table(house.place), parked(house.place)) == from_nothing(house.log, broken)


def test_slices_cannot_be_cut_without_end_or_beside_a_rebuild(house: House) -> None:
    with pytest.raises(SettingsError, match="257 slices cannot be"):
        reslice(house.log.ledger, house.views, [chains()], 257, clock=lambda: 0)
    lock = house.views.try_lock("rebuild")
    assert lock is not None
    with lock, pytest.raises(StoreUnavailableError, match="a rebuild is under way"):
        reslice(house.log.ledger, house.views, [chains()], 2, clock=lambda: 0)


def test_workers_killed_again_and_again_leave_the_rows_of_one_that_was_not(place: Place) -> None:
    store = place if isinstance(place, str) else f"sqlite:///{place.parent}/ledger.db"
    rng, sent = random.Random(7), 0
    command = [sys.executable, "-m", "tests.projections.worker", store, str(place)]
    with (
        Ledger.open(store, clock=iter(range(1_000_000, 10**9)).__next__) as ledger,
        closing(Views.open(place)) as views,
        ExitStack() as stack,
    ):
        running: list[subprocess.Popen[bytes]] = []
        stack.callback(lambda: end(running))
        for round_ in range(5):
            while len(running) < 3:
                running.append(subprocess.Popen(command, cwd=ROOT))
            before = reached(views)
            deadline_s = time.monotonic() + 60
            while reached(views) <= before:  # every slice has gone on since the last one was killed
                assert time.monotonic() < deadline_s
                ledger.append([touchpoint(f"customer/c{at * 7 % 50}", f"e{at}") for at in range(sent, sent + 20)])
                sent += 20
            if round_ % 3 == 1:
                insist(partial(reslice, ledger, views, [chains()], rng.choice([3, 5, 16]), clock=lambda: 0))
            victim = running.pop(rng.randrange(3))
            victim.kill()
            victim.wait()
        end(running)
        eventually_alone(views, ledger)
        states = {one.state.chain: (one.state, one.position) for one in views.select(chains(), state=True)}
        assert states == naive(everything(ledger), chains())


def end(running: list[subprocess.Popen[bytes]]) -> None:
    for one in running:
        one.kill()
        one.wait()


def reached(views: Views) -> int:
    """Up to where every slice is."""
    return min((one.position or 0 for one in views.holdings()), default=0)


def eventually_alone(views: Views, ledger: Ledger) -> None:
    """Catch up once the killed ones' leases are over, and compare with a rebuild."""
    deadline_s = time.monotonic() + 60
    while (lock := views.try_lock()) is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    with lock, closing(Runner(ledger, views, [chains()], clock=lambda: 0, share=lock.look())) as runner:
        runner.catch_up()
        (rebuilt,) = runner.rebuild(["chains"])
    assert rebuilt.comparison is not None
    assert rebuilt.comparison.equal
    assert rebuilt.comparison.same == 100
