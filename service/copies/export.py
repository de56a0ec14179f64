"""Export events with their proof: as they stand in the store, so that what is encrypted there stays encrypted.

What is handed out is proven first: the records and the hashes of what is left out give the root that was signed, or there is no export.
Bounded memory: a page of events at a time. That somebody exported is an event, recorded before the export is finished.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from ledger.plan import Row
from ledger.proof.checkpoint import Opened
from ledger.proof.errors import UnprovenError
from ledger.proof.leaf import encode_line, hash_row
from ledger.proof.merkle import Frontier
from ledger.proof.part import passed
from ledger.proof.text import encode_base64
from schemas.catalogue import Exported
from schemas.touchpoint import LEDGER_SUBJECT, Stored, moment
from service import own
from service.audit.checkpoints import Checkpoints
from service.audit.keys import KeyMissingError
from service.copies import manifest as manifests
from service.copies.files import Growing, empty_folder, write_whole
from service.copies.manifest import FORMAT, LEAF_FORMAT, EventsFormat, Manifest, Selection

PAGE_EVENTS = 8_192  # some 4 MB
EVENTS, PROOF, CHECKPOINT = "events.jsonl", "left-out.proof", "checkpoint"

Told = Callable[[int, int], None]
"""Told the positions looked at so far, and how many there are."""


class JsonLines:
    """Events as lines of JSON in ``file``."""

    def __init__(self, folder: Path) -> None:
        self.file = Growing(folder / EVENTS)

    def write(self, rows: Sequence[Row]) -> None:
        """Append a line each."""
        self.file.write(b"".join([encode_line(Stored(*row[:-1])) for row in rows]))

    def close(self) -> None:
        """Nothing follows the last line."""

    def drop(self) -> None:
        """Leave nothing of it, unless it is finished."""
        self.file.drop()


class Writer(Protocol):
    """Writes events to ``file`` in one format."""

    file: Growing

    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...

    def drop(self) -> None: ...


def _writer(form: EventsFormat, folder: Path) -> Writer:
    if form == "jsonl":
        return JsonLines(folder)
    from service.copies.parquet import ParquetEvents  # noqa: PLC0415  # pyarrow takes 0.2 s, which lines need not wait

    return ParquetEvents(folder)


class Export:
    """The events that ``selection`` takes of ``checkpoints``' ledger, with what proves them.

    Raises:
        UnprovenError: nothing was ever signed, or the log is not what was.
        KeyMissingError: nothing was ever signed, and the key is not here.
    """

    def __init__(self, checkpoints: Checkpoints, selection: Selection, now_us: int) -> None:
        self._checkpoints, self._now_us, self.selection = checkpoints, now_us, selection
        self._opened = resting_on(checkpoints, now_us)
        self.size = self._opened.checkpoint.size

    def write(self, folder: Path, form: EventsFormat, *, why: str, by: str, told: Told) -> Manifest:
        """Write them to ``folder``, which is new or empty; nothing is left in it unless all is well.

        Raises:
            SettingsError: there is something in the folder.
            UnprovenError: the log is not what was signed.
        """
        empty_folder(folder)
        events = _writer(form, folder)
        proof = None if self.selection.whole else Growing(folder / PROOF)
        try:
            last = self._events(events, proof, told)
            events.close()
            files = [events.file.finish(), write_whole(folder / CHECKPOINT, self._opened.note.encode())]
            files += [] if proof is None else [proof.finish()]
            made = Manifest(
                format=FORMAT,
                origin=self._opened.checkpoint.origin,
                size=self.size,
                root=encode_base64(self._opened.checkpoint.root),
                made_at=moment(self._now_us),
                by=by,
                why=why,
                events_format=form,
                leaf_format=LEAF_FORMAT,
                events=files[0].events,
                first_position=files[0].first,
                last_position=last,
                selection=None if self.selection.whole else self.selection,
                files=tuple(files),
            )
            self._record(made, folder)
            write_whole(folder / manifests.NAME, manifests.encode(made))
        except BaseException:
            for name in (events.file.path.name, PROOF, CHECKPOINT):
                (folder / name).unlink(missing_ok=True)
            raise
        finally:
            events.drop()
            if proof is not None:
                proof.drop()
        return made

    def _events(self, events: Writer, proof: Growing | None, told: Told) -> int:
        """Write the events, and their proof; returns the last position."""
        node = self._checkpoints.tiles.nodes(self.size)
        tree, last = Frontier(), 0
        for rows in self._pages(told):
            taken = self._taken(rows)
            for run in _runs(taken):
                tree, hashes = passed(tree, run[0][0] - 1, node)
                _add(proof, hashes)
                tree = tree.extended(hash_row(*row[:-1]) for row in run)
                events.file.first = events.file.first or run[0][0]
                events.file.events += len(run)
                last = run[-1][0]
            with _read_rightly(rows):
                if taken:
                    events.write(taken)
        tree, hashes = passed(tree, self.size, node)
        _add(proof, hashes)
        if tree.root() != self._opened.checkpoint.root:
            raise UnprovenError("the log is not what was signed: events were altered after they came; `rledger verify` says where")
        return last

    def _pages(self, told: Told) -> Iterator[list[Row]]:
        """The rows to look at, page by page."""
        start = min(self.selection.first - 1, self.size)
        end = min(self.selection.last or self.size, self.size)
        at = start
        while at < end:
            rows = self._checkpoints.ledger.recorder.rows(at, min(PAGE_EVENTS, end - at))
            if [row[0] for row in rows] != list(range(at + 1, at + 1 + len(rows))) or not rows:
                raise UnprovenError(f"position {at + 1:,} or one soon after is missing from the log: `rledger verify` says which")
            yield rows
            at += len(rows)
            told(at - start, end - start)

    def _taken(self, rows: list[Row]) -> list[Row]:
        if not self.selection.by_row:
            return rows
        with _read_rightly(rows):
            return [row for row in rows if self.selection.takes(row)]

    def _record(self, made: Manifest, folder: Path) -> None:
        """Say in the ledger who took what, and where to."""
        taken = None if made.selection is None else msgspec.to_builtins(made.selection)
        data = Exported(
            made.events_format, made.events, made.first_position, made.last_position, made.why, self.size, taken, str(folder.absolute())
        )
        own.record(self._checkpoints.ledger, LEDGER_SUBJECT, data, by=made.by, at_us=self._now_us)


def resting_on(checkpoints: Checkpoints, now_us: int) -> Opened:
    """A checkpoint of the log as it is now; where the key that signs is not here, the newest that was kept."""
    try:
        checkpoints.make(now_us)
    except KeyMissingError:
        if checkpoints.newest() is None:
            raise
    return checkpoints.rested_on()


@contextmanager
def _read_rightly(rows: Sequence[Row]) -> Iterator[None]:
    """What is done with rows fails only where they are no events any more."""
    try:
        yield
    except (ValueError, msgspec.MsgspecError) as error:
        where = f"an event from position {rows[0][0]:,} on is not what was accepted ({error})"
        raise UnprovenError(f"the log is not what was signed: {where}; `rledger verify` says which") from error


def _runs(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Rows whose positions follow each other."""
    start = 0
    for at in range(1, len(rows) + 1):
        if at == len(rows) or rows[at][0] != rows[at - 1][0] + 1:
            yield rows[start:at]
            start = at


def _add(proof: Growing | None, hashes: Sequence[bytes]) -> None:
    if hashes:
        if proof is None:
            raise UnprovenError("positions are missing from the log: `rledger verify` says which")
        proof.write(b"".join(encode_base64(one).encode() + b"\n" for one in hashes))
