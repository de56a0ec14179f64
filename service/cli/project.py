"""``project``: the projection worker."""

import click

from service import worker
from service.cli.options import configured, example
from service.stopping import Stop


@click.command(
    epilog=example("""
rledger project
  rledger project --once
"""),
)
@click.option("--once", is_flag=True, help="Catch up and stop.")
@click.option("--retry-parked", is_flag=True, help="Try the relationships again whose events wait because one failed, and stop.")
def project(*, once: bool, retry_parked: bool) -> None:
    """The ledger into the views, as it grows.

    A second worker stands by until the first is gone. It also closes each day: once a UTC day is over, an event says so.
    """
    settings = configured(runs=not (once or retry_parked))
    if retry_parked:
        retried = worker.retry_parked(settings)
        click.echo(f"relationships that flow again: {retried.freed}; that still wait: {retried.waiting}")
    elif once:
        click.echo(f"the views are at position {worker.project_once(settings):,}")
    else:
        worker.project(settings, Stop())
