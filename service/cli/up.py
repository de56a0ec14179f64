"""``up``: everything on this machine."""

from collections import Counter
from collections.abc import Sequence

import click

from ledger.ledger import Ledger
from projections.stores.slices import BUCKETS
from schemas.touchpoint import LEDGER_SUBJECT
from service import feed
from service.cli.options import configured, consumers_option, example, kafka
from service.delivering import outlet
from service.settings import Settings
from service.stores import open_ledger
from service.supervisor import WORKERS_MAX, Part, Supervisor, consumer_parts, part, workers_here

RECENT = 50  # events among which an example to look at is sought


@click.command(
    epilog=example("""
rledger up --sample
  rledger up --kafka localhost:9092
  rledger up --kafka localhost:9092 --workers 2
  rledger up --kafka localhost:9092 --consumers 2 --workers 1
"""),
)
@click.option("--sample", is_flag=True, help="Append two years of invented touchpoints, once, and a slow trickle from then on.")
@click.option(
    "--workers",
    type=click.IntRange(1, BUCKETS),
    metavar="N",
    help=f"Projection workers that share the views of each ledger. By default one a core, at most {WORKERS_MAX}; one for the sample.",
)
@consumers_option("Consumers that share the topic's partitions, for each ledger. By default one, which leaves the cores to the views.")
@kafka
def up(*, sample: bool, workers: int | None, consumers: int | None, kafka: str | None) -> None:
    """Everything on this machine: intake, projections. Ctrl-C stops it.

    Without options it keeps the views of what other commands append.
    """
    settings = configured(runs=True, RLEDGER_KAFKA=kafka)
    if sample and len(settings.each) > 1:
        raise click.UsageError("--sample is for one ledger: RLEDGER_STORE names several")
    running: list[Part] = []
    for one in settings.each:
        with open_ledger(one) as ledger:  # what cannot work fails here, before anything runs
            if sample:
                if new := feed.load_sample(ledger):
                    click.echo(f"sample: {new:,} touchpoints appended")
                else:
                    click.echo("sample: already there, only its trickle goes on")
            click.echo(_where_to_look(one, ledger, fed=sample or one.kafka is not None))
        running += _parts(one, workers or (1 if sample else workers_here(len(settings.each))), consumers or 1, sample=sample)
    click.echo(f"running  {_told(running)}; Ctrl-C stops")
    Supervisor(running).run()
    click.echo("stopped")


def _parts(settings: Settings, workers: int, consuming: int, *, sample: bool) -> list[Part]:
    """What runs for one ledger."""
    brokers = ("--kafka", settings.kafka) if settings.kafka else ()
    parts = [part("project", "project", *brokers, ledger=settings.ledger)] * workers
    parts += consumer_parts(consuming, *brokers, ledger=settings.ledger) if settings.kafka else []
    parts += [part("trickle", "trickle", ledger=settings.ledger)] if sample else []
    return parts


def _told(parts: Sequence[Part]) -> str:
    """The parts, those that are alike as one."""
    alike = Counter((part.name, "workers" if part.number is None else "consumers") for part in parts)
    return ", ".join(f"{name} ({count} {kind})" if count > 1 else name for (name, kind), count in alike.items())


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
    if (told := outlet(settings)) is not None:
        lines.append(f"alerts   {told.to.replace(':', ' ', 1)}; rledger alerts list")
    lines.append("look     rledger list --standing repair")
    lines += [f"         rledger {question} {met}" for question in ("show", "explain") if met]
    return "\n".join([*lines, "         rledger doctor"])
