"""Promise 1 again, where processes die: nothing acknowledged is lost, nothing is there twice, nothing is there in part."""

import itertools
import multiprocessing
import random
import signal
from collections.abc import Callable

import msgspec

from ledger.ledger import Ledger
from tests.ledger.crashing import BATCH, append_and_die, append_next, append_one, append_until_killed, erase_and_die, run, start
from tests.ledger.events import assert_orderly, everything, personal, vault

STREAM = "kafka/topic-id/touchpoints/0"


def ids(ledger: Ledger, stream: str) -> list[int]:
    """The ids of the stream's events in the order of the log."""
    events = [msgspec.json.decode(event.event) for event in everything(ledger)]
    return [int(event["id"]) for event in events if event["source"] == stream]


def assert_whole(ledger: Ledger, stream: str) -> None:
    """The stream is there as far as its offset says: each touchpoint once and in order, each dead letter once."""
    offset = ledger.next_offsets([stream]).get(stream, 0)
    assert ids(ledger, stream) == list(range(1, offset + 1))
    letters = [kept for kept in ledger.dead_letters(limit=100_000) if kept.letter.key == stream.encode()]
    assert [kept.letter.offset for kept in letters] == list(range(0, offset, BATCH))


def test_a_crash_at_any_step_loses_nothing_and_repeats_nothing(url: str, open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger(vault())
    for step in itertools.count(1):
        exit_code = run(append_and_die, url, STREAM, step)
        assert_orderly(everything(ledger))
        assert_whole(ledger, STREAM)
        if exit_code == 0:
            break
        assert exit_code == -signal.SIGKILL
    assert step > 16  # before and after: begin, what is known, head, events, offsets, dead letters, commit
    # Whether a process that died as it sent its commit has committed is PostgreSQL's to say; the last one did not die.
    assert ledger.head().position >= (2 * BATCH if url.startswith("sqlite") else BATCH)


def test_a_crash_on_the_way_of_an_erasure_leaves_all_of_it_or_nothing(url: str, open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger(vault())
    ledger.append([personal(1)])
    for step in itertools.count(1):
        exit_code = run(erase_and_die, url, step)
        kept, said = ledger.key_of("customer/ada"), ledger.find("rledger", "erased/customer/ada")
        assert kept is not None
        assert (kept.wrapped is None) == (said is not None)
        assert (b"Ada Lovelace" in ledger.history("customer/ada")[0].event) == (said is None)
        if said is not None:
            break
        assert exit_code == -signal.SIGKILL
    assert step > 6  # before and after: begin, what is known, head, event, key, commit


def test_two_writers_killed_at_random_keep_every_promise(url: str, open_ledger: Callable[..., Ledger]) -> None:
    dice = random.Random(20)
    ledger = open_ledger(vault())
    streams = ["kafka/topic-id/touchpoints/1", "kafka/topic-id/touchpoints/2"]
    acknowledged: list[int] = []
    for _ in range(4):
        pipes = [multiprocessing.Pipe(duplex=False) for _ in streams]
        writers = [start(append_until_killed, url, stream, sender) for stream, (_, sender) in zip(streams, pipes, strict=True)]
        for receiver, sender in pipes:
            sender.close()
            acknowledged += receiver.recv()
        for writer in writers:
            writer.join(dice.uniform(0.02, 0.1))
            writer.kill()
            writer.join()
        for receiver, _ in pipes:
            while receiver.poll():
                try:
                    acknowledged += receiver.recv()
                except EOFError:
                    break
            receiver.close()
    for stream in streams:
        append_next(ledger, stream)
        assert_whole(ledger, stream)
    log = everything(ledger)
    assert_orderly(log)
    assert len(set(acknowledged)) == len(acknowledged) > 8 * BATCH
    assert set(acknowledged) <= {event.position for event in log}
    assert ledger.check() == []


def test_processes_that_open_a_new_ledger_at_once_share_it(url: str, open_ledger: Callable[[], Ledger]) -> None:
    sources = [f"process/{number}" for number in range(6)]
    processes = [start(append_one, url, source) for source in sources]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    ledger = open_ledger()
    assert_orderly(everything(ledger))
    assert [ids(ledger, source) for source in sources] == [[1]] * 6
