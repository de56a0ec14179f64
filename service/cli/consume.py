"""``consume``: the intake."""

import sys

import click
from structlog.contextvars import bind_contextvars

from schemas.errors import SettingsError
from service import intake
from service.cli.options import configured, consumers_option, example, kafka
from service.stopping import Stop
from service.stores import open_ledger
from service.supervisor import CONSUMERS_MAX, Supervisor, consumer_parts, consumers_here


@click.command(
    epilog=example("""
rledger consume --kafka localhost:9092
  rledger consume --kafka localhost:9092 --consumers 1
""")
)
@kafka
@consumers_option(f"Processes that share the topic's partitions. By default one a core, at most {CONSUMERS_MAX}.")
@click.option(
    "--instance",
    metavar="NAME",
    help="A name that survives restarts: this consumer then has its partitions back at once. Several get NAME-1, NAME-2 ...",
)
@click.option("--number", type=click.IntRange(min=1), hidden=True, help="Which of several this is, in its log lines.")
@click.option("--accept-new-topic", is_flag=True, help="Read a topic that was deleted and created again, from its beginning.")
@click.option("--accept-loss", is_flag=True, help="Go on from the oldest record there is where the broker lost or deleted records.")
def consume(
    *,
    kafka: str | None,
    consumers: int | None,
    instance: str | None,
    number: int | None,
    accept_new_topic: bool,
    accept_loss: bool,
) -> None:
    """Kafka into the ledger, each touchpoint exactly once.

    Several consumers share the topic's partitions, here by --consumers and on as many machines as it is started on; more than there are
    partitions stand by. One that is killed is started again. SIGTERM or Ctrl-C finishes the batches under way.
    """
    settings = configured(runs=True, RLEDGER_KAFKA=kafka)
    if settings.kafka is None:
        raise SettingsError("no Kafka is named: give --kafka HOST:PORT, or set RLEDGER_KAFKA")
    source = intake.source_settings(settings, settings.kafka, instance=instance, accept_new_topic=accept_new_topic, accept_loss=accept_loss)
    consumers = consumers or consumers_here()
    if consumers == 1:
        if number:
            bind_contextvars(consumer=number)
        intake.consume(settings, source, Stop())
        return
    with open_ledger(settings):  # what cannot work fails here, before anything runs
        pass
    flags = [flag for flag, given in (("--accept-new-topic", accept_new_topic), ("--accept-loss", accept_loss)) if given]
    running = consumer_parts(consumers, "--kafka", settings.kafka, *flags, instance=instance)
    sys.exit(0 if Supervisor(running, heeding=True).run() else 1)
