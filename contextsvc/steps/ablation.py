"""Masks, effects, verdicts and the utilization score.

The share of a pack's tokens that materially influenced a text, found by taking chunks away:
a chunk whose removal lowers the text's likelihood by more than chance would is live. Chance is
measured too, with placebos: chunks of the same index that have nothing to do with the question.
"""

from collections.abc import Sequence

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.measurements import Threshold, VerdictName
from contextsvc.records import BoolArray, Float64Array
from contextsvc.steps.statistics import bootstrap

PERCENTILE = 95
"""A placebo passes for live in one case of twenty."""


def leave_one_out_masks(num_units: int) -> BoolArray:
    """(2 + num_units, num_units), True keeps: everything, nothing, then everything without unit i.

    >>> leave_one_out_masks(2).astype(int).tolist()
    [[1, 1], [0, 0], [0, 1], [1, 0]]
    """
    full = np.ones((1, num_units), dtype=np.bool_)
    return np.concatenate([full, ~full, ~np.eye(num_units, dtype=np.bool_)])


def verdict_of(effect: float, eps: float) -> VerdictName:
    """`live` above eps, `harmful` below -eps, else `dead`.

    >>> [verdict_of(effect, 0.2) for effect in (0.21, 0.2, -0.2, -0.21)]
    ['live', 'dead', 'dead', 'harmful']
    """
    if effect > eps:
        return "live"
    return "harmful" if effect < -eps else "dead"


def utilization_score(effects: Sequence[float], num_tokens: Sequence[int], gain: float, eps: float) -> float:
    """Tokens of live units over all tokens, in [0, 1].

    0 for a pack without tokens, and where the whole pack gains the target no more than eps: then
    the target does not depend on the context, and what single units seem to do is noise.

    >>> utilization_score([0.5, 0.1, -0.9], [30, 50, 20], gain=1.0, eps=0.2)
    0.3
    >>> utilization_score([0.5, 0.1, -0.9], [30, 50, 20], gain=0.2, eps=0.2)
    0.0
    """
    total = sum(num_tokens)
    if gain <= eps or not total:
        return 0.0
    return sum(n for effect, n in zip(effects, num_tokens, strict=True) if effect > eps) / total


def threshold_from(placebo_effects: Sequence[float], origin: str, seed: int) -> Threshold:
    """The effect that 95 of 100 placebos stay under, never negative, with its bootstrap interval.

    Args:
        placebo_effects: Nats a token, one a placebo; at least 20.
        origin: Where they were drawn, in words.
        seed: Of the bootstrap.

    Raises:
        ShapeError: fewer than 20 placebos: their 95th percentile would be their maximum.
    """
    effects = np.asarray(placebo_effects, dtype=np.float64)
    if len(effects) < 20:
        raise ShapeError(f"a threshold needs at least 20 placebos, found {len(effects)}")
    low, high = bootstrap(effects, _percentile, seed)
    eps = float(_percentile(effects[np.newaxis])[0])
    return Threshold(max(0.0, eps), max(0.0, low), max(0.0, high), len(effects), origin)


def _percentile(samples: Float64Array) -> Float64Array:
    result: Float64Array = np.percentile(samples, PERCENTILE, axis=1)
    return result
