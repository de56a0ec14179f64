"""The intake: Kafka into the ledger, and what is refused on to the dead letter topic."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from consumers import intake
from consumers.connection import KafkaSettings
from consumers.division import WHOLE, Division
from consumers.kafka import KafkaSource
from consumers.letters import publishing
from consumers.producing import Destination
from service.clock import now_us
from service.settings import Settings
from service.stores import open_ledger


def source_settings(settings: Settings, brokers: str, **options: Any) -> KafkaSettings:  # noqa: ANN401  # those of KafkaSettings
    """What is read for the ledger that is meant: the whole topic, or its share of it, with a consumer group of its own.

    Raises:
        SettingsError: there are several ledgers, and none was chosen.
    """
    division, group = Division(settings.ledger or 1, len(settings.stores)), settings.group
    if division != WHOLE:
        _ = settings.store  # one must be chosen
        group = f"{group}-{division.number}-of-{division.of}"
    return KafkaSettings(brokers, settings.topic, group, division=division, client=settings.kafka_options, **options)


def consume(settings: Settings, kafka: KafkaSettings, stopped: Callable[[], bool]) -> None:
    """Kafka into the ledger until ``stopped``; the batch under way is finished. What is refused is published as dead letters."""
    letters = Destination(kafka.brokers, settings.deadletters, kafka.client)
    with open_ledger(settings) as ledger, publishing(ledger, letters), closing(KafkaSource(kafka, ledger)) as source:
        intake.run(source, ledger, clock=now_us, stopped=stopped)
