"""Value beside the score: what a relationship brings, what serving it costs, and how sure it is that it pays.

Amounts fade with the policy's value half-life: what counts is what it brings lately. The cost to serve is hours of our work, by touchpoint,
times what an hour costs (time-driven activity-based costing, Kaplan & Anderson 2004). Amounts are sums of few, unequal parts: their
variance is the sum of the squares of the parts, as for a compound Poisson process, and what is left over is taken as normal.
"""

from collections.abc import Sequence
from math import erfc, exp2, sqrt

import msgspec

from projections.scoring.evidence import DAY_US, faded
from projections.scoring.exchange import Rates
from projections.scoring.models import Model
from projections.scoring.state import Spending, State
from schemas.catalogue import Money, OrderPlaced, Purchase, SignedMoney
from schemas.touchpoint import Recorded


class Worth(msgspec.Struct, frozen=True, gc=False):
    """Money, faded with the policy's value half-life, in the currency with most touchpoints.

    ``basis``: ``margin`` where every purchase told its margin, ``revenue`` of a customer otherwise, ``spend`` with a partner.
    ``others``: amounts in other currencies, which no rate has brought together. cost_to_serve: of a customer, our work. net: margin less
    that; net_loss: the chance (0-1) that it is below 0; both None where margins are not known.
    """

    amount: str
    currency: str
    basis: str
    others: dict[str, str] = {}
    cost_to_serve: str | None = None
    net: str | None = None
    net_loss: float | None = None


def worth(state: State, model: Model, moment_us: int) -> Worth | None:
    """What a relationship is worth at a moment; None where no amount was ever told."""
    if not state.money:
        return None
    fade = faded(moment_us, model.policy.value.half_life_us)
    currency = max(state.money, key=lambda code: (state.money[code].count, code))
    main = state.money[currency]
    basis = "spend" if model.kind == "partner" else "margin" if main.margins == main.count else "revenue"
    amounts = {code: f"{(one.margin if basis == 'margin' else one.amount) * fade:.2f}" for code, one in state.money.items()}
    amount = amounts.pop(currency)
    others = dict(sorted(amounts.items())) if amounts else {}
    if model.kind != "customer":
        return Worth(amount, currency, basis, others)
    hour_cost = model.policy.serve.hour_cost
    cost = state.served[0] * fade * hour_cost
    if basis != "margin":
        return Worth(amount, currency, basis, others, f"{cost:.2f}")
    net, loss = _left(main, state.served, fade, hour_cost)
    return Worth(amount, currency, basis, others, f"{cost:.2f}", f"{net:.2f}", round(loss, 4))


def brought_together(found: Worth, events: Sequence[Recorded], rates: Rates, model: Model, moment_us: int) -> Worth:
    """The same with amounts in other currencies at the rate of their day; those of days without one stay in ``others``."""
    if not found.others:
        return found
    total, others = float(found.amount), dict.fromkeys(found.others, 0.0)
    for event in events:
        amount = _amount(event, found.basis)
        if amount is None or amount.currency == found.currency:
            continue
        part = float(amount.amount) * exp2((event.occurred_us - moment_us) / model.policy.value.half_life_us)
        worth_ = rates.convert(part, amount.currency, found.currency, event.occurred_us // DAY_US)
        if worth_ is None:
            others[amount.currency] = others.get(amount.currency, 0.0) + part
        else:
            total += worth_
    left = {currency: f"{amount:.2f}" for currency, amount in others.items() if amount}
    net = None if found.net is None else f"{float(found.net) + total - float(found.amount):.2f}"
    return msgspec.structs.replace(found, amount=f"{total:.2f}", others=left, net=net)


def _amount(event: Recorded, basis: str) -> Money | SignedMoney | None:
    """The amount of a touchpoint that counts for this basis."""
    data = event.data
    if isinstance(data, Purchase):
        return data.margin if basis == "margin" else data.amount
    return data.amount if isinstance(data, OrderPlaced) and basis == "spend" else None


def _left(main: Spending, served: list[float], fade: float, hour_cost: float) -> tuple[float, float]:
    """What is left of the margin, and the chance that it is less than nothing."""
    net = (main.margin - served[0] * hour_cost) * fade
    spread = sqrt(main.squares + served[1] * hour_cost * hour_cost) * fade
    return net, erfc(net / spread / sqrt(2.0)) / 2.0 if spread > 0.0 else float(net < 0.0)
