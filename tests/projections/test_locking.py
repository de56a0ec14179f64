"""Writers of views in each other's way: what is begun is one commit, and nobody waits for who waits for them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from projections.keeper import Keeper
from projections.projection import Projection
from projections.rebuild import RebuildUnderWayError, rebuild
from projections.sharing import reslice
from projections.stores import leases as leases_module
from projections.stores.interface import Writer
from projections.stores.slices import EVERYTHING
from projections.views import Views
from schemas.errors import LeaseLostError, StoreBusyError, StoreUnavailableError
from tests.projections.chains import House, chains, execute, from_nothing, table

NAMES = ("links", "chains", "bonds")  # folded in another order than that of their names


class UndoneError(Exception):
    """Ends a transaction."""


def test_what_is_asked_inside_a_transaction_does_not_end_it(house: House) -> None:
    house.log.add_many(20)
    house.catch_up()

    def begin_and_give_up() -> None:
        with writer.transaction():
            at = writer.progress(["chains"])["chains"]
            with writer.transaction():  # of a part that knows nothing of the whole
                writer.put_progress([at])
                assert writer.progress(["chains"])["chains"].commits > at.commits
            raise UndoneError

    with house.views.try_lock() or house.views.join() as part, closing(house.views.writer(part.look())) as writer:
        before = house.views.progress()
        with pytest.raises(UndoneError):
            begin_and_give_up()
        assert house.views.progress() == before


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_who_has_read_how_far_tables_are_keeps_others_from_writing_them(house: House) -> None:
    house.log.add_many(20)
    house.catch_up()
    with house.views.join() as part, closing(house.views.writer(part.look())) as writer, writer.transaction():
        writer.progress(["chains"])
        assert execute(house.place, "SELECT slice FROM progress FOR UPDATE SKIP LOCKED") == []


def test_workers_a_rebuild_and_new_slices_at_once_leave_nobody_undone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases_module, "REBALANCE_S", 0.0)
    kept = [chains(name=name) for name in NAMES]
    house.catch_up(*kept)
    done = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(work, house, kept, done.is_set) for _ in range(2)]
        try:
            for step in range(12):
                house.log.add_many(5, relationships=50)
                insist(partial(rebuild, house.log.ledger, house.views, kept, names=NAMES, clock=lambda: 0))
                if step % 4 == 0:
                    insist(partial(reslice, house.log.ledger, house.views, kept, 3 + step % 5, clock=lambda: 0))
        finally:
            done.set()
        for worker in workers:
            worker.result()
    house.catch_up(*kept)
    for one in kept:
        assert table(house.place, one.name) == from_nothing(house.log)[0]


def test_who_asks_waits_for_no_commit(house: House) -> None:
    house.log.add_many(20)
    house.catch_up()
    with house.views.try_lock() or house.views.join() as part, closing(house.views.writer(part.look())) as writer, writer.transaction():
        writer.put_progress([writer.progress(["chains"])["chains"]])
        with closing(Views.open(house.place)) as views:
            assert len(list(views.select(chains()))) == 10
            assert views.try_lock() is None
            assert [one.position for one in views.holdings()] == [20] * 8


def test_a_writer_does_not_miss_what_was_written_since_its_last_commit(house: House) -> None:
    house.log.add_many(20)
    house.catch_up()
    with closing(house.views.writer()) as one, closing(house.views.writer()) as other:

        def commit(writer: Writer) -> None:
            with writer.transaction():
                writer.put_progress(list(writer.progress().values()))

        def told() -> bool:
            with one.transaction():
                return one.undisturbed()

        assert not told()  # it has seen nothing yet
        commit(one)
        knows = isinstance(house.place, Path)  # on PostgreSQL it must look each time, which locks what it will write
        assert told() == told() == knows
        for another in (other, one.within(EVERYTHING)):
            commit(another)
            assert not told()
        with suppress(UndoneError), other.transaction():
            other.put_progress(list(other.progress().values()))
            raise UndoneError
        assert told() == knows


def insist(act: Callable[[], object]) -> None:
    """Do it once nobody else is doing it."""
    while True:
        try:
            act()
        except RebuildUnderWayError:
            continue
        return


def work(house: House, kept: list[Projection], ended: Callable[[], bool]) -> None:
    """What a worker does, with a commit at every turn, whether there is anything to fold or not."""
    with closing(Views.open(house.place)) as views, views.join() as part:
        while not ended():
            share = part.look()
            if share == ():
                continue
            with closing(Keeper(house.log.ledger, views, kept, clock=lambda: 0, share=share)) as keeper:
                try:
                    while not ended() and part.look() == share:
                        if not keeper.advance():
                            with keeper.writer.transaction():
                                keeper.writer.put_progress(list(keeper.writer.progress(NAMES).values()))
                except LeaseLostError:
                    continue
                except StoreBusyError:
                    raise
                except StoreUnavailableError:  # slices that others have left behind
                    continue
