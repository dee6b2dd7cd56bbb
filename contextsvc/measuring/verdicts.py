"""Verdicts from effects, the units that count as used, and the threshold of an effect.

A unit is live if its effect exceeds what chance does. Chance is measured with placebos: chunks of the same
index that have nothing to do with the query.
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
"""Percentage of placebos that stay below the threshold: one in twenty passes for live."""

CONFIDENCE = 0.95


def verdict_of(effect: float, target: float, eps: float) -> VerdictName:
    """Verdict from an effect: `live` above eps, `harmful` below -eps, else `dead`.

    The contribution to the target alone must have the same sign: a unit that makes the question likelier
    but not the target did not lead to it.

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
    """Verdict of each unit; near-duplicates are judged as a group.

    A unit of a live group is redundant if the others of the group can take its place: if its necessity is at
    most eps, or at most half the effect of the group. Half, because saying a thing twice makes it likelier,
    so that removing a copy always loses a little.

    Args:
        contributions: One a group, by number of group; a unit without near-duplicates is a group.
        necessities: Loss when each unit alone is left out.
        groups: The group of each unit.
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
    """Whether each unit counts as used: live units, and the first unit of a group with redundant units alone.

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
    """Threshold from placebo effects: 95 % of placebos stay below it, with 95 % confidence; at least 0.

    It is the upper tolerance limit, a rank of the sorted effects; the largest effect if there are fewer than
    59. Rejected: the 95th percentile itself. It is too low as often as too high, and then more than one new
    placebo in twenty passes for live; the tolerance limit is too low in one case of twenty.

    Args:
        placebo_effects: One a placebo, at least 20; nats a token, or likeness.
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
    """Smallest rank, from 1, that 95 % of placebos stay below with 95 % confidence; the last if none does."""
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
