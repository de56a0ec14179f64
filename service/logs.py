"""Logs: one event name per thing that happens, fields beside it, never what a touchpoint says.

JSON lines in production, columns in a terminal, always on stderr. Libraries that use ``logging`` come out in the same form.
"""

import logging
import sys
from typing import TextIO

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from service.settings import LogFormat, LogLevel

PAYLOADS = frozenset({"body", "comment", "data", "event_json", "headers", "key", "letter", "note", "payload", "touchpoint", "value"})


def configure(form: LogFormat, level: LogLevel, stream: TextIO | None = None) -> None:
    """Send every log of this process to ``stream`` (stderr) from now on."""
    out = stream or sys.stderr
    people = form == "console" or (form == "auto" and out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if people else "iso", utc=True),
        refuse_payloads,
    ]
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=out.isatty())]
        if people
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    if level != "debug":
        logging.getLogger("kafka").setLevel(logging.CRITICAL)  # it tells of one lost connection in ten lines; the intake tells it in one
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, getattr(logging, level.upper())), force=True)


def refuse_payloads(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what may hold a touchpoint's content by the words saying so: fields of those names, and any bytes."""
    for name, value in event.items():
        if name in PAYLOADS or isinstance(value, (bytes, bytearray, memoryview)):
            event[name] = "(not logged)"
    return event


def _json(event: EventDict, **_options: object) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
