"""Look at everything a working service needs, and say what to do about what is wrong."""

import platform
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import msgspec
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from consumers.connection import Connection
from ledger.ledger import Ledger
from projections.policies import Policies
from projections.rebuild import stale
from projections.registry import projections
from projections.scoring.policy_file import PolicyError
from projections.stores.interface import Holding, Parked
from projections.stores.leases import is_kept
from projections.views import Views
from schemas.errors import AlteredError, LedgerError, SettingsError, StoreUnavailableError
from schemas.touchpoint import iso
from service import masters
from service.intake import source_settings
from service.reading import NEAR_EVENTS, UPGRADED
from service.settings import Settings
from service.stores import open_ledger, open_views, views_place

ASK_MS = 5_000  # how long a broker may take to answer
FREE_WRONG, FREE_LOW = 200_000_000, 2_000_000_000  # bytes: about 0.2 and 2 million touchpoints with their views
SKEW_US = 5_000_000  # a commit's own time may lie that far ahead of this machine's clock
LETTERS_COUNTED = 1_000

Verdict = Literal["ok", "low", "wrong"]


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at. ``do``: what to do about it, where something is to be done."""

    name: str
    verdict: Verdict
    found: str
    do: str | None = None


def examine(settings: Settings, now_us: int) -> Iterator[Check]:
    """Everything, one after the other; what cannot be reached is a finding, not an error."""
    ours = version("relationship-ledger")
    yield Check("versions", "ok", f"rledger {ours}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    for one in settings.each:
        for check in _examine(one, now_us):
            several = len(settings.stores) > 1
            yield msgspec.structs.replace(check, name=f"{check.name} (ledger {one.ledger})") if several else check


def _examine(settings: Settings, now_us: int) -> Iterator[Check]:
    """One ledger."""
    yield from _disk(settings)
    try:
        ledger = open_ledger(settings, read_only=True)
    except SettingsError as error:
        yield Check("ledger", "wrong", str(error), "`rledger up --sample` makes one to look at; RLEDGER_STORE says where it is")
        return
    except LedgerError as error:
        yield Check("ledger", "wrong", str(error), "see to the disk or the server; docs/backup.md says how a backup is restored")
        return
    with ledger:
        yield from _ledger(settings, ledger, now_us)
        yield _privacy(settings, ledger)
        policies = Policies(ledger)
        yield _policy(policies)
        try:
            yield from _views(settings, ledger, policies)
        except StoreUnavailableError as error:
            yield Check("views", "wrong", str(error), "stop what writes there; nothing is lost with them, the next command makes them anew")
        yield _letters(ledger)
        yield from _relays(ledger)
        if settings.kafka is None:
            yield Check("kafka", "ok", "none is named; touchpoints come by `rledger append`")
        else:
            yield from _kafka(settings, settings.kafka, ledger)


def _disk(settings: Settings) -> Iterator[Check]:
    place = views_place(settings)
    if not isinstance(place, Path):
        return  # the server's, who has tools of its own
    folder = place.parent
    there = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(there).free
    verdict: Verdict = "wrong" if free < FREE_WRONG else "low" if free < FREE_LOW else "ok"
    do = None if verdict == "ok" else "free some space: a full disk refuses appends, and loses nothing that was acknowledged"
    yield Check("disk", verdict, f"{free / 1e9:,.1f} GB free at {there}", do)


def _ledger(settings: Settings, ledger: Ledger, now_us: int) -> Iterator[Check]:
    head = ledger.head()
    last = ledger.read_sealed(after=head.position - 1, limit=1) if head.position else []
    if head.position and (not last or last[0].position != head.position):
        do = "stop everything that writes and restore the newest backup: the store was changed from outside"
        yield Check("ledger", "wrong", f"{settings.store_shown}: the head says {head.position:,} events, the last one is missing", do)
        return
    yield Check("ledger", "ok", f"{settings.store_shown}, {head.position:,} events")
    ahead_us = head.recorded_us - now_us
    if ahead_us > SKEW_US:
        found = f"the newest event was recorded {ahead_us / 1e6:,.0f} s ahead of this machine's clock"
        yield Check("clock", "wrong", found, "set the clock (timedatectl set-ntp true), here or where the writer runs")
    elif head.position:
        yield Check("clock", "ok", f"the newest event was recorded {_ago(-ahead_us)} ago")


def _privacy(settings: Settings, ledger: Ledger) -> Check:
    try:
        found = masters.state(settings, ledger)
    except LedgerError as error:
        return Check("privacy", "wrong", str(error), "docs/privacy.md says where a master key may be")
    if found.master is not None and not found.here:
        return Check("privacy", "wrong", found.told, "bring the master key there; if it is lost for good, so is the personal data")
    do = None if found.on else "give one with RLEDGER_MASTER_KEY (`rledger vault new` prints one), see docs/privacy.md"
    return Check("privacy", "ok" if found.on else "low", found.told, do)


def _policy(policies: Policies) -> Check:
    adopted = policies.newest
    try:
        policy = policies.in_force
    except PolicyError as error:
        do = "`rledger policy adopt` one this program can follow, or run the program it was made for"
        return Check("policy", "wrong", str(error), do)
    if adopted is None:
        return Check("policy", "ok", f"{policy.version}, as shipped")
    found = f"{policy.version}, adopted {iso(adopted.event.occurred_us)} by {adopted.event.actor}"
    if adopted.read.unknown:
        do = "run the program it was made for, or adopt a policy of this one"
        return Check("policy", "low", f"{found}; this program does not know {', '.join(adopted.read.unknown)}", do)
    return Check("policy", "ok", found)


def _views(settings: Settings, ledger: Ledger, policies: Policies) -> Iterator[Check]:
    if not Views.exist(views_place(settings)):
        yield Check("views", "wrong", "they were never built", "`rledger project` keeps them, `rledger project --once` builds them now")
        return
    with closing(open_views(settings)) as views:
        holdings = views.holdings()
        works = is_kept(holdings)
        keep = "a worker is at it" if works else "no worker runs: start `rledger up` or `rledger project`"
        try:
            outdated = stale(views, projections(policies.in_force))
        except PolicyError:
            outdated = []
        for one in views.status(ledger.head().position):
            found = f"version {one.version}, position {one.position:,}, {one.lag:,} events behind"
            if one.name in outdated:
                do = f"{keep}; {UPGRADED}" if works else keep
                yield Check(f"view {one.name}", "wrong", f"{found}; it is of another version or policy", do)
            elif one.lag and not (works and one.lag <= NEAR_EVENTS):
                yield Check(f"view {one.name}", "wrong", found, keep)
            else:
                yield Check(f"view {one.name}", "ok", found)
        if parked := views.parked():
            yield _parked(parked)
        yield _slices(holdings, ledger.head().position)
        yield Check("worker", "ok", "runs" if works else "does not run; questions bring the views up to date themselves")


def _parked(parked: Sequence[Parked]) -> Check:
    """Whose events wait in a view, and what the first of them says."""
    first = min(parked, key=lambda one: one.position)
    count = len({one.relationship for one in parked})
    waiting = "1 relationship waits" if count == 1 else f"{count} relationships wait, first"
    found = f"{waiting} {first.relationship} from position {first.position:,} on, in the view {first.projection}: {first.message}"
    if first.error == AlteredError.__name__:
        return Check("parked", "wrong", found, "`rledger verify` names what was altered; restore a backup from before (docs/backup.md)")
    return Check("parked", "wrong", found, "upgrade if a newer version knows the event, then `rledger project --retry-parked`")


def _slices(holdings: Sequence[Holding], head: int) -> Check:
    """Who writes which relationships."""
    held = Counter(one.worker for one in holdings)
    free = held.pop(None, 0)
    behind = head - min(one.position or 0 for one in holdings)
    shares = ", ".join(f"{worker} has {count}" for worker, count in sorted(held.items(), key=str))
    found = f"{len(holdings)} slices of relationships: {shares or 'nobody has any'}; the last one is {behind:,} events behind"
    if held and free:
        return Check("slices", "low", f"{found}; {free} are free", "wait: living workers take them within seconds")
    return Check("slices", "ok", found)


def _letters(ledger: Ledger) -> Check:
    waiting = len(ledger.dead_letters_sealed(limit=LETTERS_COUNTED, waiting=True))
    if not waiting:
        return Check("dead letters", "ok", "none waits")
    count = f"{waiting} wait" if waiting < LETTERS_COUNTED else f"{LETTERS_COUNTED:,} or more wait"
    return Check("dead letters", "low", count, "`rledger deadletters list` shows why; correct and replay them, or dismiss them")


def _relays(ledger: Ledger) -> Iterator[Check]:
    """How far each topic has the ledger; nothing where no relay ever ran."""
    position = ledger.head().position
    for stream, following in sorted(ledger.streams("relay/").items()):
        behind = position - following + 1
        found = f"topic {stream.removeprefix('relay/')} has the ledger up to position {following - 1:,}, {behind:,} events behind"
        late = behind > NEAR_EVENTS
        yield Check("relay", "low" if late else "ok", found, "start `rledger relay`" if late else None)


def _kafka(settings: Settings, brokers: str, ledger: Ledger) -> Iterator[Check]:
    try:
        source = source_settings(settings, brokers)
        connection = Connection(source)
    except (KafkaError, OSError) as error:
        do = "check RLEDGER_KAFKA, and that the broker runs; intake then goes on by itself"
        yield Check("kafka", "wrong", f"{brokers} cannot be reached: {error}", do)
        return
    try:
        partitions = connection.consumer.partitions_for_topic(settings.topic)
        if not partitions:
            yield Check("kafka", "wrong", f"{brokers} has no topic {settings.topic}", "create it; reading starts then")
            return
        ours = [TopicPartition(settings.topic, one) for one in partitions if source.division.owns(one)]
        ends = connection.consumer.end_offsets(ours, timeout_ms=ASK_MS)
        stream = f"kafka/{connection.cluster_id}/{settings.topic}/{connection.topic_id}/"
        stored = ledger.streams(stream)
        lag = sum(end - stored.get(f"{stream}{at.partition}", 0) for at, end in ends.items())
        yield Check("kafka", "ok", f"{brokers}, topic {settings.topic}, {len(ours)} partitions, {lag:,} records behind")
        others = [name for name in ledger.streams(f"kafka/{connection.cluster_id}/{settings.topic}/") if not name.startswith(stream)]
        if others and not stored:
            do = "`rledger consume --accept-new-topic` reads it from its beginning"
            yield Check("topic", "wrong", f"{settings.topic} was deleted and created again since it was last read", do)
    except KafkaError as error:
        yield Check("kafka", "wrong", f"{brokers} did not answer: {error}", "check the broker's log")
    finally:
        connection.consumer.close(autocommit=False, timeout_ms=ASK_MS)


def _ago(us: int) -> str:
    """A duration in its largest unit: ``3 minutes``."""
    seconds = max(us, 0) / 1e6
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} seconds"
