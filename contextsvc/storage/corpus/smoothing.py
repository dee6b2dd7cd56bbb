"""A sentence in its context: its vector, moved towards those of the sentences around it and of the title.

A sentence alone often does not name what it speaks of; the sentences around it do, and the title. So the
second stage compares a query not with the vector s_i of a sentence but with

    s'_i = c_i / |c_i|,    c_i = (1 - TITLE_SHARE) (sum over d from -REACH to REACH of KERNEL[d] s_{i+d})
                                 + TITLE_SHARE t,

where t is the vector of the document's title, and KERNEL gives the sentence itself `SHARE`, its neighbours
the rest, by a Gaussian of `SIGMA` sentences. Past an edge of the document its first or last sentence is
repeated, so that KERNEL always sums to 1. A document without a title has the sum alone.

No s' is stored. The product is linear up to the norm, and the norm does not depend on the query:

    q.s'_i = ((1 - TITLE_SHARE) (sum over d of KERNEL[d] q.s_{i+d}) + TITLE_SHARE q.t) / |c_i|

so an index keeps one number a sentence, |c_i|, and a query the similarities it has anyway.

Source: Gaussian smoothing, as of any signal; how it came to stand here is told in docs/decisions/0009.
"""

import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Float64Array

SHARE = 0.3
"""Of a sentence itself in its vector in context. Chosen with `SIGMA` on the half of the chunking benchmark's
questions that is there to tune on (`python -m benchmarks.chunking --part tune`). The norms in an index follow
from both: whoever changes one raises `generation.FORMAT`."""

SIGMA = 4
"""Standard deviation of the neighbours' weights, in sentences."""

REACH = 3 * SIGMA
"""Farthest neighbour that counts, in sentences: 3 standard deviations."""

SMALLEST_NORM = 1e-6
"""Vectors that cancel each other have no direction: below this the similarity is 0."""

TITLE_SHARE = 0.3
"""Of the title in the vector of a sentence in its context. Chosen on the tune half of the queries of
Cranfield, CACM, SciFact and HotpotQA (docs/decisions/0010); norms follow from it, too."""

TERMS_SHARE, TERMS_SIGMA = 0.6, 1
"""The same for terms shared with a query, between the chunks of a document; chosen where `SHARE` was."""

TERMS_REACH = 3 * TERMS_SIGMA
"""Farthest neighbour that counts, in chunks."""

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
"""(2 * REACH + 1,) float64: weight of the sentence d places on, for d from -REACH to REACH; sums to 1."""

TERMS_KERNEL = _kernel(TERMS_SHARE, TERMS_SIGMA)
"""(2 * TERMS_REACH + 1,) float64: the same of the chunk d places on."""


def context_norms(vectors: NDArray[np.floating], title: NDArray[np.floating] | None = None) -> Float32Array:
    """|c_i| of every sentence of one document.

    Args:
        vectors: (n, dim), in document order, as stored: norms must fit what a query is compared with.
        title: (dim,), as stored; None for a document without one.

    Returns:
        (n,) float32; for unit rows in [0, 1]. Sums are made row by row in one order, so that a norm depends
        on the neighbours alone, not on the length of the document or the block it is worked on in.

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
        both = np.empty_like(combined)  # one for all distances: making a new one is half of the time
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
    """q.s'_i of sentences, from similarities to their neighbours and titles and from their norms.

    Args:
        similarity: (n, 2 * REACH + 1): row i holds q.s_{i+d} for d from -REACH to REACH, edges repeated.
        titles: (n,): q.t of each sentence's title, NaN where there is none.
        norms: (n,) of `context_norms`.

    Returns:
        (n,), a cosine where q and the s are of length 1; 0 where the norm is below `SMALLEST_NORM`. Equal
        rows with equal norms give equal values, whatever stands beside them.

    Raises:
        ShapeError: the shapes are not as said.

    >>> half, one = np.full((1, len(KERNEL)), 0.5), np.ones(1, dtype=np.float32)
    >>> context_similarity(half, np.array([np.nan]), one).round(6).tolist()
    [0.5]
    """
    if similarity.shape != (len(norms), len(KERNEL)) or titles.shape != norms.shape:
        raise ShapeError(
            f"expected similarities of shape {len(norms), len(KERNEL)} and {len(norms)} titles, "
            f"found {similarity.shape} and {titles.shape}"
        )
    # Not a matrix product: its order of sums depends on the number of rows; equal sentences could differ.
    sums = (similarity * KERNEL).sum(axis=1)
    sums = np.where(np.isnan(titles), sums, (1 - TITLE_SHARE) * sums + TITLE_SHARE * titles)
    found: Float64Array = np.zeros(len(norms))
    np.divide(sums, norms, out=found, where=norms >= SMALLEST_NORM)
    return found


def context_terms(scores: Float64Array) -> Float64Array:
    """Scores by terms of chunks in their context: what a chunk does not name may stand in the one before it.

    Args:
        scores: (n, 2 * TERMS_REACH + 1): row i holds those of the chunks from TERMS_REACH before to
            TERMS_REACH after chunk i, edges repeated; not negative.

    Returns:
        (n,): their weighted means. A document of one chunk keeps its score.

    Raises:
        ShapeError: the shape is not as said.

    >>> context_terms(np.array([[0.0, 0, 0, 1, 0, 0, 0]])).round(6).tolist()
    [0.6]
    """
    if scores.ndim != 2 or scores.shape[1] != len(TERMS_KERNEL):
        raise ShapeError(f"expected scores of shape (n, {len(TERMS_KERNEL)}), found {scores.shape}")
    # Not a matrix product: its order of sums depends on the number of rows; equal chunks could differ.
    means: Float64Array = (scores * TERMS_KERNEL).sum(axis=1)
    return means
