"""Smoothing: the vector of a sentence in context, a mean of the sentence, its neighbours and the title.

A sentence alone often does not name its subject; the sentences around it and the title do. So the second
stage compares a query not with the vector s_i of a sentence but with

    s'_i = c_i / |c_i|,    c_i = (1 - TITLE_SHARE) (sum over d from -REACH to REACH of KERNEL[d] s_{i+d})
                                 + TITLE_SHARE t,

where t is the vector of the document's title. KERNEL gives `SHARE` to the sentence itself and the rest to its
neighbours, by a Gaussian of `SIGMA` sentences. Past an edge of the document its first or last sentence is
repeated, so that KERNEL always sums to 1. A document without a title has the sum alone.

No s' is stored. The product is linear except for the norm, and the norm does not depend on the query:

    q.s'_i = ((1 - TITLE_SHARE) (sum over d of KERNEL[d] q.s_{i+d}) + TITLE_SHARE q.t) / |c_i|

so an index stores one number for each sentence, |c_i|, and a query uses similarities that it needs anyway.

Source: Gaussian smoothing of a signal; docs/decisions/0009 tells why it is used here.
"""

import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Float64Array

SHARE = 0.3
"""Weight of a sentence itself in its vector in context. Chosen together with `SIGMA` on the tuning half of
the questions of the chunking benchmark (`python -m benchmarks.chunking --part tune`). The norms in an index
depend on both: a change of one needs a new `generation.FORMAT`."""

SIGMA = 4
"""Standard deviation of the weights of neighbours, in sentences."""

REACH = 3 * SIGMA
"""Distance of the farthest neighbour, in sentences: 3 standard deviations."""

SMALLEST_NORM = 1e-6
"""Vectors that cancel each other have no direction: below this norm the similarity is 0."""

TITLE_SHARE = 0.3
"""Weight of the title in the vector of a sentence in context. Chosen on the tuning half of the queries of
Cranfield, CACM, SciFact and HotpotQA (docs/decisions/0010). The norms depend on it, too."""

TERMS_SHARE, TERMS_SIGMA = 0.6, 1
"""The same for lexical scores of the chunks of a document; chosen on the same questions as `SHARE`."""

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
"""(2 * REACH + 1,) float64: weight of the sentence at distance d, for d from -REACH to REACH; sums to 1."""

TERMS_KERNEL = _kernel(TERMS_SHARE, TERMS_SIGMA)
"""(2 * TERMS_REACH + 1,) float64: weight of the chunk at distance d; sums to 1."""


def context_norms(vectors: NDArray[np.floating], title: NDArray[np.floating] | None = None) -> Float32Array:
    """Return |c_i| of every sentence of one document.

    Args:
        vectors: (n, dim), in document order, with stored values, because queries are compared with these.
        title: (dim,), with stored values; None for a document without a title.

    Returns:
        (n,) float32; in [0, 1] for unit rows. A norm depends on the neighbours alone, not on the length of
        the document or on the block: each row is summed in the same order.

    Raises:
        ShapeError: not (n, dim).
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
        both = np.empty_like(combined)  # one for all distances: a new one each time takes half of the time
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
    """Return q.s'_i of sentences from the similarities of their neighbours and titles, and their norms.

    Args:
        similarity: (n, 2 * REACH + 1): row i holds q.s_{i+d} for d from -REACH to REACH, edges repeated.
        titles: (n,): q.t of each sentence's title, NaN for no title.
        norms: (n,) of `context_norms`.

    Returns:
        (n,): the cosine if q and all s have length 1; 0 if the norm is below `SMALLEST_NORM`. Equal rows with
        equal norms give equal values, also in another batch.

    Raises:
        ShapeError: the shapes differ from these.

    >>> half, one = np.full((1, len(KERNEL)), 0.5), np.ones(1, dtype=np.float32)
    >>> context_similarity(half, np.array([np.nan]), one).round(6).tolist()
    [0.5]
    """
    if similarity.shape != (len(norms), len(KERNEL)) or titles.shape != norms.shape:
        raise ShapeError(
            f"expected similarities of shape {len(norms), len(KERNEL)} and {len(norms)} titles, "
            f"found {similarity.shape} and {titles.shape}"
        )
    # Not a matrix product: its order of sums depends on the number of rows, so equal sentences could differ.
    sums = (similarity * KERNEL).sum(axis=1)
    sums = np.where(np.isnan(titles), sums, (1 - TITLE_SHARE) * sums + TITLE_SHARE * titles)
    found: Float64Array = np.zeros(len(norms))
    np.divide(sums, norms, out=found, where=norms >= SMALLEST_NORM)
    return found


def context_terms(scores: Float64Array) -> Float64Array:
    """Return lexical scores of chunks in context: a chunk gets a part of the scores of its neighbours.

    Args:
        scores: (n, 2 * TERMS_REACH + 1), not negative: row i holds the scores of the chunks from TERMS_REACH
            before to TERMS_REACH after chunk i, edges repeated.

    Returns:
        (n,): weighted means of the rows. The chunk of a document of one chunk keeps its score.

    Raises:
        ShapeError: the shape differs from this.

    >>> context_terms(np.array([[0.0, 0, 0, 1, 0, 0, 0]])).round(6).tolist()
    [0.6]
    """
    if scores.ndim != 2 or scores.shape[1] != len(TERMS_KERNEL):
        raise ShapeError(f"expected scores of shape (n, {len(TERMS_KERNEL)}), found {scores.shape}")
    # Not a matrix product: its order of sums depends on the number of rows, so equal chunks could differ.
    means: Float64Array = (scores * TERMS_KERNEL).sum(axis=1)
    return means
