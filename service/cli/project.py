"""``project``: the projection worker."""

import click

from projections.stores.slices import BUCKETS
from service import worker
from service.cli.options import configured, example, kafka
from service.stopping import Stop


@click.command(
    epilog=example("""
rledger project
  rledger project --once
  rledger project --slices 16
"""),
)
@kafka
@click.option("--once", is_flag=True, help="Catch up and stop.")
@click.option("--retry-parked", is_flag=True, help="Try the relationships again whose events wait because one failed, and stop.")
@click.option("--slices", type=click.IntRange(1, BUCKETS), help="Cut the relationships into so many slices, 8 at first, and stop.")
def project(*, kafka: str | None, once: bool, retry_parked: bool, slices: int | None) -> None:
    """The ledger into the views, as it grows.

    As many as you start share the relationships, in slices, and take over from one that dies: on SQLite within a second, on PostgreSQL
    within ten. A worker also closes each day: once a UTC day is over, an event says so. It delivers alerts to RLEDGER_ALERTS, each
    once: to a topic with Kafka, or to a webhook.
    """
    settings = configured(runs=not (once or retry_parked or slices), RLEDGER_KAFKA=kafka)
    if slices:
        worker.reslice(settings, slices)
        click.echo(f"the relationships are in {slices} slices now; workers that run share them within seconds")
    elif retry_parked:
        retried = worker.retry_parked(settings)
        click.echo(f"relationships that flow again: {retried.freed}; that still wait: {retried.waiting}")
    elif once:
        click.echo(f"the views are at position {worker.project_once(settings):,}")
    else:
        worker.project(settings, Stop())
