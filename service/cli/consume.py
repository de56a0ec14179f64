"""``consume``: the intake."""

import click

from schemas.errors import SettingsError
from service import intake
from service.cli.options import configured, example, kafka
from service.stopping import Stop


@click.command(epilog=example("rledger consume --kafka localhost:9092"))
@kafka
@click.option("--instance", metavar="NAME", help="A name that survives restarts: this consumer then has its partitions back at once.")
@click.option("--accept-new-topic", is_flag=True, help="Read a topic that was deleted and created again, from its beginning.")
@click.option("--accept-loss", is_flag=True, help="Go on from the oldest record there is where the broker lost or deleted records.")
def consume(*, kafka: str | None, instance: str | None, accept_new_topic: bool, accept_loss: bool) -> None:
    """Kafka into the ledger, each touchpoint exactly once.

    Several may run at once and share the topic's partitions. SIGTERM or Ctrl-C finishes the batch under way.
    """
    settings = configured(runs=True, RLEDGER_KAFKA=kafka)
    if settings.kafka is None:
        raise SettingsError("no Kafka is named: give --kafka HOST:PORT, or set RLEDGER_KAFKA")
    source = intake.source_settings(settings, settings.kafka, instance=instance, accept_new_topic=accept_new_topic, accept_loss=accept_loss)
    intake.consume(settings, source, Stop())
