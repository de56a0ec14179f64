"""``relay``: the ledger out to Kafka."""

import click

from consumers import relay as relays
from consumers.producing import Destination
from schemas.errors import SettingsError
from service.cli.options import configured, example, kafka
from service.stopping import Stop
from service.stores import open_ledger


@click.command(
    epilog=example("""
rledger relay --kafka localhost:9092
  kcat -b localhost:9092 -t relationship.ledger -C -f '%h %k %s\\n'
"""),
)
@kafka
def relay(*, kafka: str | None) -> None:
    """Every committed event to the topic relationship.ledger, each once, so that others can build on the stream.

    Keyed by relationship, in order; the header ledger.position says where it stands in the ledger. A second relay stands by until the
    first is gone. The topic must be there, and be this ledger's alone.
    """
    settings = configured(runs=True, RLEDGER_KAFKA=kafka)
    if settings.kafka is None:
        raise SettingsError("no Kafka is named: give --kafka HOST:PORT, or set RLEDGER_KAFKA")
    with open_ledger(settings) as ledger:
        relays.run(ledger, Destination(settings.kafka, settings.relayed, settings.kafka_options), Stop())
