"""A projection that shows every mistake of the machinery around it, a log in memory, and what stands in the tables.

``chains`` has two rows a relationship, each with a digest chained over its events in order: one lost, repeated, swapped or otherwise told
event shows for ever. Its rows tell the moment they were published for. An event's id says what it does: ``remove-...`` removes the row;
one in ``poison`` fails half done.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

import msgspec
import psycopg
from psycopg.types.string import TextLoader

from ledger.interface import Head
from ledger.ledger import Ledger
from projections.corrections import CORRECTION
from projections.projection import Projection, fading
from projections.runner import Runner
from projections.stores.slices import EVERYTHING, Share
from projections.views import Views
from schemas.touchpoint import EPOCH, LEDGER_SUBJECT, Recorded, Stored, Touchpoint

SECOND = 1_000_000


class Row(msgspec.Struct, frozen=True):
    chain: str
    events: int
    digest: str
    moment_us: int
    even: bool
    half: float | None
    last: tuple[str, ...]


class State(msgspec.Struct):
    chain: str
    events: int = 0
    digest: str = ""
    last: str = ""


def key(event: Recorded) -> str | None:
    """The relationship's main row, or its second one for every third event."""
    if event.relationship == LEDGER_SUBJECT:
        return None
    return f"{event.relationship}#second" if event.version % 3 == 0 else event.relationship


class Clock(NamedTuple):
    """How time passes for rows; as in ``Projection``."""

    due: Callable[[State, int], int | None] | None
    told: Callable[[State], int] | None = None


FADING = Clock(fading)


def chains(
    poison: Callable[[str], bool] = lambda _: False,
    *,
    publish: Callable[[State, int], Row] | None = None,
    version: int = 1,
    name: str = "chains",
    clock: Clock = FADING,
) -> Projection:
    """The projection; ``poison`` says of an event's id that it cannot be folded."""

    def fold(state: State | None, events: Sequence[Recorded]) -> State | None:
        for event in events:
            state = step(state, event)
        return state

    def step(state: State | None, event: Recorded) -> State | None:
        state = state or State(cast("str", key(event)))
        state.digest = hashlib.sha256(f"{state.digest} {event.position} {event.id} {event.data}".encode()).hexdigest()
        if poison(event.id):
            raise RuntimeError(f"poisoned by {event.id}")
        state.events += 1
        state.last = event.id
        return None if event.id.startswith("remove-") else state

    return Projection(name, version, Row, State, key, fold, publish or row, due=clock.due, told=clock.told, index=("events", "even,events"))


