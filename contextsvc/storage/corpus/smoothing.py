"""Smoothing: the vector of a sentence in context is a mean of the sentence, its neighbours and the title.

A sentence alone often does not name its subject, but the sentences around it and the title do. Therefore the
second stage of a search does not compare a query with the vector s_i of a sentence, but with

    s'_i = c_i / |c_i|,    c_i = (1 - TITLE_SHARE) (sum over d from -REACH to REACH of KERNEL[d] s_{i+d})
                                 + TITLE_SHARE t,

where t is the vector of the document's title. KERNEL gives the weight `SHARE` to the sentence itself. The
neighbours share the remaining weight, by a Gaussian with a standard deviation of `SIGMA` sentences. Beyond
the beginning or the end of the document, its first or last sentence is repeated, so that all of KERNEL is
used. In a document without a title, c_i is the sum over d alone, with weight 1.

The vectors s'_i are not stored. Their product with a query q is linear except for the norm |c_i|, which does
not depend on the query:

    q.s'_i = ((1 - TITLE_SHARE) (sum over d of KERNEL[d] q.s_{i+d}) + TITLE_SHARE q.t) / |c_i|

Therefore an index stores one number |c_i| per sentence. A search computes the other factors anyway.

Source: Gaussian smoothing of a signal. docs/decisions/0009 says why it is used here.
"""

import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Float64Array

SHARE = 0.3
"""Weight of the sentence itself in its vector in context. `SHARE` and `SIGMA` were chosen together on the
tuning half of the questions of the chunking benchmark (`python -m benchmarks.chunking --part tune`). The
norms in an index depend on both numbers, so a change of one needs a new `generation.FORMAT`."""

SIGMA = 4
"""Standard deviation of the weights of neighbours, in sentences."""

REACH = 3 * SIGMA
"""Distance of the farthest neighbour, in sentences: 3 standard deviations."""

SMALLEST_NORM = 1e-6
"""Norm below which the similarity is 0, because vectors that cancel each other have no direction."""

TITLE_SHARE = 0.3
"""Weight of the title in the vector of a sentence in context. It was chosen on the tuning half of the queries
of Cranfield, CACM, SciFact and HotpotQA (docs/decisions/0010). The norms in an index depend on this number,
too."""

TERMS_SHARE, TERMS_SIGMA = 0.6, 1
"""Weight of a chunk itself, and standard deviation in chunks, for the smoothing of lexical scores. Both were
chosen on the same questions as `SHARE`."""

TERMS_REACH = 3 * TERMS_SIGMA
"""Distance of the farthest neighbour, in chunks."""

_BLOCK_ROWS = 1024


def _kernel(share: float, sigma: int) -> Float64Array:
    reach = 3 * sigma
    distances = np.arange(-reach, reach + 1)
    weights = np.exp(-(distances**2) / (2 * sigma**2))
    weights[reach] = 0.0
    weights *= (1 - share) / weights.sum()
    weights[reach] = share
    return np.asarray(weights, dtype=np.float64)


KERNEL = _kernel(SHARE, SIGMA)
"""Weight of the sentence at each distance d from -REACH to REACH: (2 * REACH + 1,) float64. The sum is 1."""

TERMS_KERNEL = _kernel(TERMS_SHARE, TERMS_SIGMA)
"""Weight of the chunk at each distance from -TERMS_REACH to TERMS_REACH: (2 * TERMS_REACH + 1,) float64. The
sum is 1."""


