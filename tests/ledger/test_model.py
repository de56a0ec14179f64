"""Whatever is appended, repeated, reused, replayed and reopened, the ledger does what a dictionary would."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ledger.interface import Appended, DeadLetter, Delivered, Refused
from ledger.ledger import Ledger
from schemas.errors import NotFoundError, OvertakenError
from schemas.touchpoint import Stored, Touchpoint
from tests.ledger.events import Clock, everything, letter, touchpoint

STREAMS = ["kafka/a/0", "kafka/a/1"]

touchpoints = st.builds(
    lambda source, id_, key, note: touchpoint(id_, f"customer/{key}", source=source, note=note),
    st.sampled_from(["crm", "shop"]),
    st.integers(1, 12),
    st.integers(1, 3),
    st.sampled_from(["one", "other"]),
)
offsets = st.none() | st.integers(0, 4)
delivered = st.builds(Delivered, st.sampled_from(STREAMS), offsets, st.integers(0, 4))
letters = st.builds(letter, st.none() | st.integers(0, 3))


class Model(RuleBasedStateMachine):
    fresh: Callable[[], AbstractContextManager[str]]  # a place for each example

    def __init__(self) -> None:
        super().__init__()
        self.place = self.fresh()
        self.url = self.place.__enter__()
        self.clock = Clock()
        self.ledger = Ledger.open(self.url, clock=self.clock)
        self.log: list[Stored] = []
        self.first: dict[tuple[str, str], tuple[int, Touchpoint]] = {}
        self.offsets: dict[str, int] = {}
        self.letters: list[DeadLetter] = []
        self.replayed: dict[int, int] = {}

    def teardown(self) -> None:
        self.ledger.close()
        self.place.__exit__(None, None, None)

    def expect(self, batch: list[Touchpoint]) -> list[Appended | None]:
        """Append ``batch`` to the model; None stands for a refusal."""
        answer: list[Appended | None] = []
        for each in batch:
            position, first = self.first.setdefault((each.source, each.id), (len(self.log) + 1, each))
            if position > len(self.log):
                version = 1 + sum(event.relationship == each.subject for event in self.log)
                self.log.append(Stored(position, each.subject, version, each.type, self.clock.now_us, each.event))
                answer.append(Appended(position, duplicate=False))
            else:
                answer.append(Appended(position, duplicate=True) if first.event == each.event else None)
        return answer

    def keep(self, new: list[DeadLetter]) -> None:
        self.letters += [each for number, each in enumerate(new) if each.offset is None or each not in [*self.letters, *new[:number]]]

    @rule(
        batch=st.lists(touchpoints, max_size=8),
        moves=st.lists(delivered, max_size=2, unique_by=lambda each: each.stream),
        bad=st.lists(letters, max_size=2),
    )
    def append(self, batch: list[Touchpoint], moves: list[Delivered], bad: list[DeadLetter]) -> None:
        self.clock.now_us += 1
        if any(self.offsets.get(move.stream) != move.expected for move in moves):
            with pytest.raises(OvertakenError):
                self.ledger.append(batch, delivered=moves, dead_letters=bad)
            return
        answer = self.ledger.append(batch, delivered=moves, dead_letters=bad)
        assert [each if isinstance(each, Appended) else None for each in answer] == self.expect(batch)
        self.offsets |= {move.stream: move.next for move in moves}
        self.keep(bad)

    @rule(number=st.integers(1, 4), correction=touchpoints)
    def replay(self, number: int, correction: Touchpoint) -> None:
        self.clock.now_us += 1
        if number > len(self.letters):
            with pytest.raises(NotFoundError):
                self.ledger.replay(number, correction)
        elif number in self.replayed:
            assert self.ledger.replay(number, correction) == Appended(self.replayed[number], duplicate=True)
        else:
            answer = self.ledger.replay(number, correction)
            (expected,) = self.expect([correction])
            if expected is None:
                assert isinstance(answer, Refused)
            else:
                assert answer == expected
                self.replayed[number] = expected.position

    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = Ledger.open(self.url, clock=self.clock)

    @invariant()
    def the_ledger_equals_the_model(self) -> None:
        assert everything(self.ledger) == self.log
        assert self.ledger.head().position == len(self.log)
        assert self.ledger.next_offsets(STREAMS) == self.offsets
        kept = self.ledger.dead_letters(limit=1_000)
        assert [(each.number, each.letter) for each in kept] == list(enumerate(self.letters, 1))
        assert {each.number: each.replayed_position for each in kept if each.replayed_us is not None} == self.replayed
        assert self.ledger.altered() == []
        for relationship in {event.relationship for event in self.log}:
            assert self.ledger.history(relationship) == [event for event in self.log if event.relationship == relationship]


def test_on_sqlite_the_ledger_does_what_a_dictionary_would() -> None:
    @contextmanager
    def fresh() -> Iterator[str]:
        with TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'ledger.db'}"

    run(fresh, max_examples=30)


def test_on_postgres_the_ledger_does_what_a_dictionary_would(postgres_url: str) -> None:
    @contextmanager
    def fresh() -> Iterator[str]:
        with psycopg.connect(postgres_url) as server:
            server.execute("DROP SCHEMA IF EXISTS ledger CASCADE")
        yield postgres_url

    run(fresh, max_examples=10)


def run(fresh: Callable[[], AbstractContextManager[str]], max_examples: int) -> None:
    class Here(Model):
        pass

    Here.fresh = staticmethod(fresh)
    run_state_machine_as_test(
        Here,
        settings=settings(
            settings.default, max_examples=max_examples, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
