"""What people ask of alerts: which there are, one of them, what to do about a relationship.

Told as of the newest close of a day or event of each relationship; with a past moment, folded again from the ledger.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

import msgspec

from projections.alerts.alert import SEVERITIES, AlertKind, AlertState, Severity
from projections.alerts.view import STANDING, Told, alerts
from projections.answers import Shown, Step
from projections.moments import Moments
from projections.queries import Reader
from projections.relationships import relationships
from projections.scoring.course import Alerted
from projections.scoring.policy import Policy
from projections.scoring.turn import ALL, GAPS, Turn
from projections.views import Views
from schemas.errors import NotFoundError, SettingsError
from schemas.touchpoint import iso, microseconds


class Asked(msgspec.Struct, frozen=True):
    """Which alerts: those that match all that is given. ``states``: empty for every state."""

    kind: AlertKind | None = None
    severity: Severity | None = None
    relationship: str | None = None
    states: Collection[AlertState] = STANDING
    assignee: str | None = None
    historical: bool = True

    def matches(self, one: Told) -> bool:
        """Whether it is one of those."""
        return (
            (self.kind is None or one.kind == self.kind)
            and (self.severity is None or one.severity == self.severity)
            and (not self.states or one.state in self.states)
            and (self.assignee is None or one.assignee == self.assignee)
            and (self.historical or not one.historical)
        )


class AtStake(msgspec.Struct, frozen=True):
    """What a relationship is worth to us: recent margin or revenue of a customer, spend with a partner (``value`` of ``show``).

    peers: the share (0-1) of the relationships of that kind and currency that are worth less.
    """

    amount: float
    currency: str
    basis: str
    peers: float


class Listed(msgspec.Struct, frozen=True):
    """An alert and what is at stake; None where nothing is known of that."""

    alert: Told
    value: AtStake | None


def listed(reader: Reader, asked: Asked, moments: Moments) -> list[Told]:
    """Alerts, the gravest first, then the newest."""
    found = [one for one in _every(reader, moments, asked.relationship) if asked.matches(one)]
    found.sort(key=lambda one: (one.opened_at, one.id), reverse=True)
    found.sort(key=lambda one: SEVERITIES.index(one.severity), reverse=True)
    return found


def by_stake(reader: Reader, found: Iterable[Told], moments: Moments) -> list[Listed]:
    """The gravest first, of these where most is at stake, of one relationship the newest.

    Worth is ranked among its peers, so that a customer's margin and the spend with a partner can stand in one list.
    """
    values = at_stake(reader, moments)
    rows = [Listed(one, values.get(one.relationship)) for one in found]
    rows.sort(key=lambda row: (row.alert.opened_at, row.alert.id), reverse=True)
    rows.sort(key=lambda row: (-SEVERITIES.index(row.alert.severity), -(row.value.peers if row.value else -1.0), row.alert.relationship))
    return rows


def at_stake(reader: Reader, moments: Moments) -> dict[str, AtStake]:
    """What each relationship is worth to us, where that is known."""
    groups: dict[tuple[str, str], list[tuple[float, str, str]]] = {}
    names = ("relationship", "kind", "value", "value_currency", "value_basis")
    for name, kind, amount, currency, basis, _ in reader.columns(relationships(reader.policy_at(moments)), names, moments):
        if amount is not None:
            groups.setdefault((kind, currency), []).append((amount, name, basis))
    found: dict[str, AtStake] = {}
    for (_, currency), members in groups.items():
        amounts = sorted(amount for amount, _, _ in members)
        for amount, name, basis in members:
            found[name] = AtStake(amount, currency, basis, bisect_left(amounts, amount) / len(amounts))
    return found


def one(reader: Reader, id_: str, moments: Moments) -> Told:
    """The alert of an id, or of its first digits where they tell it from all others.

    Raises:
        NotFoundError: there is none.
        SettingsError: there are several.
    """
    found = [one for one in _every(reader, moments, None) if one.id.startswith(id_)] if id_ else []
    exact = [one for one in found if one.id == id_] or found
    if not exact:
        raise NotFoundError(f"there is no alert {id_!r}: `rledger alerts list --state all` shows those there are")
    if len(exact) > 1:
        raise SettingsError(f"{len(exact)} alerts begin with {id_!r}: give more digits of {', '.join(one.id for one in exact[:3])}")
    return exact[0]


def undelivered(views: Views, policy: Policy, *, since_us: int, limit: int) -> list[Told]:
    """Alerts that stand, are no history, were not delivered anywhere, and were confirmed since ``since_us`` (microseconds UTC)."""
    found: list[Told] = []
    since = iso(since_us)[:19]
    for row in views.select(alerts(policy), order_by="undelivered", descending=True, limit=limit):
        if row.row.undelivered == 0:
            break
        found += [one for one in row.row.alerts if one.state in STANDING and not (one.historical or one.delivered) and one.last_at >= since]
    return found[:limit]


def next_steps(shown: Shown, standing: Iterable[Told], policy: Policy) -> list[Step]:
    """What should be done, the gravest alert's first, then by the reasons of the standing; each play once."""
    found: dict[str, Step] = {}
    for alert in sorted(standing, key=lambda one: -SEVERITIES.index(one.severity)):
        if alert.next_step is not None:
            found.setdefault(alert.next_step, Step(alert.next_step, alert.kind, alert.text, alert.id, alert.evidence))
    for reason in shown.reasons:
        play = policy.plays.of(reason.rule)
        if play is not None:
            found.setdefault(play, Step(play, reason.rule, reason.text, None, ()))
    return list(found.values())


def turned(found: Iterable[Told]) -> Alerted | None:
    """The turn for the worse that the newest of these alerts tells, of those that did not end well; None where none tells one."""
    told = [(one, since) for one in found if (since := one.since_at) is not None and one.state != "closed"]
    if not told:
        return None
    newest, since = max(told, key=lambda pair: (pair[0].opened_at, pair[0].id))
    turn = Turn("worse", _us(since), _us(newest.opened_at), GAPS if newest.kind == "silence" else ALL)
    until = newest.closed_at or newest.resolved_at
    return Alerted(turn, None if until is None else _us(until))


def _us(at: str) -> int:
    return microseconds(datetime.fromisoformat(at))


def _every(reader: Reader, moments: Moments, relationship: str | None) -> Iterator[Told]:
    view = alerts(reader.policy_at(moments))
    if relationship is not None and not moments.past:
        row = reader.views.get(view, relationship)
        yield from () if row is None else row.row.alerts
        return
    for name, told, _ in reader.columns(view, ["relationship", "alerts"], moments):
        if relationship is None or name == relationship:
            yield from told
