"""How well chances came true: AUC, log loss, Brier score, calibration error, each with an interval.

Intervals are by the bootstrap over relationships (Efron 1979; whole clusters are drawn, since what one relationship does again and again is
no independent evidence), seeded, so that the same data give the same figures.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

DRAWS = 200  # of the bootstrap; the ends of a 90 % interval then move by some 5 % of its width
BINS = 10  # of the reliability table, with as many outcomes each as can be
SEED = 20_260_601
SURE = 1e-4  # no chance is nearer to 0 or 1 than this

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Interval = tuple[float, float]


class Figure(msgspec.Struct, frozen=True):
    """A measure and its interval."""

    value: float
    interval: Interval


class Measured(msgspec.Struct, frozen=True):
    """One predictor. auc: 0.5 is chance, 1 perfect. The others: 0 is perfect.

    calibration_error: mean distance of chance and share over the bins of the reliability table. Chance alone makes some of it, in a
    bootstrap sample more than in the data: the figure lies low in its interval.
    """

    name: str
    auc: Figure
    log_loss: Figure
    brier: Figure
    calibration_error: Figure


class Bin(msgspec.Struct, frozen=True):
    """Outcomes with similar chances: how many, their mean chance, and the share that happened, with its interval."""

    outcomes: int
    chance: float
    share: float
    interval: Interval


class Drawn:
    """Outcomes, and how often each relationship is drawn in each bootstrap sample.

    Args:
        happened: 0 or 1 of each outcome; of both there is at least one.
        cluster: the number of its relationship, from 0.
        mass: the probability inside intervals.
    """

    def __init__(self, happened: Floats, cluster: Ints, mass: float) -> None:
        self.happened, self._cluster, self._mass = happened, cluster, mass
        clusters = int(cluster.max()) + 1
        drawn = np.random.default_rng(SEED).multinomial(clusters, np.full(clusters, 1.0 / clusters), size=DRAWS)
        self._times = np.vstack([np.ones(clusters), drawn]).astype(float)  # the first is the data as it is

    def measure(self, name: str, chance: Floats) -> Measured:
        """All measures of a predictor; ``chance`` of each outcome, 0 to 1."""
        p = np.clip(chance, SURE, 1.0 - SURE)
        y = self.happened
        return Measured(
            name,
            self._figure(self._auc(p)),
            self.mean(losses(p, y)),
            self.mean((p - y) ** 2),
            self._figure(self._calibration_error(p)),
        )

    def mean(self, values: Floats) -> Figure:
        """The mean of a value per outcome."""
        return self._figure(self._sums(values) / self._sums(np.ones_like(values)))

    def reliability(self, chance: Floats) -> tuple[Bin, ...]:
        """The reliability table."""
        bins = binned(chance)
        found = []
        for number in range(int(bins.max()) + 1):
            inside = (bins == number).astype(float)
            count = self._sums(inside)
            share = self._figure(self._sums(inside * self.happened) / np.maximum(count, 1.0))
            mean = float(chance[bins == number].mean())
            found.append(Bin(int(count[0]), round(mean, 4), share.value, share.interval))
        return tuple(found)

    def _sums(self, values: Floats) -> Floats:
        """Of the data, and of every draw."""
        per_cluster = np.bincount(self._cluster, values, minlength=self._times.shape[1])
        return self._times @ per_cluster

    def _auc(self, p: Floats) -> Floats:
        order = np.argsort(p, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(p[order]) > 0.0])
        cluster, y = self._cluster[order], self.happened[order]
        return np.array([_auc(times[cluster], y, starts) for times in self._times])

    def _calibration_error(self, p: Floats) -> Floats:
        bins, all_ = binned(p), self._sums(np.ones_like(p))
        off = np.zeros(len(all_))
        for number in range(int(bins.max()) + 1):
            off += np.abs(self._sums((bins == number) * (p - self.happened)))
        return off / all_

    def _figure(self, values: Floats) -> Figure:
        tail = (1.0 - self._mass) / 2.0
        low, high = np.nanquantile(values[1:], [tail, 1.0 - tail])
        return Figure(round(float(values[0]), 4), (round(float(low), 4), round(float(high), 4)))


def losses(chance: Floats, happened: Floats) -> Floats:
    """The log loss of each outcome."""
    p = np.clip(chance, SURE, 1.0 - SURE)
    return -(happened * np.log(p) + (1.0 - happened) * np.log1p(-p))


def binned(chance: Floats) -> Ints:
    """The number of each chance's bin, from 0; equal chances are in one bin."""
    edges = np.unique(np.quantile(chance, np.linspace(0.0, 1.0, BINS + 1))[1:-1])
    return np.unique(np.searchsorted(edges, chance, side="right"), return_inverse=True)[1].astype(np.int64)


def _auc(weight: Floats, y: Floats, starts: Ints) -> float:
    """The chance that one to whom it happened has the higher figure, ties counted half (Mann & Whitney 1947), of weighted outcomes."""
    good, bad = np.add.reduceat(weight * y, starts), np.add.reduceat(weight * (1.0 - y), starts)
    pairs = good.sum() * bad.sum()
    return float((good * (np.cumsum(bad) - bad / 2.0)).sum() / pairs) if pairs else float("nan")
