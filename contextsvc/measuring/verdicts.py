"""Effects, verdicts, the tokens that count, and the threshold.

The share of a pack's tokens that materially influenced a text, found by taking chunks away:
a chunk that adds more to question and answer than chance would is live. Chance is
measured too, with placebos: chunks of the same index that have nothing to do with the question.
"""

import math
from collections.abc import Sequence

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.measuring.records import FEWEST_PLACEBOS, Threshold, VerdictName
from contextsvc.measuring.statistics import bootstrap
from contextsvc.measuring.trials import Contribution
from contextsvc.records.arrays import Float64Array

PERCENTILE = 95
"""A placebo passes for live in one case of twenty."""

CONFIDENCE = 0.95


def verdict_of(effect: float, target: float, eps: float) -> VerdictName:
    """`live` above eps, `harmful` below -eps, else `dead`; the target itself must move the same way.

    Args:
        effect: On question and target together.
        target: On the target alone: what makes a question likelier but not its answer did not lead to it.
        eps: Threshold of an effect.

    >>> [verdict_of(effect, effect, 0.2) for effect in (0.21, 0.2, -0.2, -0.21)]
    ['live', 'dead', 'dead', 'harmful']
    >>> [verdict_of(0.3, 0.0, 0.2), verdict_of(-0.3, 0.1, 0.2)]
    ['dead', 'dead']
    """
    if effect > eps and target > 0:
        return "live"
    return "harmful" if effect < -eps and target < 0 else "dead"


def verdicts_of(
    found: Sequence[Contribution], necessities: Sequence[float], groups: Sequence[int], eps: float
) -> list[VerdictName]:
    """One verdict a unit.

    A unit of a live group of near-duplicates is redundant if the others stand in for it: without it
    no more is lost than eps, or than half the group's effect. The half, because saying a thing twice
    makes it likelier, so that a copy is missed a little.

    Args:
        found: What each group adds, by number of group; a lone unit is a group.
        necessities: What is lost when each unit alone goes.
        groups: The group of each unit.
        eps: Threshold of an effect.

    >>> verdicts_of([Contribution(2.0, 2.0), Contribution(0.0, 0.0)], [0.9, 0.1, 0.0], [0, 0, 1], eps=0.2)
    ['redundant', 'redundant', 'dead']
    """
    names = [verdict_of(found[group].effect, found[group].target, eps) for group in groups]
    return [
        "redundant"
        if name == "live" and groups.count(group) > 1 and necessity <= max(eps, found[group].effect / 2)
        else name
        for name, group, necessity in zip(names, groups, necessities, strict=True)
    ]


def counted(verdicts: Sequence[VerdictName], groups: Sequence[int]) -> list[bool]:
    """Which units count as used: the live ones, and the first of each group that is redundant throughout.

    >>> counted(["redundant", "redundant", "live", "dead"], [0, 0, 1, 2])
    [True, False, True, False]
    """
    stood_for = {group for group, verdict in zip(groups, verdicts, strict=True) if verdict == "live"}
    found = []
    for group, verdict in zip(groups, verdicts, strict=True):
        first = verdict == "redundant" and group not in stood_for
        if first:
            stood_for.add(group)
        found.append(first or verdict == "live")
    return found


def threshold_from(
    placebo_effects: Sequence[float], origin: str, seed: int, calibrated: bool = False
) -> Threshold:
    """The effect that 95 of 100 placebos stay under, with 95 % confidence; never negative.

    The percentile of the placebos that were drawn is too low as often as too high, and then more than
    one fresh placebo in twenty passes for live; the upper tolerance limit is too low in one case of
    twenty. Of fewer than 59 placebos it is the largest. The interval is the percentile's, by
    bootstrap, and holds the threshold.

    Args:
        placebo_effects: Nats a token, one a placebo; at least 20.
        origin: Where they were drawn, in words.
        seed: Of the bootstrap.
        calibrated: They were drawn in the generation that is measured.

    Raises:
        ShapeError: fewer than 20 placebos.

    Source: Wilks, Annals of Mathematical Statistics 12(1), 1941 (distribution-free tolerance limits).
    """
    effects = np.asarray(placebo_effects, dtype=np.float64)
    if len(effects) < FEWEST_PLACEBOS:
        raise ShapeError(f"a threshold needs at least {FEWEST_PLACEBOS} placebos, found {len(effects)}")
    low, high = bootstrap(effects, _percentile, seed)
    eps = float(np.sort(effects)[_tolerance_rank(len(effects)) - 1])
    eps, low, high = (max(0.0, end) for end in (eps, min(low, eps), max(high, eps)))
    return Threshold(eps, low, high, len(effects), origin, calibrated)


def _tolerance_rank(num: int) -> int:
    """The smallest rank whose effect at least 95 % stay under with 95 % confidence, else the last."""
    share, below = PERCENTILE / 100, 0.0
    for rank in range(1, num):
        below += math.comb(num, rank - 1) * share ** (rank - 1) * (1 - share) ** (num - rank + 1)
        if below >= CONFIDENCE:
            return rank
    return num


def _percentile(samples: Float64Array) -> Float64Array:
    result: Float64Array = np.percentile(samples, PERCENTILE, axis=1)
    return result
