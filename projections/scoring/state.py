"""What is remembered of one relationship: sums of evidence, the last days singly, open cases, money. Small, and O(1) to change.

``sums`` holds forward-decayed totals: for dimension i evidence for at 4 i, against at 4 i + 1, of the latter our own conduct at 4 i + 2,
and at 4 i + 3 all of it decayed twice, which tells how many events the others are worth; last the number of days with a purchase, decayed
by their own half-life. ``recent`` holds what each of the last ``trend_days`` days added to them, and ``earlier`` the sums before these
days, so that the sums as they were at the start of any of them are told by addition: to the last bit the same whatever came after.

Purchases of one UTC day are one occasion, as of its start: a basket split into three orders is no more loyal than a whole one.
"""

from collections.abc import Sequence

import msgspec

from projections.scoring.cases import Case, book
from projections.scoring.evidence import DAY_US, Evidence, kept
from projections.scoring.marks import Mark, mark
from projections.scoring.models import Model, Source
from projections.scoring.policy import Policy
from schemas.catalogue import Action, Closed, Money, Opened, OrderPlaced, Purchase
from schemas.touchpoint import Recorded

SLOTS = 4  # places in ``sums`` a dimension has
SLOT_BITS = 6  # of a key of ``recent``
SLOT_MASK = (1 << SLOT_BITS) - 1
BEGINNING_US = -(2**62)  # before every moment there is
BEGINNING_DAY = -(2**40)  # and before every day
SLACK_DAYS = 14  # that are told singly beyond those asked for: letting go of one looks at all
WORD_BITS = 64


class Spending(msgspec.Struct, array_like=True, gc=False):
    """Money of one currency. Amounts are forward-decayed by the policy's value half-life, in units of the currency."""

    count: int = 0
    amount: float = 0.0
    margin: float = 0.0
    margins: int = 0  # of ``count``, how many told their margin
    squares: float = 0.0  # of the margins, forward-decayed


class State(msgspec.Struct, array_like=True, gc=False):
    """All that scoring remembers of a relationship. Moments are microseconds UTC, None where nothing of the kind happened."""

    relationship: str
    kind: str
    sums: list[float]
    since: int = BEGINNING_DAY  # the first day of which ``recent`` tells
    earlier: list[float] = []  # the sums of all before it; empty as long as ``recent`` is, for they are ``sums`` then
    recent: dict[int, list[float]] = {}  # by ``on_day``: added to the sum there, and to those that follow
    cases: dict[str, Case] = {}
    settled: dict[int, int] = {}  # cases that became plain sums, by a number for their key: when they were closed
    events: int = 0
    unused: int = 0  # events that are no evidence for this kind, or of a type not known
    first_us: int = 0
    last_us: int = BEGINNING_US
    opened: Mark | None = None
    profile: Opened | None = None
    closed: Mark | None = None
    bought: dict[int, int] = {}  # days with a purchase, since 1970 UTC: day // 64 -> a bit for each
    purchases: int = 0  # how many such days there are
    first_bought: int | None = None  # the first of them
    last_bought: int | None = None
    money: dict[str, Spending] = {}
    actions: int = 0
    last_action_us: int | None = None
    served: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0])  # hours of our work, and their squares, forward-decayed

    def sums_before(self, day: int) -> list[float]:
        """The sums as they were at the start of ``day``, which is none before ``since``."""
        if not self.recent:
            return self.sums
        keys = self._before(day)
        if not keys:
            return self.earlier
        sums = self.earlier.copy()
        for key in keys:
            _add(sums, key & SLOT_MASK, self.recent[key])
        return sums

    def forget_before(self, day: int) -> None:
        """Let no day before this one be told singly any more."""
        self.since = day
        for key in self._before(day):
            _add(self.earlier, key & SLOT_MASK, self.recent.pop(key))
        if self.earlier and not self.recent:
            self.sums, self.earlier = self.earlier, []

    def _before(self, day: int) -> list[int]:
        """Keys of ``recent`` for days before this one, in their order: sums then are the same to the last bit, whenever they are made."""
        first = on_day(day, 0)
        return sorted([key for key in self.recent if key < first])

    def last_bought_before(self, day: int) -> int | None:
        """The last day with a purchase before ``day``."""
        for word in sorted(self.bought, reverse=True):
            earlier = self.bought[word] & (1 << min(WORD_BITS, max(0, day - word * WORD_BITS))) - 1
            if earlier:
                return word * WORD_BITS + earlier.bit_length() - 1
        return None


def on_day(day: int, slot: int) -> int:
    """A key for a day (since 1970 UTC) and a place in ``sums``, which are its last ``SLOT_BITS`` bits."""
    return day << SLOT_BITS | slot


def empty(relationship: str, model: Model) -> State:
    """The state of a relationship before its first event."""
    return State(relationship, model.kind, [0.0] * (SLOTS * len(model.names) + 1))


