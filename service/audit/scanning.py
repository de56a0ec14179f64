"""Read the whole log again, in as many processes as pay: each scans a stretch, and what they found is joined."""

import gc
import itertools
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import msgspec

from ledger.ledger import Ledger
from ledger.proof.tiles import WIDTH
from ledger.scan import Stretch, merge, scan
from schemas.errors import LedgerError, StoreUnavailableError
from service.audit.tiles import Group
from service.settings import Settings
from service.stores import open_ledger

ALONE_EVENTS = 200_000  # fewer are read by this process: another one takes half a second to start
PROCESSES_MAX = 2  # the store's own checks take what is left

Told = Callable[[int, int], None]
"""Told the events read so far, and how many there are."""


class Part(msgspec.Struct, frozen=True):
    """A stretch to scan: behind ``start`` up to ``end``, with the sizes of trees that will be asked for and the folder of tiles."""

    settings: Settings
    start: int
    end: int
    sizes: frozenset[int]
    folder: Path


def read_log(ledger: Ledger, whole: Part, told: Told) -> tuple[Stretch, list[Group]]:
    """Scan ``whole``; what the tiles of leaves differ in comes with it.

    Raises:
        StoreUnavailableError: the ledger cannot be read.
    """
    if whole.end < ALONE_EVENTS:
        stretch, group = _scan(ledger, whole, lambda done: told(done, whole.end))
        return merge([stretch]), [group]
    processes = min(PROCESSES_MAX, os.cpu_count() or 1)
    borders = [whole.end * part // processes // WIDTH * WIDTH for part in range(processes)] + [whole.end]
    parts = [msgspec.structs.replace(whole, start=start, end=end) for start, end in itertools.pairwise(borders)]
    found = _answers(parts, lambda done: told(done, whole.end))
    return merge([stretch for stretch, _ in found]), [group for _, group in found]


def _answers(parts: list[Part], told: Callable[[int], None]) -> list[tuple[Stretch, Group]]:
    """Scan each part in a process of its own; returns what they found, in order."""
    context = multiprocessing.get_context("spawn")
    found: dict[int, tuple[Stretch, Group]] = {}
    done = [0] * len(parts)
    pipes: dict[Any, int] = {}
    processes = []
    try:
        for number, part in enumerate(parts):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_scan_apart, args=(theirs, part), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
            pipes[ours] = number
        while pipes:
            for ready in wait(list(pipes)):
                answer: Any = _received(ready)
                if isinstance(answer, LedgerError):
                    raise answer
                if isinstance(answer, int):
                    done[pipes[ready]] = answer
                    told(sum(done))
                else:
                    found[pipes.pop(ready)] = answer
    finally:
        for process in processes:
            if pipes:
                process.terminate()
            process.join()
    return [found[number] for number in range(len(parts))]


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector: rows refer to nothing, and for their sake it would walk all that was imported, again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _received(ready: Any) -> Any:  # noqa: ANN401  # a pipe, but wait knows more; what came through it
    try:
        return ready.recv()
    except EOFError:
        raise StoreUnavailableError("a process that read the log was ended from outside: see whether memory ran out") from None


def _scan_apart(answers: Connection, part: Part) -> None:
    """Send how far the scan is, then what it found."""
    try:
        with uncollected(), open_ledger(part.settings, read_only=True) as ledger:
            answers.send(_scan(ledger, part, answers.send))
    except LedgerError as error:
        answers.send(error)


def _scan(ledger: Ledger, part: Part, told: Callable[[int], None]) -> tuple[Stretch, Group]:
    group = Group(part.folder)
    return scan(ledger.recorder, part.start, part.end, sizes=part.sizes, group=group, told=told), group