def context_norms(vectors: NDArray[np.floating], title: NDArray[np.floating] | None = None) -> Float32Array:
    """Compute the norm |c_i| of every sentence of one document (see the module).

    Args:
        vectors: Vectors of the document's sentences, in order: (n, dim). The values must be the stored ones
            (float16), because queries are compared with these.
        title: Stored vector of the title: (dim,). None for a document without a title.

    Returns:
        (n,) float32, in [0, 1] if the vectors have length 1. All rows are summed in the same order, so a
        norm depends only on the title, the sentence and its neighbours, not on the length of the document.

    Raises:
        ShapeError: `vectors` does not have two dimensions.
    """
    if vectors.ndim != 2:
        raise ShapeError(f"expected vectors of shape (n, dim), found {vectors.shape}")
    num = len(vectors)
    norms = np.empty(num, dtype=np.float32)
    for start in range(0, num, _BLOCK_ROWS):
        end = min(start + _BLOCK_ROWS, num)
        around = np.clip(np.arange(start - REACH, end + REACH), 0, num - 1)
        wide = vectors[around].astype(np.float64)
        size = end - start
        combined = SHARE * wide[REACH : REACH + size]
        both = np.empty_like(combined)  # reused for all distances: allocation would take half of the time
        for distance in range(1, REACH + 1):
            before = wide[REACH - distance : REACH - distance + size]
            after = wide[REACH + distance : REACH + distance + size]
            np.add(before, after, out=both)
            np.multiply(both, KERNEL[REACH + distance], out=both)
            combined += both
        if title is not None:
            combined *= 1 - TITLE_SHARE
            combined += TITLE_SHARE * title.astype(np.float64)
        norms[start:end] = np.sqrt((combined * combined).sum(axis=1))
    return norms


def context_similarity(similarity: Float64Array, titles: Float64Array, norms: Float32Array) -> Float64Array:
    """Compute the similarity q.s'_i of a query with sentences in context (see the module).

    Args:
        similarity: Similarities with the neighbours: (n, 2 * REACH + 1). Row i holds q.s_{i+d} for d from
            -REACH to REACH. Beyond an end of the document, its first or last sentence is repeated.
        titles: Similarity q.t with the title of each sentence's document: (n,). NaN if there is no title.
        norms: Norms of the sentences from `context_norms`: (n,).

    Returns:
        (n,) similarities. They are cosines if q, t and all s have length 1. The value is 0 if the norm is
        below `SMALLEST_NORM`. Equal rows with equal norms give equal values, also in different calls.

    Raises:
        ShapeError: an array has another shape.

    >>> half, one = np.full((1, len(KERNEL)), 0.5), np.ones(1, dtype=np.float32)
    >>> context_similarity(half, np.array([np.nan]), one).round(6).tolist()
    [0.5]
    """
    if similarity.shape != (len(norms), len(KERNEL)) or titles.shape != norms.shape:
        raise ShapeError(
            f"expected similarities of shape {len(norms), len(KERNEL)} and {len(norms)} titles, "
            f"found {similarity.shape} and {titles.shape}"
        )
    # Rejected: a matrix product. Its order of sums depends on the number of rows, so equal rows could differ.
    sums = (similarity * KERNEL).sum(axis=1)
    sums = np.where(np.isnan(titles), sums, (1 - TITLE_SHARE) * sums + TITLE_SHARE * titles)
    found: Float64Array = np.zeros(len(norms))
    np.divide(sums, norms, out=found, where=norms >= SMALLEST_NORM)
    return found


def context_terms(scores: Float64Array) -> Float64Array:
    """Compute lexical scores of chunks in context: each chunk gets a share of the scores of its neighbours.

    Args:
        scores: Scores of the neighbours, not negative: (n, 2 * TERMS_REACH + 1). Row i holds the scores of
            the chunks from TERMS_REACH before to TERMS_REACH after chunk i. Beyond an end of the document,
            its first or last chunk is repeated.

    Returns:
        (n,) weighted means of the rows. If a document has only one chunk, the chunk keeps its score.

    Raises:
        ShapeError: the array has another shape.

    >>> context_terms(np.array([[0.0, 0, 0, 1, 0, 0, 0]])).round(6).tolist()
    [0.6]
    """
    if scores.ndim != 2 or scores.shape[1] != len(TERMS_KERNEL):
        raise ShapeError(f"expected scores of shape (n, {len(TERMS_KERNEL)}), found {scores.shape}")
    # Rejected: a matrix product. Its order of sums depends on the number of rows, so equal rows could vary.
    means: Float64Array = (scores * TERMS_KERNEL).sum(axis=1)
    return means