def fold(state: State, event: Recorded, model: Model, known_us: int) -> State:
    """``state`` changed by ``event``. ``known_us``: no moment before it will be asked for but those ``trend_days`` back."""
    at, policy = event.occurred_us, model.policy
    if at < state.first_us or state.events == 0:
        state.first_us = at
    if at > state.last_us:
        state.last_us = at
    state.events += 1
    since = known_us // DAY_US - policy.model.trend_days
    if since - state.since > SLACK_DAYS:
        state.forget_before(since)
    data = event.data
    type_ = type(data)
    if hours := model.hours.get(type_):
        _serve(state, hours, at, model)
    if (sources := model.simple.get(type_)) is not None:
        _hear(state, sources, event, policy)
    elif (case_type := model.cases.get(type_)) is not None:
        state.unused += not _follow(state, case_type, event, model)
    else:
        state.unused += not _remember(state, event, model)
    if type_ is Closed:
        _close(state, mark(event))
    return state


def _hear(state: State, sources: Sequence[tuple[int, float, Source]], event: Recorded, policy: Policy) -> None:
    """Add plain evidence."""
    at, day = event.occurred_us, event.occurred_us // DAY_US
    for number, half_life, source in sources:
        evidence = source(event.data, policy)
        if evidence is not None:
            _add_evidence(state, number, evidence, kept(at, half_life), day)


def _close(state: State, new: Mark) -> None:
    """The first close to happen counts."""
    state.closed = new if state.closed is None else min(state.closed, new)


def _follow(state: State, case_type: type[Case], event: Recorded, model: Model) -> bool:
    """Tell the touchpoint's case; False where that is settled."""
    if not book.tell(state.cases, state.settled, case_type, event, model.policy):
        return False
    if len(state.cases) > model.policy.model.cases_kept:
        _settle(state, model)
    return True


def _settle(state: State, model: Model) -> None:
    """Turn the closed case that ended first into plain sums."""
    found = book.settle(state.cases, state.settled)
    if found is None:
        return
    case, ended = found
    for item in case.items(ended, model.kind, model.policy):
        number = model.numbers[item.dimension]
        factor = kept(item.at_us, model.dimensions[number].half_life_us)
        _add_evidence(state, number, Evidence(item.plus, item.minus, item.ours), factor, item.since_us // DAY_US)


def _remember(state: State, event: Recorded, model: Model) -> bool:
    """Touchpoints that are no evidence but are remembered; False for one that says nothing about this kind."""
    data = event.data
    at = event.occurred_us
    if isinstance(data, Purchase) and model.kind == "customer":
        _buy(state, at, model)
        _spend(state, at, data.amount, data.margin, model)
    elif isinstance(data, OrderPlaced) and model.kind == "partner":
        _spend(state, at, data.amount, None, model)
    elif isinstance(data, Opened):
        new = mark(event)
        if state.opened is None or new > state.opened:  # the newest word on name, segment, owner holds
            state.opened, state.profile = new, data
    elif isinstance(data, Action):
        state.actions += 1
        state.last_action_us = at if state.last_action_us is None else max(state.last_action_us, at)
    else:
        return False
    return True


def _buy(state: State, at: int, model: Model) -> None:
    day = at // DAY_US
    word, bit = day // WORD_BITS, 1 << day % WORD_BITS
    days = state.bought.get(word, 0)
    if days & bit:
        return
    state.bought[word] = days | bit
    state.purchases += 1
    if state.first_bought is None or day < state.first_bought:
        state.first_bought = day
    if state.last_bought is None or day > state.last_bought:
        state.last_bought = day
    _count(state, day, len(state.sums) - 1, [kept(day * DAY_US, model.policy.purchases.half_life_us)])


def _add_evidence(state: State, number: int, evidence: Evidence, factor: float, day: int) -> None:
    plus, minus, all_ = evidence.plus * factor, evidence.minus * factor, (evidence.plus + evidence.minus) * factor * factor
    _count(state, day, SLOTS * number, [plus, minus, minus if evidence.ours else 0.0, all_])


def _count(state: State, day: int, slot: int, amounts: list[float]) -> None:
    """Add to the sums, from ``slot`` on, what counts from a day on."""
    if day >= state.since:
        if not state.recent:
            state.earlier = state.sums.copy()
        found = state.recent.setdefault(on_day(day, slot), amounts)
        if found is not amounts:
            _add(found, 0, amounts)
    elif state.recent:
        _add(state.earlier, slot, amounts)
    _add(state.sums, slot, amounts)


def _add(sums: list[float], slot: int, amounts: list[float]) -> None:
    """Add to the sums from ``slot`` on, of purchases only one; written out, since it takes a third of the time."""
    sums[slot] += amounts[0]
    if len(amounts) == SLOTS:
        sums[slot + 1] += amounts[1]
        sums[slot + 2] += amounts[2]
        sums[slot + 3] += amounts[3]


def _serve(state: State, hours: float, at: int, model: Model) -> None:
    part, served = hours * kept(at, model.policy.value.half_life_us), state.served
    served[0] += part
    served[1] += part * part


def _spend(state: State, at: int, amount: Money, margin: Money | None, model: Model) -> None:
    spending = state.money.get(amount.currency)
    if spending is None:
        spending = state.money[amount.currency] = Spending()
    factor = kept(at, model.policy.value.half_life_us)
    spending.count += 1
    spending.amount += float(amount.amount) * factor
    if margin is not None and margin.currency == amount.currency:
        part = float(margin.amount) * factor
        spending.margin += part
        spending.squares += part * part
        spending.margins += 1
