"""How fast touchpoints get from Kafka into the ledger (``ingest``), and into all views besides (``live``).

Beside the raw limit on the same topic, of one process: poll, decode, write, commit. Time runs from the poll that brought the first record
until the last one is durable, for ``live`` until every view has it. Consumers are processes, as many as ``rledger consume`` runs, for
``live`` as ``rledger up`` does; so is each of as many workers as that starts. They share partitions and views before the first record.

    python -m benchmarks.ingest [--events 200000] [--kafka HOST:PORT] [--store URL] [--no-views]
"""

import argparse
import json

from benchmarks import parts, raw
from benchmarks.measure import Figures, Work, figures, per_100k
from benchmarks.place import Place, broker, place, server
from service.supervisor import consumers_here, workers_here

EVENTS = 200_000


def ingest(here: Place, events: int) -> Figures:
    """Kafka into the ledger."""
    return _measured(here, events, views=False)


def live(here: Place, events: int) -> Figures:
    """Kafka into the ledger and all views."""
    return _measured(here, events, views=True)


def _measured(here: Place, events: int, *, views: bool) -> Figures:
    with here.topic() as topic:
        Work(parts.publish, here.kafka, topic, events).result()
        (raw_started, raw_commits, _), raw_usage = Work(raw.from_kafka, here, topic, events).result()
        workers = [Work(parts.share, here, events, workers_here()) for _ in range(workers_here() if views else 0)]
        count = 1 if views else consumers_here()
        consumers = [Work(parts.consume, here, topic, events, consumers=count) for _ in range(count)]
        for one in (*workers, *consumers):
            one.wait()
        for one in consumers:
            one.go()
        taken, shares = [consumer.result() for consumer in consumers], [worker.result() for worker in workers]
        started, ended = min(began for (began, _), _ in taken if began), max(moment for (_, moment), _ in taken)
        intake, viewing = [used for _, used in taken], [used for _, used in shares]
        more: dict[str, object] = {"consumers": count}
        if views:
            ended = max(ended, *(moment for moment, _ in shares))
            more |= {
                "workers": len(workers),
                "intake_cpu_s_per_100k": per_100k(sum(used.cpu_s for used in intake), events),
                "views_cpu_s_per_100k": per_100k(sum(used.cpu_s for used in viewing), events),
            }
        raw_s = raw_commits[-1][0] - raw_started
        more["raw_cpu_s_per_100k"] = per_100k(raw_usage.cpu_s, events)
        return figures(events, ended - started, events / raw_s, [*intake, *viewing], **more)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kafka to ledger to views, beside the raw limit; as `rledger bench live`, once.")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker; without one, one is started")
    parser.add_argument("--store", metavar="URL", help="an empty store; without one, a SQLite file that is thrown away")
    parser.add_argument("--no-views", dest="views", action="store_false", help="only into the ledger")
    options = parser.parse_args()
    with broker(options.kafka) as brokers, server(options.store) as store, place(store, brokers) as here:
        measured = _measured(here, options.events, views=options.views)
    print(json.dumps({"name": "live" if options.views else "ingest", **measured}))


if __name__ == "__main__":
    main()
