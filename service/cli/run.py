"""``up``, ``consume``, ``project``: what runs until it is stopped."""

import sys

import click

from consumers.connection import KafkaSettings
from ledger.ledger import Ledger
from schemas.errors import SettingsError
from schemas.touchpoint import LEDGER_SUBJECT
from service import parts
from service.cli.options import configured, example
from service.settings import Settings
from service.stopping import Stop
from service.supervisor import Part, Supervisor
from service.wiring import open_ledger

RECENT = 50  # events among which an example to look at is sought
KAFKA = click.option("--kafka", metavar="HOST:PORT", help="Kafka brokers to ask first, several with commas. Default: RLEDGER_KAFKA.")


@click.command(
    epilog=example("""
rledger up --sample
  rledger up --kafka localhost:9092
"""),
)
@click.option("--sample", is_flag=True, help="Append two years of invented touchpoints, once, and a slow trickle from then on.")
@KAFKA
def up(*, sample: bool, kafka: str | None) -> None:
    """Everything on this machine: intake, projections. Ctrl-C stops it.

    Without options it keeps the views of what other commands append.
    """
    settings = configured(runs=True, RLEDGER_KAFKA=kafka)
    with open_ledger(settings) as ledger:  # what cannot work fails here, before anything runs
        if sample:
            if new := parts.load_sample(ledger):
                click.echo(f"sample: {new:,} touchpoints appended")
            else:
                click.echo("sample: already there, only its trickle goes on")
        where = _where_to_look(settings, ledger, fed=sample or settings.kafka is not None)
    running = [_part("project", "project")]
    running += [_part("intake", "consume", "--kafka", settings.kafka)] if settings.kafka else []
    running += [_part("trickle", "trickle")] if sample else []
    click.echo(f"{where}\nrunning  {', '.join(part.name for part in running)}; Ctrl-C stops")
    Supervisor(running).run()
    click.echo("stopped")


def _part(name: str, *arguments: str) -> Part:
    return Part(name, (sys.executable, "-m", "service", *arguments))


def _where_to_look(settings: Settings, ledger: Ledger, *, fed: bool) -> str:
    """What somebody who starts the service wants to know. ``fed``: whether touchpoints come by themselves."""
    position = ledger.head().position
    newest = ledger.read(after=max(position - RECENT, 0), limit=RECENT)
    met = next((one.relationship for one in reversed(newest) if one.relationship != LEDGER_SUBJECT), None)
    lines = [f"ledger   {settings.store_shown}, {position:,} events"]
    if settings.kafka:
        lines.append(f"intake   topic {settings.topic} at {settings.kafka}")
    elif not fed:
        lines.append("intake   none: `rledger append FILE`, or start with --kafka HOST:PORT; --sample shows how it looks")
    lines.append("look     rledger list --standing repair")
    lines += [f"         rledger {question} {met}" for question in ("show", "explain") if met]
    return "\n".join([*lines, "         rledger doctor"])


@click.command(epilog=example("rledger consume --kafka localhost:9092"))
@KAFKA
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
    source = KafkaSettings(
        settings.kafka,
        settings.topic,
        settings.group,
        instance=instance,
        client=settings.kafka_options,
        accept_new_topic=accept_new_topic,
        accept_loss=accept_loss,
    )
    parts.consume(settings, source, Stop())


@click.command(
    epilog=example("""
rledger project
  rledger project --once
"""),
)
@click.option("--once", is_flag=True, help="Catch up and stop.")
@click.option("--retry-parked", is_flag=True, help="Fold the waiting events of parked relationships again, and stop.")
def project(*, once: bool, retry_parked: bool) -> None:
    """The ledger into the views, as it grows.

    A second worker stands by until the first is gone. It also closes each day: once a UTC day is over, an event says so.
    """
    settings = configured(runs=not once)
    if not (once or retry_parked):
        parts.project(settings, Stop())
        return
    ledger_position = parts.project_once(settings)
    click.echo(f"the views are at position {ledger_position:,}")


@click.command(hidden=True)
def trickle() -> None:
    """Sample touchpoints as time goes by; a part of `up --sample`."""
    parts.trickle(configured(runs=True), Stop())
