"""``bench``: how fast all this is, here."""

from importlib import import_module
from typing import Any

import click
from rich.table import Table

from schemas.errors import SettingsError
from service.cli import output
from service.cli.options import as_json, example

MODULE = "benchmarks.run"
NAMES = ("ingest", "live", "rebuild", "latency", "append", "growth", "query", "soak")


@click.command(
    epilog=example("""
rledger bench ingest
  rledger bench live --json --events 100000 --kafka localhost:9092
  rledger bench append --store postgresql
""")
)
@click.argument("name", type=click.Choice(NAMES), metavar="NAME")
@click.option("--events", type=click.IntRange(min=1), help="How many touchpoints; each benchmark has its own number.")
@click.option("--runs", type=click.IntRange(min=1), help="How often; medians are told. By default 3, and 1 of growth, query and soak.")
@click.option(
    "--store",
    metavar="URL",
    help="An empty store, emptied again; or sqlite or postgresql: one of its own. By default a SQLite file that is thrown away.",
)
@click.option("--kafka", metavar="HOST:PORT", help="A broker, for topics of its own. By default one is started, as the tests do.")
@as_json
def bench(*, name: str, events: int | None, runs: int | None, store: str | None, kafka: str | None, as_json: bool) -> None:
    r"""How fast all this is, here, beside the raw limit of the same parts in the same run.

    \b
    ingest   Kafka into the ledger, with as many consumers as consume runs; the raw limit is one process
    live     Kafka into the ledger and all views, with as many consumers and workers as up starts
    rebuild  the log into all views, from nothing
    latency  from publishing to visible in the views, at 2,000 a second
    append   single appends from 64 clients
    growth   what an event costs in a log of 10 million, beside a short one
    query    show, list, history and explain among a million relationships
    soak     publishing to views at 1,000 a second, then the ledger is checked

    Neither RLEDGER_STORE nor RLEDGER_KAFKA is read. docs/performance.md tells the figures and what they mean.
    """
    try:
        run = import_module(MODULE).run  # not by its name: benchmarks stand beside the service, and on top of it
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the benchmarks run in a checkout only ({error}): clone the project, bin/setup, then .venv/bin/rledger bench"
        ) from error
    figures = run(name, events=events, runs=runs, store=store, kafka=kafka)
    if as_json:
        output.json_lines([figures])
    else:
        output.console().print(_table(figures))


def _table(figures: dict[str, Any]) -> Table:
    rows = output.table(("figure", "left"), ("", "right"))
    for figure, value in figures.items():
        if isinstance(value, dict):
            for part, one in value.items():
                rows.add_row(f"{figure} {part}", _shown(one))
        else:
            rows.add_row(figure, _shown(value))
    return rows


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)
