"""The day quality turned: a CUSUM of all evidence against the relationship's own past.

Each touchpoint's evidence, as the scoring weighs it, is compared with the share that spoke against the relationship so far (at first the
peers'): log-likelihood of a share ``turned_by`` higher against the usual one, added up, never below 0 (Page 1954). At the limit quality has
turned; the day it did is when the sum last left 0. Only what comes while the sum is 0 becomes part of the usual share, so that a slow
decline is not taken for the usual.
"""

from collections.abc import Mapping
from functools import partial
from math import log

from projections.alerts.alert import Book, Stream, on
from projections.alerts.book import EVIDENCE_KEPT, Cause, raise_, settle
from projections.scoring.evidence import Evidence
from projections.scoring.models import Model, Source
from projections.scoring.policy import Policy
from schemas.catalogue import By, Complaint, Data, PromiseSettled
from schemas.touchpoint import Recorded

STREAM = "quality"
SKIPPED = frozenset({"commitment", "exposure", "cost", "balance"})  # they have alerts of their own, or are no conduct
PRIOR = 4.0  # events of evidence the peers' share is worth
STEP_MAX = 3.0  # of the limit in one event at most a third: no single touchpoint turns a relationship


def sources(model: Model) -> Mapping[type, tuple[Source, ...]]:
    """What speaks for or against a relationship here, by type of data; a complaint of the side that the relationship is about does."""
    simple = {
        type_: tuple(source for number, _, source in told if model.names[number] not in SKIPPED) for type_, told in model.simple.items()
    }
    complaint = partial(_complaint, "them" if model.kind == "customer" else "us")
    return {**simple, Complaint: (complaint,), PromiseSettled: (_promise,)}


def heard(sources: tuple[Source, ...], book: Book, event: Recorded, data: Data, policy: Policy) -> None:
    """Add what one touchpoint says."""
    good = bad = 0.0
    for source in sources:
        found = source(data, policy)
        if found is not None:
            good, bad = good + found.plus, bad + found.minus
    if good or bad:
        _add(book, event, good, bad, policy)


def _complaint(by: By, data: Complaint, policy: Policy) -> Evidence | None:
    return Evidence(0.0, policy.severity.of[data.severity]) if data.by == by else None


def _promise(data: PromiseSettled, policy: Policy) -> Evidence | None:
    if data.status == "kept":
        return Evidence(policy.promise.kept_weight, 0.0)
    return Evidence(0.0, policy.promise.broken_weight) if data.status == "broken" else None


def _add(book: Book, event: Recorded, good: float, bad: float, policy: Policy) -> None:
    rule, stream = policy.alerts, book.streams.get(STREAM)
    was = 0.0 if stream is None else stream.height
    usual = (book.bad + PRIOR * rule.usual_bad) / (book.good + book.bad + PRIOR)
    if usual < rule.usual_bad / 2.0:
        usual = rule.usual_bad / 2.0
    if usual > 1.0 - 2.0 * rule.turned_by:
        usual = 1.0 - 2.0 * rule.turned_by
    if was == 0.0 and bad <= usual * (good + bad):  # no worse than usual, as nearly always: the step is below 0 (ln x < x - 1)
        book.good, book.bad = book.good + good, book.bad + bad
        return
    worse = usual + rule.turned_by
    step = bad * log(worse / usual) + good * log((1.0 - worse) / (1.0 - usual))
    if was + step <= 0.0:
        book.good, book.bad = book.good + good, book.bad + bad
        if stream is not None and was > 0.0:
            stream.height, stream.evidence = 0.0, []
            settle(book, rule, STREAM, event.occurred_us, "as good as before")
        return
    if stream is None:
        stream = book.streams[STREAM] = Stream()
    stream.height = min(was + min(step, rule.turned_limit / STEP_MAX), rule.height_max * rule.turned_limit)
    if was == 0.0:
        stream.since_us = event.occurred_us
    if step > 0.0:
        stream.evidence = [*stream.evidence, event.position][-EVIDENCE_KEPT:]
        if stream.height >= rule.turned_limit:
            text = f"quality turned on {on(stream.since_us)}: since then more speaks against it than before"
            cause = Cause("quality_turned", STREAM, "high", text, since_us=stream.since_us)
            raise_(book, rule, event, cause, evidence=stream.evidence[:-1])
