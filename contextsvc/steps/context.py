"""A sentence in its context: its vector, moved towards those of the sentences around it.

A sentence alone often does not name what it speaks of; the sentences around it do. So the second stage
compares a query not with the vector s_i of a sentence but with

    s'_i = c_i / |c_i|,    c_i = sum over d from -REACH to REACH of KERNEL[d] s_{i+d},

where KERNEL gives the sentence itself `SHARE`, its neighbours the rest, by a Gaussian of `SIGMA` sentences.
Past an edge of the document its first or last sentence is repeated, so that KERNEL always sums to 1.

No s' is stored. The product is linear up to the norm, and the norm does not depend on the query:

    q.s'_i = (sum over d of KERNEL[d] q.s_{i+d}) / |c_i|

so an index keeps one number a sentence, |c_i|, and a query the similarities it has anyway.

Source: Gaussian smoothing, as of any signal; how it came to stand here is told in docs/decisions/0009.
"""

import numpy as np
from numpy.typing import NDArray

from contextsvc.errors import ShapeError
from contextsvc.records import Float32Array, Float64Array

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

_BLOCK_ROWS = 1024


def _kernel() -> Float64Array:
    distances = np.arange(-REACH, REACH + 1)
    weights = np.exp(-(distances**2) / (2 * SIGMA**2))
    weights[REACH] = 0.0
    weights *= (1 - SHARE) / weights.sum()
    weights[REACH] = SHARE
    return np.asarray(weights, dtype=np.float64)


KERNEL = _kernel()
"""(2 * REACH + 1,) float64: weight of the sentence d places on, for d from -REACH to REACH; sums to 1."""


def context_norms(vectors: NDArray[np.floating]) -> Float32Array:
    """|c_i| of every sentence of one document.

    Args:
        vectors: (n, dim), in document order, as stored: norms must fit what a query is compared with.

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
        norms[start:end] = np.sqrt((combined * combined).sum(axis=1))
    return norms


def context_similarity(similarity: Float64Array, norms: Float32Array) -> Float64Array:
    """q.s'_i of sentences, from similarities to their neighbours and from their norms.

    Args:
        similarity: (n, 2 * REACH + 1): row i holds q.s_{i+d} for d from -REACH to REACH, edges repeated.
        norms: (n,) of `context_norms`.

    Returns:
        (n,), a cosine where q and the s are of length 1; 0 where the norm is below `SMALLEST_NORM`. Equal
        rows with equal norms give equal values, whatever stands beside them.

    Raises:
        ShapeError: the shapes are not as said.

    >>> context_similarity(np.full((1, len(KERNEL)), 0.5), np.ones(1, dtype=np.float32)).round(6).tolist()
    [0.5]
    """
    if similarity.shape != (len(norms), len(KERNEL)):
        raise ShapeError(
            f"expected similarities of shape {len(norms), len(KERNEL)}, found {similarity.shape}"
        )
    # Not a matrix product: its order of sums depends on the number of rows; equal sentences could differ.
    sums = (similarity * KERNEL).sum(axis=1)
    found: Float64Array = np.zeros(len(norms))
    np.divide(sums, norms, out=found, where=norms >= SMALLEST_NORM)
    return found
