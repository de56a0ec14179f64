"""Logs are JSON lines for programs and columns for people, and never hold what a touchpoint says."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from service import logs


class Terminal(io.StringIO):
    """A stream that people look at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


def test_a_log_line_is_one_json_object_with_its_moment_level_and_ids() -> None:
    out = io.StringIO()
    logs.configure("auto", "info", out)
    structlog.get_logger().info("touchpoint.appended", relationship="customer/acme", id="e1", position=7)
    line = json.loads(out.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "touchpoint.appended", "level": "info", "relationship": "customer/acme", "id": "e1", "position": 7}


def test_people_get_columns() -> None:
    out = Terminal()
    logs.configure("auto", "info", out)
    structlog.get_logger().info("worker.started", position=7)
    assert "worker.started" in out.getvalue()
    assert not out.getvalue().startswith("{")


@pytest.mark.parametrize("field", [{"body": "secret"}, {"data": {"name": "secret"}}, {"raw": b"secret"}, {"comment": "secret"}])
def test_what_a_touchpoint_says_is_not_logged(field: dict[str, object]) -> None:
    out = io.StringIO()
    logs.configure("json", "info", out)
    structlog.get_logger().warning("letter.kept", number=3, **field)
    assert "secret" not in out.getvalue()
    assert json.loads(out.getvalue())["number"] == 3


def test_libraries_log_in_the_same_form() -> None:
    out = io.StringIO()
    logs.configure("json", "info", out)
    logging.getLogger("sqlite").warning("the disk is %s", "full")
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"], line["logger"]) == ("the disk is full", "warning", "sqlite")


def test_an_exception_is_told_whole_on_one_line() -> None:
    out = io.StringIO()
    logs.configure("json", "info", out)
    try:
        raise ValueError("a bug")  # noqa: TRY301  # it is to be logged
    except ValueError:
        structlog.get_logger().exception("worker.failed")
    (line,) = out.getvalue().splitlines()
    assert "a bug" in json.loads(line)["exception"]
