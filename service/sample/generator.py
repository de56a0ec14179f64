"""The sample, drawn: who there is, what happened to them in two years, and the truth behind each."""

import random
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter

import msgspec

from schemas import cloudevents
from schemas.catalogue import CATALOGUE, Data, Kind, Opened
from schemas.touchpoint import Touchpoint
from service.sample import customers, partners
from service.sample.diary import DAY_US, Diary, Party, working
from service.sample.names import CUSTOMER_TRADES, OWNERS, PARTNER_TRADES, REGIONS, companies
from service.sample.stories import CUSTOMER_STORIES, PARTNER_STORIES, Standing, Story

SPAN_DAYS = 730  # of the sample, up to its end
BOTH_EVERY = 25  # one partner in so many is a customer too
INCENTED = 0.25  # share that was won with an incentive

TYPES = {entry.struct: entry.type for entry in CATALOGUE.values()}
SYSTEMS = {
    "shop": "purchase return",
    "survey": "feedback",
    "helpdesk": "complaint complaint-resolved request-answered",
    "crm": "contact opened",
}
SYSTEM_OF = {f"relationship.{name}.v1": system for system, names in SYSTEMS.items() for name in names.split()}  # else the ERP
CHANNELS = {"customer": ("referral", "web", "fair", "partner", "campaign"), "partner": ("tender", "referral", "fair")}
SEGMENTS = {"customer": ("retail", "hospitality", "health", "public"), "partner": ("metal", "plastics", "freight", "packaging")}
INCENTIVES = {"customer": ("first-order-10", "free-trial"), "partner": ("volume-commitment", "fast-payment")}


class Truth(msgspec.Struct, frozen=True):
    """What is really so about a relationship, whatever the touchpoints seem to say.

    standing: where a good judge sees it at the end. turned_us: when its conduct changed for good or bad, in microseconds, or None.
    troubled_us: from when until when (microseconds; None: to the end) somebody should have been told; None: never.
    """

    relationship: str
    story: str
    standing: Standing
    turned_us: int | None
    troubled_us: tuple[int, int | None] | None


def generate(seed: int, end_us: int) -> Iterator[Touchpoint]:
    """Two years of touchpoints up to ``end_us``, in order of time. The same arguments, the same touchpoints."""
    pages: list[tuple[int, Party, int, Data]] = []
    for party in cast(seed, end_us):
        diary = Diary(party, random.Random(f"{seed}/{party.key}"), end_us)  # noqa: S311  # a story, no secret
        (customers if party.kind == "customer" else partners).live(diary)
        pages += ((at_us, party, number, data) for number, (at_us, data) in enumerate(diary.pages, start=1))
    pages.sort(key=itemgetter(0))  # stable: what falls on one moment stays in the order it was noted
    for at_us, party, number, data in pages:
        yield touchpoint(party.subject, f"{party.key}.{number}", at_us, data)


def truths(seed: int, end_us: int) -> list[Truth]:
    """The truth behind every relationship that ``generate`` tells of."""
    return [
        Truth(party.subject, party.story.name, party.story.standing, party.turned_us, party.troubled_us) for party in cast(seed, end_us)
    ]


def first(seed: int) -> tuple[str, str]:
    """(source, id) of the sample's first touchpoint, which happens exactly ``SPAN_DAYS`` before the end.

    Who finds it in a ledger knows that the sample is there, and where it was meant to end.
    """
    opening = cast(seed, SPAN_DAYS * DAY_US)[0]
    return _source(TYPES[Opened]), f"{opening.key}.1"


def touchpoint(subject: str, id_: str, at_us: int, data: Data) -> Touchpoint:
    """``data`` as a touchpoint, from the system that would know it first."""
    type_ = TYPES[type(data)]
    return cloudevents.touchpoint(_source(type_), id_, type_, subject, at_us, data)


def cast(seed: int, end_us: int) -> list[Party]:
    """Everybody in the sample. Who they are depends on ``seed`` alone; only the moments move with ``end_us``."""
    rng = random.Random(seed)  # noqa: S311  # a story, no secret
    parties: list[Party] = []
    kinds: tuple[tuple[Kind, Sequence[Story], list[str]], ...] = (
        ("customer", CUSTOMER_STORIES, CUSTOMER_TRADES),
        ("partner", PARTNER_STORIES, PARTNER_TRADES),
    )
    for kind, stories, trades in kinds:
        names = companies(trades, rng)
        for story in chain.from_iterable([one] * one.count for one in stories):
            key, name = next(names)
            number = len(parties)
            also = parties[number // BOTH_EVERY].key if kind == "partner" and number % BOTH_EVERY == 0 else key
            parties.append(_party(rng, story, end_us, number=number, kind=kind, key=key, name=name, counterparty=f"party:{also}"))
    return parties


def _source(type_: str) -> str:
    return f"sample/{SYSTEM_OF.get(type_, 'erp')}"


def _party(rng: random.Random, story: Story, end_us: int, *, number: int, kind: Kind, key: str, name: str, counterparty: str) -> Party:
    """Draw somebody, and where the story falls in time."""
    start_us = end_us - SPAN_DAYS * DAY_US
    if story.young_days:
        opened_us = working(end_us - int(rng.uniform(0.3, 1) * story.young_days * DAY_US))
    else:
        opened_us = working(start_us + int(rng.random() * story.begins_within * SPAN_DAYS * DAY_US))
    if number == 0:
        opened_us = start_us  # see ``first``
    life_us = end_us - opened_us
    bounds = [working(opened_us + int(life_us * (at + rng.uniform(-0.05, 0.05)))) if at else opened_us for at, _ in story.stretches]
    region = rng.choice(REGIONS)
    return Party(
        number=number,
        kind=kind,
        key=key,
        name=name,
        counterparty=counterparty,
        story=story,
        segment=rng.choice(SEGMENTS[kind]),
        region=region,
        owner=rng.choice(OWNERS),
        channel=rng.choice(CHANNELS[kind]),
        currency="USD" if region == "US" else "EUR",
        incentive=rng.choice(INCENTIVES[kind]) if rng.random() < INCENTED else None,
        tempo=rng.lognormvariate(0, 0.25),
        size=rng.lognormvariate(-0.1, 0.5),
        opened_us=opened_us,
        bounds_us=tuple(bounds),
    )
