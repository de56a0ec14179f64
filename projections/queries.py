"""What managers and auditors ask: one relationship, many, the events behind a score, the history.

Without ``as_of`` and ``known_at`` a question is answered from the views, evaluated at this moment. With either, the relationship is folded
again from the ledger, taking only what had happened by ``as_of`` and only what was recorded by ``known_at``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec.structs import replace

from ledger.ledger import Ledger
from projections import names
from projections.answers import Dimension, Explained, ExplainedEvent, Explanation, HistoryLine, Interval, Others, Portrait, Shown
from projections.corrections import Corrections
from projections.histories import told
from projections.listing import SORTS, in_order
from projections.moments import Moments
from projections.policies import Policies, policy_of
from projections.portrait import Known, net, portrait
from projections.projection import Projection
from projections.relationships import RANKED, assess, relationships
from projections.replay import Replay, Side
from projections.scoring.course import Alerted, course, one_turn
from projections.scoring.exchange import Rates
from projections.scoring.explain import explain
from projections.scoring.models import Model, models
from projections.scoring.policy import Policy
from projections.scoring.standing import STANDINGS
from projections.scoring.state import State, empty, fold
from projections.views import Views
from schemas.catalogue import RESERVED_PREFIX
from schemas.errors import NotFoundError, SettingsError
from schemas.records import recorded
from schemas.touchpoint import LEDGER_SUBJECT, Recorded, iso

KINDS = ("customer", "partner")
EXCHANGE_RATE = "ledger.exchange-rate.v1"
EMPTY: Mapping[str, float] = {}


class _Known(msgspec.Struct, frozen=True):
    """What is known of a relationship at a moment: the events that count, those that were withdrawn, and the newest position."""

    events: list[Recorded]
    withdrawn: list[Recorded]
    corrections: Corrections
    position: int


class Reader:
    """Answers from one ledger and its views. ``policy`` is that of the views; the past is told under the policy of its day."""

    def __init__(self, ledger: Ledger, views: Views, policy: Policy) -> None:
        self._ledger, self.views, self.policy = ledger, views, policy
        self._policies = Policies(ledger)
        self._models = {policy.digest: models(policy)}
        self._view = relationships(policy)

    def policy_at(self, moments: Moments) -> Policy:
        """The policy that a question is answered under.

        Raises:
            PolicyError: it was adopted by another program, and this one cannot follow it.
        """
        return policy_of(self._policies.when(moments.counts)) if moments.past else self.policy

    def show(self, relationship: str, moments: Moments) -> Shown:
        """One relationship.

        Raises:
            NotFoundError: no touchpoint of it counts.
        """
        if moments.past:
            known = self._known(relationship, moments)
            return self._shown(self._folded(known.events, moments), known.position, moments)
        row = self.views.get(self._view, relationship)
        if row is None:
            raise names.unknown(self.views, self._view, relationship, moments)
        return self._shown(row.state, row.position, moments)

    def portrait(self, relationship: str, moments: Moments, alerted: Alerted | None = None) -> Portrait:
        """One relationship with all that is told of one alone; reads its events, which ``show`` need not.

        ``alerted``: the turn its alerts tell (``alerts/queries.py``), so that nobody reads two days of one turn.

        Raises:
            NotFoundError: no touchpoint of it counts.
        """
        known = self._known(relationship, moments)
        events = known.events
        state = self._folded(events, moments)
        shown = self._shown(state, known.position, moments)
        model, at_us = self._models_at(moments)[state.kind], _moment(moments, state.last_us)
        party = None if state.profile is None else state.profile.counterparty
        beside = None if party is None else net(shown, party, list(self._beside(relationship, party, moments)))
        told = course(events, model, at_us)
        return portrait(
            shown,
            state,
            model,
            replace(told, turn=one_turn(told.turn, alerted)),
            Known(events, self._rates(moments)),
            net=beside,
            peers=() if shown.value is None else self._peers(state.kind, shown.value.currency),
        )

    def list(  # the command's name; the parts of one question
        self,
        moments: Moments,
        *,
        kind: str | None = None,
        standing: str | None = None,
        segment: str | None = None,
        name: str | None = None,
        sort: str = "quality",
        descending: bool = False,
        limit: int = 20,
    ) -> Sequence[Shown]:
        """Many relationships, those without a figure to sort by last. ``name``: a part of it, or of the key. ``limit`` 0: all.

        Which rows are chosen follows the views, refreshed by every touchpoint and at each close of day; the figures are of this moment.

        Raises:
            SettingsError: ``sort`` is no column to sort by.
        """
        if sort not in SORTS:
            raise SettingsError(f"cannot sort by {sort!r}: expected one of {', '.join(SORTS)}")
        where = {"kind": kind, "standing": standing, "segment": segment}
        if moments.past:
            replayed = self._replay(relationships(self.policy_at(moments)), moments).rows()
            found = [self._shown(one.state, one.position, moments) for _, (one,) in replayed if one is not None]
        else:
            asked: dict[str, Any] = {column: value for column, value in where.items() if value is not None}
            most = limit or None
            if name is not None:
                asked, most = asked | names.narrowed(self.views, self._view, name), None
            elif sort in RANKED and segment is None:
                asked = {"kind": KINDS, "standing": STANDINGS, **asked}  # all there are, so that the order comes from the index
            rows = self.views.select(self._view, where=asked, order_by=sort, descending=descending, limit=most, state=True)
            found = [self._shown(row.state, row.position, moments) for row in rows]
        found = [shown for shown in found if all(value is None or getattr(shown, column) == value for column, value in where.items())]
        found = [shown for shown in found if name is None or names.has(shown.relationship, shown.name, name)]
        ordered = in_order(found, sort, descending=descending)
        return ordered[:limit] if limit else ordered

    def explain(self, relationship: str, moments: Moments) -> Explanation:
        """The events behind a score, the largest contribution first; those that were withdrawn last, for nothing.

        Raises:
            NotFoundError: no touchpoint of it counts.
        """
        known = self._known(relationship, moments)
        events = known.events
        shown = self._shown(self._folded(events, moments), known.position, moments)
        parts = explain(events, self._models_at(moments)[shown.kind], _moment(moments, max(event.occurred_us for event in events)))
        head = Explained(relationship, shown.quality, shown.interval, round(parts.base, 4), shown.as_of, self.policy_at(moments).version)
        lines = [_explained(part.event, known.corrections, part.contribution, part.effect, part.dimensions) for part in parts.parts]
        lines += [_explained(event, known.corrections) for event in known.withdrawn]
        return Explanation(head, tuple(lines), Others(round(parts.others, 4)))

    def history(self, relationship: str, moments: Moments, *, limit: int = 0) -> Sequence[HistoryLine]:
        """The newest ``limit`` (0: all) recorded events, oldest first.

        Raises:
            NotFoundError: no touchpoint of it counts.
        """
        lines = told(self._ledger.history(relationship), moments, limit)
        if not lines:
            raise names.unknown(self.views, self._view, relationship, moments)
        return lines

    def events(self, relationship: str, moments: Moments) -> Sequence[Recorded]:
        """The touchpoints of one relationship that count, corrections followed, as they were recorded; raises as ``show``."""
        return self._known(relationship, moments).events

    def state(self, relationship: str, moments: Moments) -> State:
        """What the scoring remembers of one relationship; raises as ``show``."""
        if moments.past:
            return self._folded(self._known(relationship, moments).events, moments)
        row = self.views.get(self._view, relationship)
        if row is None:
            raise names.unknown(self.views, self._view, relationship, moments)
        return row.state  # type: ignore[no-any-return]  # of this projection

    def rows(self, projection: Projection, moments: Moments) -> Iterator[Any]:
        """Every public row of a view, in no order."""
        if moments.past:
            return (projection.publish(state, moments.at_us) for state in self.states(projection, moments))
        return (found.row for found in self.views.select(projection))

    def as_they_are(self, projection: Projection, where: Mapping[str, Any], moments: Moments) -> Iterator[Any]:
        """Public rows as they are at this moment, of those that are published with these values: the close of a day may be to come."""
        return (projection.publish(found.state, moments.at_us) for found in self.views.select(projection, where=where, state=True))

    def states(self, projection: Projection, moments: Moments) -> Iterator[Any]:
        """What every row of a view rests on, in no order."""
        if moments.past:
            return (told.state for _, (told,) in self._replay(projection, moments).rows() if told is not None)
        return (found.state for found in self.views.select(projection, state=True))

    def columns(self, projection: Projection, wanted: Sequence[str], moments: Moments) -> Iterator[tuple[Any, ...]]:
        """Some public columns of every row of a view, in no order, and after them the moment (microseconds UTC) they are true for."""
        if not moments.past:
            yield from self.views.columns(projection, wanted)
            return
        for row in self.rows(projection, moments):
            yield (*(getattr(row, name) for name in wanted), moments.at_us)

    def _models_at(self, moments: Moments) -> dict[str, Model]:
        policy = self.policy_at(moments)
        if policy.digest not in self._models:
            self._models[policy.digest] = models(policy)
        return self._models[policy.digest]

    def _replay(self, projection: Projection, moments: Moments) -> Replay:
        return Replay(self._ledger, [Side(projection, moments)], upto=self._ledger.head().position, hashed=False)

    def _known(self, relationship: str, moments: Moments) -> _Known:
        known = [event for one in self._ledger.history(relationship) if moments.knew(one.recorded_us) and (event := recorded(one))]
        corrections = Corrections(known)
        counting = [event for event in corrections.counting(known) if not event.type.startswith(RESERVED_PREFIX)]
        events = [event for event in counting if moments.happened(event)]  # what the ledger writes about a relationship is no touchpoint
        if not events or relationship == LEDGER_SUBJECT:
            raise names.unknown(self.views, self._view, relationship, moments)
        withdrawn = [event for event in known if moments.happened(event) and corrections.is_withdrawn(event)]
        return _Known(events, withdrawn, corrections, max(events[-1].position, corrections.upto[0]))

    def _folded(self, events: Iterable[Recorded], moments: Moments) -> State:
        state: State | None = None
        by_kind = self._models_at(moments)
        for event in events:
            model = by_kind[event.relationship.partition("/")[0]]
            state = fold(empty(event.relationship, model) if state is None else state, event, model, moments.at_us)
        if state is None:
            raise ValueError("a relationship has at least one event")
        return state

    def _rates(self, moments: Moments) -> Rates:
        """The exchange rates recorded by then."""
        stored = self._ledger.history(LEDGER_SUBJECT)
        return Rates(recorded(one) for one in stored if one.type == EXCHANGE_RATE and one.recorded_us <= moments.knowledge_us)

    def _peers(self, kind: str, currency: str) -> Sequence[float]:
        """What relationships of a kind are worth in a currency, as the views know it."""
        rows = self.views.columns(self._view, ("kind", "value_currency", "value"))
        return [value for other, told_in, value, _ in rows if (other, told_in) == (kind, currency)]

    def _beside(self, relationship: str, party: str, moments: Moments) -> Iterator[Shown]:
        """The other relationships with a legal party, as the views know them, told for the moments asked about."""
        for row in self.views.select(self._view, where={"counterparty": party}):
            other = row.row.relationship
            if other != relationship:
                with suppress(NotFoundError):  # it had not begun then
                    yield self.show(other, moments)

    def _shown(self, state: State, position: int, moments: Moments) -> Shown:
        model = self._models_at(moments)[state.kind]
        at_us = _moment(moments, state.last_us)
        found = assess(state, model, at_us)
        figures, profile = found.figures, state.profile
        dimensions = {name: Dimension(None, None, 0.0) for name in model.names}
        if figures is not None:
            for name, one in zip(model.names, figures.levels, strict=True):
                if one.evidence > 0.0:
                    interval = one.interval(model.policy.model.interval_mass)
                    dimensions[name] = Dimension(round(one.level, 4), _rounded(interval, 4), round(one.evidence, 2))
        return Shown(
            relationship=state.relationship,
            kind=state.kind,
            name=None if profile is None else profile.name,
            segment=None if profile is None else profile.segment,
            channel=None if profile is None else profile.channel,
            owner=None if profile is None else profile.owner,
            quality=None if figures is None else round(figures.quality, 2),
            interval=None if figures is None else _rounded((figures.low, figures.high), 2),
            trend=None if found.trend is None else round(found.trend, 2),
            standing=found.standing,
            reasons=found.reasons,
            dimensions=dimensions,
            value=found.worth,
            events=state.events,
            first_at=iso(state.first_us),
            last_at=iso(state.last_us),
            position=position,
            as_of=iso(at_us),
            known_at=iso(moments.knowledge_us),
        )


def _moment(moments: Moments, last_us: int) -> int:
    """The moment to evaluate at: a publisher's clock may run up to five minutes ahead of ours."""
    return moments.at_us if moments.past else max(moments.at_us, last_us)


def _rounded(interval: Interval, digits: int) -> Interval:
    return round(interval[0], digits), round(interval[1], digits)


def _explained(
    event: Recorded, corrections: Corrections, contribution: float = 0.0, effect: float = 0.0, dimensions: Mapping[str, float] = EMPTY
) -> ExplainedEvent:
    return ExplainedEvent(
        event.position,
        event.source,
        event.id,
        event.type,
        iso(event.occurred_us),
        round(contribution, 4),
        round(effect, 4),
        {name: round(points, 4) for name, points in dimensions.items()},
        corrections.of(event),
    )
