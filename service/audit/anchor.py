"""Where checkpoints go beyond the reach of whoever keeps the database: a file that only grows, or a Kafka topic."""

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ledger.proof.errors import MalformedError
from schemas.errors import SettingsError, StoreUnavailableError
from service.settings import Settings

Anchor = Callable[[bytes], None]
"""Takes a signed note away. Raises StoreUnavailableError: it could not be; it is kept in the store all the same."""

KAFKA = "kafka:"
SEND_S = 10.0

_note = re.compile(rb"\S[^\x00]*?\n\n(?:\xe2\x80\x94 [^\n]*\n)+")  # text, an empty line, signature lines
_notes, _notes_removed = _note.findall, _note.sub


def open_anchor(settings: Settings) -> Anchor | None:
    """What ``RLEDGER_ANCHOR`` names.

    Raises:
        SettingsError: it names a topic, and there is no broker.
    """
    if settings.anchor is None:
        return None
    if not settings.anchor.startswith(KAFKA):
        return partial(_append, Path(settings.anchor))
    if settings.kafka is None:
        raise SettingsError(f"RLEDGER_ANCHOR is {settings.anchor!r}, and RLEDGER_KAFKA names no broker: name one, or a file")
    return partial(_publish, settings.kafka, settings.kafka_options, settings.anchor.removeprefix(KAFKA))


def _append(path: Path, note: bytes) -> None:
    """Append the note and an empty line; only readable by its owner where it is made here."""
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab") as file:
            file.write(note + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreUnavailableError(f"no checkpoint could be anchored in {path} ({error}): check the path and its permissions") from error


def _publish(brokers: str, options: Mapping[str, Any], topic: str, note: bytes) -> None:
    """Publish the note, keyed by the log's origin."""
    from kafka.errors import KafkaError  # noqa: PLC0415  # takes 0.2 s, which a ledger without a broker need not wait

    from consumers.producing import Destination, producing  # noqa: PLC0415

    try:
        with producing(Destination(brokers, topic, options)) as producer:
            producer.send(topic, key=note.partition(b"\n")[0], value=note).get(timeout=SEND_S)
    except KafkaError as error:
        raise StoreUnavailableError(f"no checkpoint could be anchored in the topic {topic} ({error!r}): check the broker") from error


def anchored(path: Path) -> list[bytes]:
    """The notes in an anchor file, oldest first; a file that holds one signed note is read as well.

    Raises:
        MalformedError: it holds none, or more than notes.
    """
    raw = path.read_bytes()
    notes: list[bytes] = _notes(raw)
    if not notes or _notes_removed(b"", raw).strip():
        raise MalformedError(f"{path} does not hold checkpoints alone: give the file as it was kept")
    return notes
