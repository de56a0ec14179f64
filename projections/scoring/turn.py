"""The day a relationship turned: a CUSUM over what happened in it, held against its own past (Page 1954, *Continuous inspection schemes*).

Each touchpoint is a trial that went badly by some share b (0-1). While nothing changes, the mean of b in a dimension is q: the
relationship's own share so far, with a prior at the peers' mean. Had the odds of going badly become R times as high, the logarithm of the
likelihood ratio of a trial of weight w would be

    w (b ln R - ln(1 + (R - 1) q))

(the Bernoulli CUSUM of Reynolds & Stoumbos 1999, for shares too). Its sum never falls below 0; where it last left 0 is the day on which
it most likely turned, and where it reaches the limit is the day on which that can be seen. 1 / R in place of R finds turns for the better.
Of purchases the trial is the gap between two of them, R times as long (Gan 1994 for exponential gaps; here of the predictive distribution,
since the rate is learned too). Each dimension has its sums, and so have all of them together: a turn may be in one thing or in everything.

**The limit** is ln(2 trials a year / ``alarms``). With w at most 1 and q known, false alarms in one of the two come no oftener than one
in e ** limit trials (Lorden 1971), whatever the distribution of b. That bound is far from reached; with q to be learned and grave trials
weighing 2, relationships simulated so that nothing turns have at most one false alarm a year (``calibration/test_turn.py``).

O(1) a touchpoint. After a turn the past of what turned begins anew with what came since.
"""

from math import log, log1p
from typing import Literal, NamedTuple

import msgspec

from projections.scoring.evidence import DAY_US
from projections.scoring.policy import TurnPolicy

YEAR_US = 365 * DAY_US
GAPS, ALL = -1, -2  # streams: gaps between purchases, all together; the others are numbered as the dimensions
Direction = Literal["worse", "better"]


class Turn(msgspec.Struct, array_like=True, frozen=True):
    """A turn. since_us: the touchpoint at which it most likely began; seen_us: the one that made it sure; stream: in which it is seen."""

    direction: Direction
    since_us: int
    seen_us: int
    stream: int


class Run(msgspec.Struct, array_like=True):
    """One direction: the sum, the touchpoint at which it last left 0, and what was told since, by stream as in ``Stream.past``."""

    sum: float = 0.0
    since_us: int = 0
    told: dict[int, list[float]] = {}


class Stream(msgspec.Struct, array_like=True):
    """Trials of one dimension, gaps, or all. ``past``: [went badly, all] in trials; for gaps [purchases, days]."""

    past: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0])
    worse: Run = msgspec.field(default_factory=Run)
    better: Run = msgspec.field(default_factory=Run)


class Turning(msgspec.Struct, array_like=True):
    """All that is remembered of a relationship. ``trials``: how many there were, by weight; ``turn``: the newest."""

    streams: dict[int, Stream] = {}
    trials: float = 0.0
    first_us: int | None = None
    turn: Turn | None = None


class Trial(NamedTuple):
    """Something that happened in dimension ``number``: the share (0-1) of it that went badly, of ``weight`` events of evidence (> 0)."""

    number: int
    badly: float
    weight: float


def trial(turning: Turning, told: Trial, mean: float, at_us: int, policy: TurnPolicy) -> Turn | None:
    """Take one trial of a dimension; returns the turn if this one shows it.

    Args:
        turning: what is remembered; changed.
        told: of its weight at most ``weight_max`` counts.
        mean: the peers' mean level of the dimension (0-1).
        at_us: when it happened. One that comes late is counted as if it had happened after those before it.
        policy: odds, prior and false alarms.
    """
    number, badly, weight = told
    weight = min(policy.weight_max, weight)
    bad, all_ = _stream(turning, number).past
    if all_ < policy.learned:
        return _step(turning, (number, weight * badly, weight), None, at_us, policy)
    share = (bad + policy.prior_events * (1.0 - mean)) / (all_ + policy.prior_events)
    more, fewer = policy.odds, 1.0 / policy.odds
    gains = weight * (badly * log(more) - log1p((more - 1.0) * share)), weight * (badly * log(fewer) - log1p((fewer - 1.0) * share))
    return _step(turning, (number, weight * badly, weight), gains, at_us, policy)


