"""Fusion: several signals of the same chunks become one score."""

from collections.abc import Sequence

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float64Array, Int64Array
from contextsvc.records.packs import Ranking


def pool_candidates(rankings: Sequence[Ranking]) -> Int64Array:
    """Ids in any of the rankings, ascending, each once."""
    found = [ranking.ids for ranking in rankings]
    return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)


def share_of_best(scores: Float64Array) -> Float64Array:
    """Scores divided by the greatest one, for scores that are not negative and have no known bound.

    All are 0 if the greatest is 0.

    Rejected on Cranfield and CACM: min-max over the candidates, and dividing by the greatest BM25 any
    chunk could reach; both ranked worse beside plain cosines (docs/decisions/0003-scores.md).

    >>> share_of_best(np.array([2.0, 8.0, 0.0])).tolist()
    [0.25, 1.0, 0.0]
    """
    best = scores.max(initial=0.0)
    return scores / best if best > 0 else np.zeros_like(scores)


def clip_similarity(similarity: Float64Array) -> Float64Array:
    """Cosines as signals in [0, 1]: negative ones count as 0."""
    return np.clip(similarity, 0.0, 1.0)


def convex_fusion(signals: Sequence[Float64Array], weights: Sequence[float]) -> Float64Array:
    """Weighted mean of signals that each lie in [0, 1], rounded to 1e-6 so that ties are ties.

    Rejected: fusion of ranks, which loses the distances between scores.

    Args:
        signals: One per source of evidence, each (num_chunks,), of the same chunks.
        weights: One per signal, not negative, at least one positive.

    Returns:
        (num_chunks,) in [0, 1].

    Raises:
        ShapeError: lengths differ, a weight is negative, or all are 0.

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
    """Row numbers by score, best first; of equal scores the lower id first."""
    return np.lexsort((ids, -scores)).astype(np.int64)
