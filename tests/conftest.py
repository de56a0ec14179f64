"""What every test may ask for, and the rule that nothing is skipped."""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

import hypothesis
import pytest

from tests.services.kafka import Kafka, kafka_for_tests, local_kafka
from tests.services.pgbouncer import local_pgbouncer
from tests.services.postgres import Postgres, postgres_for_tests

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# The same examples every time in CI: a red run is then the change's doing. Elsewhere new ones each time, to find what CI cannot.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.register_profile("developer", deadline=None, max_examples=50)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "developer")

# A shell lets what it runs in the background ignore Ctrl-C, and every program that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A real broker, for all tests."""
    with kafka_for_tests() as broker:
        yield broker


@pytest.fixture(scope="session")
def own_kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """A broker that a test may restart or kill: ``kafka``, unless that is somebody else's."""
    broker: Kafka = request.getfixturevalue("kafka")
    if broker.is_ours:
        yield broker
    else:
        with local_kafka(brief=True) as own:
            yield own


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real server, for all tests."""
    with postgres_for_tests() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL of a fresh, empty PostgreSQL database."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def pooler(postgres: Postgres) -> Iterator[Callable[[str], str]]:
    """What leads to a database by way of a pooler that shares the server's sessions between transactions."""
    with local_pgbouncer(postgres) as by_way:
        yield by_way


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped or expected failure of a test into a failure: a promise is shown, or it is not."""
    report = yield
    return _never_skipped(report)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skipped module into a failure."""
    report = yield
    return _never_skipped(report)


def _never_skipped(report: Report) -> Report:
    if report.skipped or hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: no test here is skipped or expected to fail; it said: {report.longrepr}"
        vars(report).pop("wasxfail", None)
    return report
