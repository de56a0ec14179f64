"""Keep the tables of some projections in step with the log: rows and position in one commit.

Whatever the sizes of batches and wherever it is killed, the same log gives the same rows: folds are pure, each event is folded once into
the state its predecessors left, and the moment a row is published for comes from events (``Projection.moment``): when the last one folded
into it was recorded or, where a row changes by itself, when it last did up to the newest close of a day. A relationship with an event that
cannot be folded is parked at that event; one that was corrected, or whose personal data was erased, is folded again, it alone, from its
history with the corrections followed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import structlog

from ledger.ledger import Ledger
from projections.corrections import REFOLDED
from projections.folding import Failure, Folding
from projections.foldings import Foldings
from projections.projection import Projection
from projections.stores.interface import Parked, Progress, UnbindableError, Writer
from projections.stores.slices import EVERYTHING, Share
from projections.tables import Table, relationship_of
from projections.views import PolicySupersededError, Views
from schemas.errors import StoreUnavailableError
from schemas.touchpoint import LEDGER_SUBJECT, Stored

READ_EVENTS = 5_000  # events a read; when fewer come we are live, and they are committed at once
FOLD_EVENTS = 25_000  # events folded at once where so many wait: some are of the same relationship, whose states then are at hand
COMMIT_EVENTS = 300_000  # events a commit while catching up: a row is published once a commit, and publishing is most of the cost
CACHED_ROWS = 10_000  # states a projection keeps in memory at most, and relationships whose rows are changed between two commits
BUILD_ROWS = 3_000  # rows a projection changes between two commits while it is built, where each is written but once
SWEEP_ROWS = 500  # rows published a commit after the close of a day: live events wait for some 50 ms
DAY_CLOSED = "ledger.day-closed.v1"

log = structlog.get_logger()


class Retried(msgspec.Struct, frozen=True):
    """What came of parked relationships: how many flow again, how many still wait."""

    freed: int
    waiting: int


class Keeper:
    """Folds the log into the tables of ``projections``, which all stand at the same position. One thread at a time.

    beside: into the tables being built, which nobody reads before they are complete.
    share: the slices whose relationships are folded; they, too, all stand at the same position.
    writer: to write with, of the share; one of its own by default.

    Two keepers of the same tables do no harm: at each commit the position is compared with what this one knew, and one that was overtaken
    starts again from the file. Every method may raise ``StoreUnavailableError``: nothing was written, try again.
    """

    def __init__(
        self,
        ledger: Ledger,
        views: Views,
        projections: Sequence[Projection],
        *,
        clock: Callable[[], int],
        beside: bool = False,
        share: Share = EVERYTHING,
        writer: Writer | None = None,
    ) -> None:
        self._ledger, self._views, self._clock = ledger, views, clock
        self.writer = writer or views.writer(share)
        self._foldings = Foldings([Folding(Table(one, beside=beside), cached_rows=CACHED_ROWS) for one in projections])
        self._names = [folding.table.name for folding in self._foldings]
        self._known: dict[str, Progress] = {}  # by table, as this keeper left it
        self._in_doubt = True  # whether memory and file may disagree
        self.position = 0
        self._tick_us = 0

    def advance(self, upto: int | None = None) -> int:
        """Fold what the log has behind ``position``, up to position ``upto``, and commit it. Returns: how many events; 0: none are left."""
        while True:
            with self._in_step():
                return self._advance(upto)

    def sweep(self) -> int:
        """Publish some of the rows that are due by the newest close of a day, and commit. Returns: how many; 0: none is."""
        while True:
            with self._in_step():
                for folding in self._foldings:
                    if self._unswept(folding) and (found := self._sweep(folding)):
                        return found
                return 0

    def catch_up(self, upto: int | None = None, stopped: Callable[[], bool] = bool) -> int:
        """Advance and sweep until nothing is left, or ``stopped``, asked at each commit. Returns: events folded."""
        total = 0
        while not stopped() and ((count := self.advance(upto)) or self.sweep()):
            total += count
        return total

    def build(self, upto: int, stopped: Callable[[], bool] = bool) -> None:
        """Fold the log up to position ``upto`` into empty tables, one relationship after the other: each row is written once, complete.

        So memory holds the relationships of one commit, however many there are, and none is ever read again. Once ``stopped``, which is
        asked at each commit, the tables are of no use.

        Raises:
            StoreUnavailableError: somebody else wrote to the tables; they are of no use.
        """
        with self._in_step():
            closes = [one for one in self._ledger.history(LEDGER_SUBJECT) if one.type == DAY_CLOSED and one.position <= upto]
            self._tick_us = max((one.recorded_us for one in closes), default=0)
            for whole in self._relationships(upto):
                self._fold(whole)
                if self._foldings.changed >= BUILD_ROWS:
                    self._write(0, upto)
                    for folding in self._foldings:
                        folding.forget()
                    if stopped():
                        return
            newest = self._ledger.read_sealed(after=upto - 1, limit=1) if upto else []
            self._write(0, upto, position=upto, recorded_us=max((one.recorded_us for one in newest), default=0), tick_us=self._tick_us)
            with self._writing():
                for folding in self._foldings:
                    self._record(folding, swept_us=folding.tick(self._tick_us))
            self._in_doubt = True  # what memory holds begins with what was written
            self.position = upto
            log.debug("views.built", position=upto)
            return
        raise StoreUnavailableError(f"{self._views.place}: somebody else wrote to the views that are being built: begin again")

    def retry_parked(self) -> Retried:
        """Fold the waiting events of parked relationships again, a commit each."""
        freed = waiting = 0
        for folding in self._foldings:
            for parked in self._views.parked(folding.table.name):
                if not self.writer.holds(parked.relationship):
                    continue
                if self._retry(folding, parked.relationship):
                    freed += 1
                else:
                    waiting += 1
        return Retried(freed, waiting)

    def close(self) -> None:
        self.writer.close()

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """Begin with what the file says, unless memory is known to agree with it. Leaves quietly when another keeper overtook this one."""
        try:
            if self._in_doubt:
                self._known, self._in_doubt = self._opened(), False
            yield
        except BaseException as error:
            self._in_doubt = True
            if not isinstance(error, _OvertakenError):
                raise

    def _opened(self) -> dict[str, Progress]:
        """Start from what the file says."""
        self.writer.forget()
        found = self.writer.progress(self._names)
        known = {}
        for folding in self._foldings:
            name, version = folding.table.name, folding.table.projection.version
            at = found.get(name)
            if at is None or at.version != version:
                stored = "is gone" if at is None else f"is now at version {at.version}"
                raise StoreUnavailableError(f"view {name} {stored}, this program folds version {version}: start it again")
            if not at.shows(folding.table.projection):
                raise PolicySupersededError(name)
            known[name] = at
        if len({at.position for at in known.values()}) > 1 or len(self.writer.parts(self._names)) > 1:
            raise StoreUnavailableError(f"views {', '.join(known)} stand at different positions: start again, and they are rebuilt")
        self.position = max((at.position for at in known.values()), default=0)
        self._tick_us = max((at.tick_us for at in known.values()), default=0)
        self._foldings.begin()
        for folding in self._foldings:
            folding.reset(parked=self.writer.waiting(folding.table.name), stored=self.position > 0)
        return known

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One commit, if nobody else has written to the tables since this keeper last did."""
        with self.writer.transaction():
            if not self.writer.undisturbed():
                found = self.writer.progress(self._names)
                if any(found.get(name) != at for name, at in self._known.items()):
                    raise _OvertakenError
            yield

    def _record(self, *foldings: Folding, **changes: int) -> None:
        """Write how far tables are now, in the commit under way."""
        now_us = self._clock()
        reached = [msgspec.structs.replace(self._known[one.table.name], updated_us=now_us, **changes) for one in foldings]
        self._known |= {at.name: at for at in self.writer.put_progress(reached)}

    def _relationships(self, upto: int) -> Iterator[list[Stored]]:
        """The log up to ``upto``, in lists of whole relationships."""
        read: list[Stored] = []
        after = ("", 0)
        while chunk := self._ledger.histories(after=after, upto=upto, limit=READ_EVENTS):
            read += chunk
            last = read[-1].relationship
            whole = next((at for at in range(len(read), 0, -1) if read[at - 1].relationship != last), 0)
            yield read[:whole]
            read = read[whole:]
            after = (last, read[-1].version)
        yield read

    def _advance(self, upto: int | None) -> int:
        start = position = self.position
        recorded_us = 0
        more = True
        while more and len(self._foldings.told) < CACHED_ROWS and position - start < COMMIT_EVENTS:
            chunk, more = self._read(position, upto)
            if chunk:
                self._fold(chunk)
                position, recorded_us = chunk[-1].position, chunk[-1].recorded_us
        if position > start:
            self._commit(start, position, recorded_us)
        return position - start

    def _read(self, after: int, upto: int | None) -> tuple[list[Stored], bool]:
        """Events to fold at once, and whether the log may have more."""
        found: list[Stored] = []
        told = set(self._foldings.told)
        while True:
            limit = READ_EVENTS if upto is None else min(READ_EVENTS, upto - after)
            read = self._ledger.read(after=after, limit=limit) if limit > 0 else []
            found += read
            if len(read) < READ_EVENTS:
                return found, False
            told.update(one.relationship for one in read)
            if len(found) >= min(FOLD_EVENTS, COMMIT_EVENTS) or len(told) >= CACHED_ROWS:
                return found, True
            after = read[-1].position

    def _fold(self, chunk: Sequence[Stored]) -> None:
        self._tick_us = max([self._tick_us, *[stored.recorded_us for stored in chunk if stored.type == DAY_CLOSED]])
        self._foldings.fold(self.writer, chunk)

    def _commit(self, start: int, end: int, recorded_us: int) -> None:
        self._write(start, end, position=end, recorded_us=recorded_us, tick_us=self._tick_us)
        self.position = end
        for folding in self._foldings:
            folding.committed()
        log.debug("events.folded", events=end - start, position=end)

    def _write(self, start: int, end: int, **reached: int) -> None:
        """Commit what was folded of the events behind ``start`` up to ``end``, and that the tables have ``reached`` so far."""
        while True:
            those = [folding for folding in self._foldings if folding.changed]
            changes = [folding.changes(self._tick_us) for folding in those]  # before others must wait for this commit
            try:
                with self._writing():
                    for folding, changed in zip(those, changes, strict=True):
                        folding.write(self.writer, changed)
                    for folding in those:
                        for relationship in sorted(folding.failed):
                            if relationship in self._foldings.corrected:
                                failure = self._refold(folding, relationship, end)
                            else:
                                events = self._events(relationship, start, end)
                                failure = folding.fold_singly(self.writer, events, self._tick_us)
                            self._park(folding, relationship, failure)
                    self._record(*self._foldings, **reached)
                break
            except UnbindableError:
                continue  # now it is known which rows they are
        self._foldings.begin()

    def _events(self, relationship: str, after: int, upto: int) -> list[Stored]:
        return [stored for stored in self._ledger.history(relationship) if after < stored.position <= upto]

    def _refold(self, folding: Folding, relationship: str, upto: int) -> Failure | None:
        return folding.refold(self.writer, relationship, self._events(relationship, 0, upto), self._tick_us)

    def _unswept(self, folding: Folding) -> bool:
        return self._known[folding.table.name].swept_us < folding.tick(self._tick_us)

    def _sweep(self, folding: Folding) -> int:
        pending = folding.pending(self.writer, self._tick_us, SWEEP_ROWS)
        found = len(pending.found)
        with self._writing():
            for key, error in folding.publish(self.writer, pending):
                relationship = relationship_of(key)
                if relationship not in folding.parked:
                    self._park(folding, relationship, Failure(self.position + 1, key, error))
            done = {"swept_us": self._tick_us} if found < SWEEP_ROWS else {}
            self._record(folding, **done)
        if done:
            log.debug("view.swept", projection=folding.table.name, tick_us=self._tick_us)
        return found

    def _park(self, folding: Folding, relationship: str, failure: Failure | None) -> None:
        """Keep events from ``failure`` on waiting, in the commit under way; None: they flow."""
        name = folding.table.name
        if failure is None:
            self.writer.unpark(name, relationship)
            folding.unpark(relationship)
            return
        error = type(failure.error).__name__
        self.writer.park(Parked(name, relationship, failure.key, failure.position, error, failure.message, self._clock()))
        folding.parked.add(relationship)
        log.warning("relationship.parked", projection=name, relationship=relationship, position=failure.position, error=error)

    def _retry(self, folding: Folding, relationship: str) -> bool:
        """Whether the relationship flows again."""
        name = folding.table.name
        while True:
            with self._in_step(), self._writing():
                found = self.writer.waits(name, relationship)
                if found is None:
                    return True
                key, position = found
                events = self._events(relationship, 0, self.position)
                if any(one.type in REFOLDED for one in events):
                    failure = folding.refold(self.writer, relationship, events, self._tick_us)
                else:
                    failure = folding.fold_singly(self.writer, [one for one in events if one.position >= position], self._tick_us)
                if failure is None and key is not None and (error := folding.publish_one(self.writer, key, self._tick_us)):
                    failure = Failure(self.position + 1, key, error)
                self._park(folding, relationship, failure)
                self._record(folding)
                return failure is None


class _OvertakenError(Exception):
    """Another keeper wrote to the tables."""
