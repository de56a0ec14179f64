"""``trickle``: what ``up --sample`` runs beside the rest."""

import click

from service import feed
from service.cli.options import configured
from service.stopping import Stop


@click.command(hidden=True)
def trickle() -> None:
    """Sample touchpoints as time goes by; a part of `up --sample`."""
    feed.trickle(configured(runs=True), Stop())