def gap(turning: Turning, days: float, at_us: int, policy: TurnPolicy) -> Turn | None:
    """Take the days between two purchases, > 0, as a trial; as ``trial`` otherwise."""
    past = _stream(turning, GAPS).past
    if past[0] < policy.learned:
        return _step(turning, (GAPS, 1.0, days), None, at_us, policy)
    bought, more = past[0] + 1.0, policy.odds
    gains = bought * _lengthened(past, days, more) - log(more), bought * _lengthened(past, days, 1.0 / more) + log(more)
    return _step(turning, (GAPS, 1.0, days), gains, at_us, policy)


def silence(turning: Turning, days: float, moment_us: int, policy: TurnPolicy) -> Turn | None:
    """The turn for the worse that so many days without a purchase show at a moment, if they do; nothing is changed."""
    stream = turning.streams.get(GAPS)
    if stream is None or stream.past[0] < policy.learned:
        return None
    run = stream.worse
    found = run.sum + stream.past[0] * _lengthened(stream.past, days, policy.odds)
    if found < limit(turning, moment_us, policy):
        return None
    return Turn("worse", run.since_us if run.sum > 0.0 else moment_us - round(days * DAY_US), moment_us, GAPS)


def limit(turning: Turning, at_us: int, policy: TurnPolicy) -> float:
    """What a sum must reach."""
    years = 1.0 if turning.first_us is None else max(1.0, (at_us - turning.first_us) / YEAR_US)
    return log(2.0 * max(policy.trials_min, turning.trials / years) / policy.alarms)


def _lengthened(past: list[float], days: float, longer: float) -> float:
    """Ln of how much likelier each purchase of the past makes it that a gap has lasted so many days, had gaps become so much longer."""
    return log((past[1] + days) / (past[1] + days / longer))


def _step(
    turning: Turning, told: tuple[int, float, float], gains: tuple[float, float] | None, at_us: int, policy: TurnPolicy
) -> Turn | None:
    """Add what was told of a stream to the sums it counts in. ``gains``: for worse and for better; None where it only teaches."""
    number, one, other = told
    turning.trials += one if number == GAPS else other
    if turning.first_us is None:
        turning.first_us = at_us
    if gains is not None:
        bound = limit(turning, at_us, policy)
        for key in (number, ALL):
            stream = _stream(turning, key)
            directions: tuple[tuple[Direction, Run, float], ...] = (("worse", stream.worse, gains[0]), ("better", stream.better, gains[1]))
            for direction, run, gain in directions:
                if _run(run, gain, told, at_us) >= bound:
                    for turned, since in run.told.items():
                        turning.streams[turned] = Stream(since)
                    turning.streams[ALL] = Stream()
                    turning.turn = Turn(direction, run.since_us, at_us, key)
                    return turning.turn
    past = turning.streams[number].past
    past[0] += one
    past[1] += other
    return None


def _run(run: Run, gain: float, told: tuple[int, float, float], at_us: int) -> float:
    """Page's recursion; returns the sum."""
    total = run.sum + gain
    if total <= 0.0:
        run.sum = 0.0
        if run.told:
            run.told = {}
        return 0.0
    if run.sum == 0.0:
        run.since_us = at_us
    run.sum = total
    number, one, other = told
    found = run.told.get(number)
    if found is None:
        run.told[number] = [one, other]
    else:
        found[0] += one
        found[1] += other
    return total


def _stream(turning: Turning, number: int) -> Stream:
    found = turning.streams.get(number)
    if found is None:
        found = turning.streams[number] = Stream()
    return found
