"""Dead letters published to a Kafka topic, with the headers Kafka Connect gives its own, so that its tools read them.

They are published after their commit, from the ledger, up to a position that is stored there: a crash loses none. It may publish
some twice, and so may two processes at the same moment; the header ``ledger.deadletter`` holds the letter's number, which readers go by.

Source of the header names: Kafka Connect's ``DeadLetterQueueReporter``; of the stages: its ``Stage``.
"""

import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import kafka.errors
import structlog

from consumers.producing import DELIVERY_MS, Destination, beside, producing
from consumers.trouble import TELL_S, Trouble
from ledger.interface import Delivered, KeptLetter
from ledger.ledger import Ledger
from schemas.errors import LedgerError, OvertakenError

CONNECT = "__connect.errors."
STAGES = {"unreadable": "KAFKA_CONSUME", "id_reused": "TASK_PUT"}  # else VALUE_CONVERTER
LETTERS_MAX = 100  # a round; that many may be published twice after a crash
ROUND_S = (0.5, 1.5)  # between two looks for new letters; drawn anew each time, so that two processes rarely look at once

log = structlog.get_logger()


def publishing(ledger: Ledger, to: Destination) -> AbstractContextManager[None]:
    """Publish letters as they are kept, in a thread of its own; nothing that fails here stops anything else."""
    return beside("letters", partial(_run, ledger, to))


def _run(ledger: Ledger, to: Destination, stopped: threading.Event) -> None:
    trouble = Trouble()
    while not stopped.is_set():
        try:
            if _waiting(ledger, to.topic)[1]:
                with producing(to) as producer:
                    while publish(ledger, producer.send, to.topic):
                        pass
            trouble.end()
        except OvertakenError:
            log.debug("letters.overtaken", topic=to.topic)  # by another process, which published the same ones
        except (kafka.errors.KafkaError, LedgerError, OSError) as error:
            trouble.tell("letters.delayed", error, after_s=TELL_S, topic=to.topic)
        stopped.wait(random.uniform(*ROUND_S))  # noqa: S311  # spreads processes


def publish(ledger: Ledger, send: Callable[..., Any], topic: str) -> int:
    """Publish the next letters and store how far; returns how many there were.

    Raises:
        KafkaError: not all could be published; the position stays.
        OvertakenError: another process published them meanwhile.
    """
    stored, letters = _waiting(ledger, topic)
    if not letters:
        return 0
    for sent in [_send(send, topic, kept) for kept in letters]:
        sent.get(timeout=DELIVERY_MS / 1_000)
    ledger.append([], delivered=[Delivered(_stream(topic), stored, letters[-1].number + 1)])
    log.info("letters.published", topic=topic, count=len(letters), last=letters[-1].number)
    return len(letters)


def _send(send: Callable[..., Any], topic: str, kept: KeptLetter) -> Any:  # noqa: ANN401  # kafka-python's future
    try:
        return send(topic, **message(kept))
    except kafka.errors.MessageSizeTooLargeError:
        return send(topic, **message(kept, bare=True))


def message(kept: KeptLetter, *, bare: bool = False) -> dict[str, Any]:
    """The Kafka record of a letter: its key, bytes and headers as they came, then why and where it was refused.

    kafka-python sends no null headers: they become empty. ``bare``: leave out what came, for a letter that is too large to publish.
    """
    letter = kept.letter
    why = {
        f"{CONNECT}topic": letter.origin,
        f"{CONNECT}partition": letter.partition,
        f"{CONNECT}offset": letter.offset,
        f"{CONNECT}connector.name": "relationship-ledger",
        f"{CONNECT}stage": STAGES.get(letter.code, "VALUE_CONVERTER"),
        f"{CONNECT}exception.class.name": letter.code,
        f"{CONNECT}exception.message": letter.reason,
        "ledger.deadletter": kept.number,
    }
    headers = [] if bare else [(name, value or b"") for name, value in letter.headers]
    headers += [(name, str(value).encode(errors="replace")) for name, value in why.items() if value is not None]
    value = None if bare else letter.body
    return {"value": b"" if value is None and letter.key is None else value, "key": letter.key, "headers": headers}


def _waiting(ledger: Ledger, topic: str) -> tuple[int | None, list[KeptLetter]]:
    """The stored number of the next letter to publish, and the letters from there on."""
    stored = ledger.next_offsets([_stream(topic)]).get(_stream(topic))
    return stored, ledger.dead_letters(after=(stored or 1) - 1, limit=LETTERS_MAX)


def _stream(topic: str) -> str:
    return f"letters/{topic}"
