"""What managers ask of very many relationships: ``show``, ``list``, ``history``, ``explain``, to the bytes of the answer.

Beside one event read by its position. The figures at the top are of all questions together.
"""

import random
import time
from collections.abc import Callable
from contextlib import closing

import msgspec

from benchmarks import parts
from benchmarks.measure import Figures, Work, figures, percentiles
from benchmarks.place import Place
from benchmarks.touchpoints import batches, touchpoints
from projections.listing import SORTS
from projections.moments import Moments
from projections.queries import Reader
from projections.relationships import RANKED
from projections.scoring.policy_file import shipped
from projections.scoring.standing import STANDINGS
from service.clock import now_us
from service.stores import open_ledger, open_views

LONGER = {b"long": 1_000, b"middle": 100}  # events of each of a few
FEW = 5
PAGE = 20  # rows of ``list``
ASKED = 500  # times each, less of fewer relationships
OTHER, OTHERS = "list_by_any_column", 50  # some by columns of no index, which take a look at every row: not among all questions together
PICKED = 20_000  # relationships that ``show`` asks for


def query(here: Place, events: int) -> Figures:
    """Questions about as many relationships as there are events."""
    asked = min(ASKED, events // 10)
    Work(_fill, here, events).result()
    Work(parts.project, here, events + FEW * sum(LONGER.values())).result()
    (times, raw_s), usage = Work(_ask, here, events, asked).result()
    every = [one for question, some in times.items() if question != OTHER for one in some]
    told = {question: percentiles(some) for question, some in times.items()}
    relationships = events + FEW * len(LONGER)
    return figures(len(every), sum(every), asked / raw_s, [usage], **percentiles(every), relationships=relationships, **told)


def _fill(here: Place, events: int) -> None:
    with open_ledger(here.settings) as ledger:
        for batch in batches(touchpoints(events, relationships=events)):
            ledger.append(batch)
        for series, each in LONGER.items():
            for batch in batches(touchpoints(FEW * each, relationships=FEW, series=series)):
                ledger.append(batch)


def _ask(here: Place, events: int, asked: int) -> tuple[dict[str, list[float]], float]:
    """Returns: seconds of each question, and of as many bare reads."""
    dice = random.Random(1)
    everybody = _names(min(events, PICKED), events)
    long, middle = (_names(FEW, FEW, series) for series in LONGER)
    encode = msgspec.json.Encoder().encode
    with open_ledger(here.settings, read_only=True) as ledger, closing(open_views(here.settings)) as views:
        reader = Reader(ledger, views, shipped())

        def page() -> object:
            kind, standing = dice.choice((None, "customer", "partner")), dice.choice((None, *STANDINGS))
            sort, descending = dice.choice(RANKED), dice.choice((True, False))
            return reader.list(Moments(now_us()), kind=kind, standing=standing, sort=sort, descending=descending, limit=PAGE)

        def other_page() -> object:
            return reader.list(Moments(now_us()), kind="customer", sort=dice.choice(SORTS), limit=PAGE)

        questions: dict[str, Callable[[], object]] = {
            "show": lambda: reader.show(dice.choice(everybody), Moments(now_us())),
            "list": page,
            OTHER: other_page,
            f"history_of_{LONGER[b'long']}": lambda: reader.history(dice.choice(long), Moments(now_us())),
            f"explain_of_{LONGER[b'middle']}": lambda: reader.explain(dice.choice(middle), Moments(now_us())),
        }
        times = {name: [_timed(ask, encode) for _ in range(OTHERS if name == OTHER else asked)] for name, ask in questions.items()}
        bare = sum(_timed(lambda: ledger.read(after=dice.randrange(events), limit=1), encode) for _ in range(asked))
    return times, bare


def _names(count: int, relationships: int, series: bytes = b"") -> list[str]:
    return [subject.decode() for subject, _ in touchpoints(count, relationships=relationships, series=series)]


def _timed(ask: Callable[[], object], encode: Callable[[object], bytes]) -> float:
    began = time.perf_counter()
    encode(ask())
    return time.perf_counter() - began