def stepping(state: State, moment_us: int) -> int | None:
    """``due`` of rows that change by themselves a few times after their newest event, each in its own rhythm."""
    every_us, last_us = (5 + state.events) * SECOND, 60 * SECOND * (1 + state.events // 2)
    due_us = moment_us // every_us * every_us + every_us
    return due_us if due_us <= last_us else None


def own_time(state: State) -> int:
    """``told`` of rows whose events tell a time of their own."""
    return state.events * 9 * SECOND


def row(state: State, moment_us: int) -> Row:
    half = state.events / 2 if state.events > 1 else None
    return Row(state.chain, state.events, state.digest, moment_us, state.events % 2 == 0, half, (state.last, "last"))


def event_bytes(id_: str) -> bytes:
    """A CloudEvent with nothing but what must be there."""
    return msgspec.json.encode({"id": id_, "source": "test", "time": EPOCH})


class Log:
    """A ledger in memory, as far as a reader sees it. Each event is recorded a second after the one before."""

    def __init__(self) -> None:
        self.events: list[Stored] = []
        self._versions: dict[str, count[int]] = {}

    def add(self, relationship: str, id_: str, *, type_: str = "relationship.contact.v0", event: bytes | None = None) -> None:
        version = next(self._versions.setdefault(relationship, count(1)))
        position = len(self.events) + 1
        self.events.append(Stored(position, relationship, version, type_, position * SECOND, event or event_bytes(id_)))

    def add_many(self, count_: int, *, relationships: int = 5) -> None:
        for _ in range(count_):
            number = len(self.events) + 1
            self.add(f"customer/c{number * 7 % relationships}", f"e{number}")

    def correct(self, relationship: str, id_: str, replacement: dict[str, Any] | None = None) -> None:
        data = {"of": {"source": "test", "id": id_}, "reason": "a mistake", "replacement": replacement}
        event = {"id": f"correction-{len(self.events)}", "source": "rledger", "time": EPOCH, "data": data}
        self.add(relationship, "", type_=CORRECTION, event=msgspec.json.encode(event))

    def close_day(self) -> int:
        """Returns the moment at which it was recorded."""
        day = {"id": f"day-{len(self.events)}", "source": "test", "time": EPOCH, "data": {"day": "1970-01-01"}}
        self.add(LEDGER_SUBJECT, "", type_="ledger.day-closed.v1", event=msgspec.json.encode(day))
        return self.events[-1].recorded_us

    def head(self) -> Head:
        return Head(self.events[-1].position, self.events[-1].recorded_us) if self.events else Head(0, 0)

    def read(self, *, after: int, limit: int) -> list[Stored]:
        return self.events[after : after + limit]

    def read_sealed(self, *, after: int, limit: int) -> list[Stored]:
        return self.read(after=after, limit=limit)

    def opened(self, events: list[Stored]) -> list[Stored]:
        return events

    def history(self, relationship: str, *, after_version: int = 0, limit: int | None = None) -> list[Stored]:
        return [one for one in self.events if one.relationship == relationship and one.version > after_version][:limit]

    def histories(self, *, after: tuple[str, int] = ("", 0), upto: int, limit: int) -> list[Stored]:
        ordered = sorted(self.events[:upto], key=lambda one: (one.relationship, one.version))
        return [one for one in ordered if (one.relationship, one.version) > after][:limit]

    def wait(self, after: int, timeout_s: float) -> bool:  # noqa: ARG002  # it has what it has
        return len(self.events) > after

    @property
    def ledger(self) -> Ledger:
        return cast("Ledger", self)


def touchpoint(relationship: str, id_: str) -> Touchpoint:
    """For a real ledger."""
    return Touchpoint("test", id_, "relationship.contact.v0", relationship, event_bytes(id_))


Place = Path | str
"""A SQLite file, or the URL of a PostgreSQL database."""


def execute(place: Place, *statements: str) -> list[tuple[Any, ...]]:
    """Carry out statements as somebody else would; the rows of the last one, JSON as the text it is."""
    rows: list[tuple[Any, ...]] = []
    if isinstance(place, Path):
        with sqlite3.connect(place) as connection:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
        connection.close()
        return rows
    with psycopg.connect(place, options="-c search_path=views") as server:
        server.adapters.register_loader("json", TextLoader)
        for statement in statements:
            done = server.execute(statement.encode())
            rows = done.fetchall() if done.description else []
    return rows


def table(place: Place, name: str = "chains") -> list[tuple[Any, ...]]:
    """Every cell of a table, as it is stored."""
    return execute(place, f"SELECT * FROM {name} ORDER BY 1")


def parked(place: Place) -> list[tuple[str, str, int]]:
    """What is parked, from where."""
    return execute(place, "SELECT relationship, error, position FROM parked ORDER BY 1")


def naive(events: Iterable[Stored], projection: Projection) -> dict[str, tuple[State, int]]:
    """State and last position of every row, folded with none of the machinery."""
    rows: dict[str, tuple[State, int]] = {}
    for one in events:
        id_ = msgspec.json.decode(one.event)["id"]
        event = Recorded(one.position, one.relationship, one.version, one.type, one.recorded_us, 0, "test", id_, None, None)
        name = projection.row_key(event)
        before = rows[name][0] if name in rows else None
        if name is not None and (timely := projection.in_time(before, event)):
            state = projection.fold(before, timely)
            if state is None:
                rows.pop(name, None)
            else:
                rows[name] = state, one.position
    return rows


class House:
    """A log in memory, and its views in a file or a database."""

    def __init__(self, place: Place) -> None:
        self.log, self.place = Log(), place
        self.views = Views.open(place)

    def runner(self, *projections: Projection, clock: Callable[[], int] = lambda: 0, share: Share = EVERYTHING) -> Runner:
        return Runner(self.log.ledger, self.views, projections or (chains(),), clock=clock, share=share)

    def catch_up(self, *projections: Projection) -> None:
        """With a worker that lives no longer than this."""
        runner = self.runner(*projections)
        runner.catch_up()
        runner.close()


def from_nothing(log: Log, *projections: Projection) -> tuple[list[tuple[Any, ...]], list[tuple[str, str, int]]]:
    """The table that one undisturbed pass over the log gives in a SQLite file, and what it parks: the same on every store."""
    with TemporaryDirectory() as folder:
        house = House(Path(folder, "views.db"))
        house.log = log
        house.catch_up(*projections)
        house.views.close()
        return table(house.place), parked(house.place)
