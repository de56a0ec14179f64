"""Random games, and the gains of a deal worked out without the code under test."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec

from projections.deals.evaluate import Evaluation, evaluate
from projections.deals.proposal import Proposal, decode
from tests.projections.events import MODELS

Game = list[dict[str, Any]]
"""Issues as in a negotiation's opening; all weights and both sides' numbers given."""


def proposal(issues: Sequence[dict[str, Any]], terms: dict[str, float]) -> Proposal:
    return decode(msgspec.json.encode({"issues": issues, "terms": terms}))


def judged(issues: Sequence[dict[str, Any]], terms: dict[str, float]) -> Evaluation:
    return evaluate(proposal(issues, terms), MODELS["customer"])


def small_game(rng: random.Random) -> tuple[Game, dict[str, float]]:
    """Three issues of one to four options, and a deal among them. Coarse values make ties and no-zone games common."""
    issues = []
    for number in range(3):
        ours, theirs = rng.sample(range(11), 2), rng.sample(range(11), 2)
        if rng.random() < 0.8 and (ours[0] - ours[1]) * (theirs[0] - theirs[1]) > 0:
            theirs.reverse()  # most often they want the opposite
        options = rng.sample(range(11), rng.randint(1, 4)) if rng.random() < 0.5 else [rng.uniform(0, 10) for _ in range(rng.randint(1, 4))]
        issues.append(_issue(number, ours, theirs, rng, options=options))
    return issues, {issue["issue"]: rng.choice(issue["options"]) for issue in issues}


def continuous_game(rng: random.Random, count: int) -> tuple[Game, dict[str, float]]:
    """Issues without options, each with a zone, a tenth of them wanted the same way by both; and a deal in their zones."""
    issues = []
    for number in range(count):
        ours = [rng.uniform(-5, 5), rng.uniform(10, 20)]
        theirs = [rng.uniform(12, 25), rng.uniform(-3, 8)]  # target and walk-away: their walk-away is below ours
        if rng.random() < 0.1:
            theirs.reverse()
        if rng.random() < 0.5:
            ours, theirs = [-value for value in ours], [-value for value in theirs]
        issues.append(_issue(number, ours, theirs, rng))
    return issues, {issue["issue"]: rng.uniform(*zone(issue)) for issue in issues}


def _issue(number: int, ours: Sequence[float], theirs: Sequence[float], rng: random.Random, **more: Any) -> dict[str, Any]:
    sides = {side: {"target": target, "reservation": reservation} for side, (target, reservation) in (("ours", ours), ("theirs", theirs))}
    weights = {"weight_ours": rng.randint(1, 9), "weight_theirs": rng.randint(1, 9)}
    return {"issue": f"issue {number}", **sides, **weights, **more}


def zone(issue: dict[str, Any]) -> tuple[float, float]:
    """The values both sides would take, up to the further target."""
    values = [issue[side][end] for side in ("ours", "theirs") for end in ("target", "reservation")]
    low, high = min(values), max(values)
    for side in ("ours", "theirs"):
        if issue[side]["target"] > issue[side]["reservation"]:
            low = max(low, issue[side]["reservation"])
        else:
            high = min(high, issue[side]["reservation"])
    return low, high


def gain(issues: Sequence[dict[str, Any]], side: str, values: Sequence[float]) -> float:
    """One side's gain, by the formula of the manual."""
    total: float = sum(issue[f"weight_{side}"] for issue in issues)
    gained = 0.0
    for issue, value in zip(issues, values, strict=True):
        target, reservation = issue[side]["target"], issue[side]["reservation"]
        gained += issue[f"weight_{side}"] / total * (value - reservation) / (target - reservation)
    return gained


def swapped(issues: Sequence[dict[str, Any]]) -> Game:
    """The same game from the other side's chair."""
    other = {"ours": "theirs", "theirs": "ours", "weight_ours": "weight_theirs", "weight_theirs": "weight_ours"}
    return [{other.get(name, name): value for name, value in issue.items()} for issue in issues]
