"""Derive verdicts from effects, find the used units, and compute the threshold of an effect.

A unit is a chunk or a sentence that can be removed. The target is the text whose likelihood is measured. A
unit is live if its effect is larger than effects by chance. Chance is measured with placebos: unrelated
chunks of the same index that are put into the pack as a control.
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
"""Percentage of placebos that stay below the threshold. The other placebos are wrongly called live."""

CONFIDENCE = 0.95


def verdict_of(effect: float, target: float, eps: float) -> VerdictName:
    """Return the verdict of an effect: `live` above eps, `harmful` below -eps, else `dead`.

    For `live` and `harmful` the contribution to the target alone must have the same sign as the effect. A
    unit that makes the question likelier but not the target did not lead to the target.

    Args:
        effect: Contribution to question and target together.
        target: Contribution to the target alone.
        eps: Threshold of an effect, at least 0.

    >>> [verdict_of(effect, effect, 0.2) for effect in (0.21, 0.2, -0.2, -0.21)]
    ['live', 'dead', 'dead', 'harmful']
    >>> [verdict_of(0.3, 0.0, 0.2), verdict_of(-0.3, 0.1, 0.2)]
    ['dead', 'dead']
    """
    if effect > eps and target > 0:
        return "live"
    return "harmful" if effect < -eps and target < 0 else "dead"


def verdicts_of(
    contributions: Sequence[Contribution], necessities: Sequence[float], groups: Sequence[int], eps: float
) -> list[VerdictName]:
    """Return the verdict of each unit. Near-duplicates are judged as a group.

    A unit of a live group is redundant if the other units of the group can replace it. This is so if its
    necessity is at most eps, or at most half the effect of the group. Half the effect is allowed because
    stating something twice makes the target likelier, so removing one copy always loses a little.

    Args:
        contributions: One contribution per group, by the number of the group. A unit without near-duplicates
            is a group of its own.
        necessities: How much question and target together lose when each unit alone is left out.
        groups: Number of the group of each unit.
        eps: Threshold of an effect, at least 0.

    >>> verdicts_of([Contribution(2.0, 2.0), Contribution(0.0, 0.0)], [0.9, 0.1, 0.0], [0, 0, 1], eps=0.2)
    ['redundant', 'redundant', 'dead']
    """
    names = [verdict_of(contributions[group].effect, contributions[group].target, eps) for group in groups]
    return [
        "redundant"
        if name == "live"
        and groups.count(group) > 1
        and necessity <= max(eps, contributions[group].effect / 2)
        else name
        for name, group, necessity in zip(names, groups, necessities, strict=True)
    ]


def used_units(verdicts: Sequence[VerdictName], groups: Sequence[int]) -> list[bool]:
    """Return for each unit whether it counts as used.

    Live units count as used. In a group without a live unit, the first redundant unit counts as used.

    >>> used_units(["redundant", "redundant", "live", "dead"], [0, 0, 1, 2])
    [True, False, True, False]
    """
    represented = {group for group, verdict in zip(groups, verdicts, strict=True) if verdict == "live"}
    used = []
    for group, verdict in zip(groups, verdicts, strict=True):
        represents = verdict == "redundant" and group not in represented
        if represents:
            represented.add(group)
        used.append(represents or verdict == "live")
    return used


def threshold_from(
    placebo_effects: Sequence[float], origin: str, seed: int, calibrated: bool = False
) -> Threshold:
    """Compute a threshold that, with 95 % confidence, at least 95 % of placebos stay below.

    The threshold is the upper tolerance limit of the placebo effects: the effect at a certain rank of the
    sorted effects. With fewer than 59 placebos it is the largest effect. A negative limit becomes 0.

    Rejected: the 95th percentile of the effects. It is too low about as often as too high, and whenever it is
    too low, more than one new placebo in twenty is called live. The tolerance limit is too low in one case of
    twenty.

    Args:
        placebo_effects: One effect per placebo, at least 20. The unit is nats per token, or likeness.
        origin: Where the placebos were drawn, in words.
        seed: Seed of the bootstrap of the 95th percentile, from which `low` and `high` come.
        calibrated: Whether the placebos were drawn in the generation that is measured.

    Raises:
        ShapeError: there are fewer than 20 placebos.

    Source: Wilks, Annals of Mathematical Statistics 12(1), 1941 (distribution-free tolerance limits).
    """
    effects = np.asarray(placebo_effects, dtype=np.float64)
    if len(effects) < FEWEST_PLACEBOS:
        raise ShapeError(f"a threshold needs at least {FEWEST_PLACEBOS} placebos, found {len(effects)}")
    low, high = bootstrap(effects, _percentile, seed)
    eps = float(np.sort(effects)[_tolerance_rank(len(effects)) - 1])
    return Threshold(
        eps=max(0.0, eps),
        low=max(0.0, min(low, eps)),
        high=max(0.0, high, eps),
        num_placebos=len(effects),
        origin=origin,
        calibrated=calibrated,
    )


def _tolerance_rank(num_placebos: int) -> int:
    """Return the rank of the tolerance limit among sorted effects, counted from 1.

    It is the smallest rank such that, with 95 % confidence, 95 % of placebos stay below the effect of this
    rank. If no rank is high enough, it is the last rank.
    """
    share, below = PERCENTILE / 100, 0.0
    for rank in range(1, num_placebos):
        chosen = math.comb(num_placebos, rank - 1)
        below += chosen * share ** (rank - 1) * (1 - share) ** (num_placebos - rank + 1)
        if below >= CONFIDENCE:
            return rank
    return num_placebos


def _percentile(samples: Float64Array) -> Float64Array:
    result: Float64Array = np.percentile(samples, PERCENTILE, axis=1)
    return result
