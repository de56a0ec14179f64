"""Plain answers to the same questions, for the model to be better than: recency, frequency, RFM, the past mean.

Each is one figure. To compete as a chance too it gets a logistic curve, fitted on the earlier part; its ranking is its own.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata

from projections.calibration.measures import Floats
from projections.calibration.purchases import Asked
from projections.calibration.questions import Deliveries

RIDGE = 1e-3  # keeps the curve finite where a figure parts the outcomes without an error


def of_customers(asked: Asked) -> dict[str, Floats]:
    """Figures of customers; larger is likelier. RFM: the sum of the ranks of recency, frequency and money (Hughes 1994)."""
    count = np.bincount(asked.whose, minlength=len(asked.happened)).astype(float)
    ranks = [rankdata(one) / max(1, len(count)) for one in (-asked.since_last, count, asked.spent)]
    return {
        "recency": -np.log1p(asked.since_last),
        "frequency": np.log(count),
        "RFM": np.sum(ranks, axis=0),
        "past mean": np.log(count / (asked.since_first + 1.0)),
    }


def of_deliveries(sent: Deliveries, mean: float) -> dict[str, Floats]:
    """Figures of deliveries; recency is how the last one went. ``mean``: the share of good ones of all, for a partner's first."""
    return {
        "recency": sent.last,
        "frequency": np.log1p(sent.seen),
        "past mean": np.where(sent.seen > 0.0, sent.kept / np.maximum(sent.seen, 1.0), mean),
    }


def curve(figure: Floats, happened: Floats) -> Callable[[Floats], Floats]:
    """The logistic curve from a figure to a chance that fits the outcomes best."""
    centre, width = float(figure.mean()), float(figure.std()) or 1.0

    def chance(at: Floats, line: Floats) -> Floats:
        return expit(line[0] + line[1] * (at - centre) / width)  # type: ignore[no-any-return]

    def cost(line: Floats) -> float:
        score = line[0] + line[1] * (figure - centre) / width
        return float((np.logaddexp(0.0, score) - happened * score).mean() + RIDGE * line[1] ** 2)

    found = minimize(cost, np.zeros(2), method="L-BFGS-B").x
    return lambda at: chance(at, found)
