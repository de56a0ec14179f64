"""The intake: Kafka into the ledger, and what is refused on to the dead letter topic."""

from collections.abc import Callable
from contextlib import closing

from consumers import intake
from consumers.connection import KafkaSettings
from consumers.kafka import KafkaSource
from consumers.letters import LetterSettings, publishing
from service.clock import now_us
from service.settings import Settings
from service.stores import open_ledger


def consume(settings: Settings, kafka: KafkaSettings, stopped: Callable[[], bool]) -> None:
    """Kafka into the ledger until ``stopped``; the batch under way is finished. What is refused is published as dead letters."""
    letters = LetterSettings(kafka.brokers, settings.deadletters, kafka.client)
    with open_ledger(settings) as ledger, publishing(ledger, letters), closing(KafkaSource(kafka, ledger)) as source:
        intake.run(source, ledger, clock=now_us, stopped=stopped)
