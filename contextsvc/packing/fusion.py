"""Fusion: combine several signals of the same chunks into one score."""

from collections.abc import Sequence

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float64Array, Int64Array
from contextsvc.records.packs import Ranking


def pool_candidates(rankings: Sequence[Ranking]) -> Int64Array:
    """Return the ids that are in any of the rankings, each once, in ascending order."""
    found = [ranking.ids for ranking in rankings]
    return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)


def share_of_best(scores: Float64Array) -> Float64Array:
    """Divide scores by the greatest score. If the greatest score is 0, all results are 0.

    It is meant for scores that are not negative and have no known upper bound.

    Two alternatives were rejected, because both ranked worse beside plain cosines on Cranfield and CACM:
    min-max scaling over the candidates, and dividing by the greatest BM25 score that any chunk could reach
    (docs/decisions/0003-scores.md).

    >>> share_of_best(np.array([2.0, 8.0, 0.0])).tolist()
    [0.25, 1.0, 0.0]
    """
    best = scores.max(initial=0.0)
    return scores / best if best > 0 else np.zeros_like(scores)


def clip_similarity(similarity: Float64Array) -> Float64Array:
    """Clip cosines to [0, 1], so that they serve as signals. Negative cosines become 0."""
    return np.clip(similarity, 0.0, 1.0)


def convex_fusion(signals: Sequence[Float64Array], weights: Sequence[float]) -> Float64Array:
    """Compute the weighted mean of signals that each lie in [0, 1].

    The mean is rounded to 1e-6, so that scores that differ only by rounding errors are ties. Fusion of ranks
    was rejected, because it loses the distances between scores.

    Args:
        signals: The signals, each (num_chunks,), for the same chunks in the same order.
        weights: One weight per signal. No weight is negative, and at least one is positive.

    Returns:
        (num_chunks,) in [0, 1].

    Raises:
        ShapeError: lengths differ, a weight is negative, or all weights are 0.

    Source: Bruch, Gai, Ingber, TOIS 2023, section 3. https://arxiv.org/abs/2210.11934

    >>> convex_fusion([np.array([1.0, 0.0]), np.array([0.5, 1.0])], [3, 1]).tolist()
    [0.875, 0.25]
    """
    if len(signals) != len(weights) or len({signal.shape for signal in signals}) > 1:
        raise ShapeError(f"{len(weights)} weights for signals of shapes {[s.shape for s in signals]}")
    if not weights or min(weights) < 0 or sum(weights) <= 0:
        raise ShapeError(f"expected weights that are not negative and not all zero, found {list(weights)}")
    total = sum(weights)
    fused = np.zeros_like(signals[0])
    for signal, weight in zip(signals, weights, strict=True):
        fused += weight / total * signal
    result: Float64Array = np.round(fused, 6)
    return result


def best_first(scores: Float64Array, ids: Int64Array) -> Int64Array:
    """Return the row numbers in order of their scores, best first. Of equal scores, the lower id is first."""
    return np.lexsort((ids, -scores)).astype(np.int64)
