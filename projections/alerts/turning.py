"""The day quality turned: a CUSUM of all evidence against the relationship's own past.

Each touchpoint's evidence, as the scoring weighs it, is compared with the share that spoke against the relationship so far (at first the
peers'): log-likelihood of a share ``turned_by`` higher against the usual one, added up, never below 0 (Page 1954). At the limit quality has
turned; the day it did is when the sum last left 0. Only what comes while the sum is 0 becomes part of the usual share, so that a slow
decline is not taken for the usual.
"""

from math import log

from projections.alerts.alert import Book, Stream, on
from projections.alerts.book import EVIDENCE_KEPT, Cause, raise_, settle
from projections.scoring.evidence import Evidence
from projections.scoring.models import Model
from schemas.catalogue import Complaint, PromiseSettled
from schemas.touchpoint import Recorded

STREAM = "quality"
SKIPPED = frozenset({"commitment", "exposure", "cost", "balance"})  # they have alerts of their own, or are no conduct
PRIOR = 4.0  # events of evidence the peers' share is worth
STEP_MAX = 3.0  # of the limit in one event at most a third: no single touchpoint turns a relationship


def heard(book: Book, event: Recorded, model: Model) -> None:
    """Add what one touchpoint says."""
    data, policy = event.data, model.policy
    good = bad = 0.0
    for number, _, source in model.simple.get(type(data), ()):
        if model.names[number] not in SKIPPED and (found := source(data, policy)) is not None:
            good, bad = good + found.plus, bad + found.minus
    if isinstance(data, Complaint):
        if (data.by == "them") == (model.kind == "customer"):
            bad += policy.severity.of[data.severity]
    elif isinstance(data, PromiseSettled):
        told = {"kept": Evidence(policy.promise.kept_weight, 0.0), "broken": Evidence(0.0, policy.promise.broken_weight)}
        found = told.get(data.status, Evidence(0.0, 0.0))
        good, bad = good + found.plus, bad + found.minus
    if good or bad:
        _add(book, event, good, bad, model)


def _add(book: Book, event: Recorded, good: float, bad: float, model: Model) -> None:
    rule = model.policy.alerts
    stream = book.streams.get(STREAM)
    if stream is None:
        stream = book.streams[STREAM] = Stream()
    usual = (book.bad + PRIOR * rule.usual_bad) / (book.good + book.bad + PRIOR)
    usual = min(max(usual, rule.usual_bad / 2.0), 1.0 - 2.0 * rule.turned_by)
    worse = usual + rule.turned_by
    step = min(bad * log(worse / usual) + good * log((1.0 - worse) / (1.0 - usual)), rule.turned_limit / STEP_MAX)
    was = stream.height
    stream.height = min(max(0.0, was + step), rule.height_max * rule.turned_limit)
    if stream.height == 0.0:
        book.good, book.bad, stream.evidence = book.good + good, book.bad + bad, []
        if was > 0.0:
            settle(book, rule, STREAM, event.occurred_us, "as good as before")
        return
    if was == 0.0:
        stream.since_us = event.occurred_us
    if step > 0.0:
        stream.evidence = [*stream.evidence, event.position][-EVIDENCE_KEPT:]
        if stream.height >= rule.turned_limit:
            text = f"quality turned on {on(stream.since_us)}: since then more speaks against it than before"
            raise_(book, rule, event, Cause("quality_turned", STREAM, "high", text), evidence=stream.evidence[:-1])
