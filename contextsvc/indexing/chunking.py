"""Semantic chunking: sentences and their vectors become chunk bounds, by dynamic programming.

The cohesion of a chunk is the sum over its sentence pairs of (cosine - mean cosine of near pairs in the
document). Pairs above the mean hold a chunk together, pairs below it split it, so no percentile has to be
chosen. The segmentation of greatest cohesion under a minimum and a maximum of tokens is a best path over
the gaps between sentences, found exactly. Rejected: greedy cuts where neighbouring similarity falls below a
percentile, because that looks at one gap at a time and bounds neither side.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Float64Array, Int64Array
from contextsvc.records.documents import Sentence

Bounds = tuple[int, int]
"""Number of the first sentence and one past the last."""

NEAR = 8
"""Greatest distance, in sentences, of the pairs whose mean similarity is taken."""


def chunk_bounds(
    sentences: Sequence[Sentence],
    vectors: Float32Array,
    min_tokens: int,
    max_tokens: int,
    count: Callable[[int, int], int] | None = None,
) -> list[Bounds]:
    """Segment a document into chunks, which are runs of sentences.

    Each section is segmented by itself; a section below the minimum is joined with the next one. A heading
    stays with the sentence after it. A chunk is below the minimum only if the maximum allows no other
    segmentation, or if the document itself is smaller.

    Args:
        sentences: In document order.
        vectors: (num_sentences, dim) unit rows.
        min_tokens: At least 1.
        max_tokens: At least `min_tokens`; no single sentence has more.
        count: Counts the tokens of the text from sentence i up to and without sentence j. Chunks are halved
            until it returns at most `max_tokens`. None: the sum of the sentences' tokens is taken instead.

    Returns:
        Bounds of the chunks, in order, that cover all sentences; [] for no sentences.

    Raises:
        ShapeError: numbers of sentences and vectors differ, or not 1 <= min_tokens <= max_tokens.
    """
    if len(sentences) != len(vectors):
        raise ShapeError(f"{len(sentences)} sentences but {len(vectors)} vectors")
    if not 1 <= min_tokens <= max_tokens:
        raise ShapeError(f"expected 1 <= min_tokens <= max_tokens, found {min_tokens}, {max_tokens}")
    if not sentences:
        return []
    mean = mean_near_similarity(vectors)
    atoms = _atoms(sentences, max_tokens)
    bounds: list[Bounds] = []
    starts = np.array([first for first, _ in atoms], dtype=np.int64)
    for first, end in _sections(sentences, atoms, min_tokens):
        inside = slice(*np.searchsorted(starts, [first, end]))
        edges = np.append(starts[inside], end)
        bounds.extend(_best_path(sentences, vectors, edges, mean, min_tokens, max_tokens))
    return _within_maximum(bounds, max_tokens, count) if count else bounds


def mean_near_similarity(vectors: Float32Array) -> float:
    """Mean cosine of the pairs at most `NEAR` sentences apart; 0 for fewer than two sentences."""
    total, pairs = 0.0, 0
    for distance in range(1, min(NEAR, len(vectors) - 1) + 1):
        total += float(np.einsum("ij,ij->", vectors[distance:], vectors[:-distance], dtype=np.float64))
        pairs += len(vectors) - distance
    return total / pairs if pairs else 0.0


def _atoms(sentences: Sequence[Sentence], max_tokens: int) -> list[Bounds]:
    """Runs that are never split: each heading with the sentence after it, where both fit a chunk."""
    atoms: list[Bounds] = []
    start, tokens = 0, 0
    for number, sentence in enumerate(sentences):
        tokens += sentence.num_tokens
        last = number + 1 == len(sentences)
        joins = sentence.starts_section and not last
        if joins and tokens + sentences[number + 1].num_tokens <= max_tokens:
            continue
        atoms.append((start, number + 1))
        start, tokens = number + 1, 0
    return atoms


def _sections(sentences: Sequence[Sentence], atoms: Sequence[Bounds], min_tokens: int) -> list[Bounds]:
    """Sections of at least `min_tokens`: a smaller one joins the next, the last one the previous."""
    sections: list[Bounds] = []
    tokens = [sentence.num_tokens for sentence in sentences]
    for first, end in atoms:
        opens = sentences[first].starts_section
        if not sections or (opens and sum(tokens[slice(*sections[-1])]) >= min_tokens):
            sections.append((first, end))
        else:
            sections[-1] = (sections[-1][0], end)
    if len(sections) > 1 and sum(tokens[slice(*sections[-1])]) < min_tokens:
        last = sections.pop()
        sections[-1] = (sections[-1][0], last[1])
    return sections


def _best_path(
    sentences: Sequence[Sentence],
    vectors: Float32Array,
    edges: Int64Array,
    mean: float,
    min_tokens: int,
    max_tokens: int,
) -> list[Bounds]:
    """Chunks of a section: first as few below the minimum as possible, then the greatest cohesion.

    Of equal segmentations the one with the longer last chunk is taken.
    """
    first, end = int(edges[0]), int(edges[-1])
    if len(edges) == 2:
        return [(first, end)]
    sums = np.zeros((end - first + 1, vectors.shape[1]))
    np.cumsum(vectors[first:end], axis=0, dtype=np.float64, out=sums[1:])
    tokens = np.concatenate([[0], np.cumsum([s.num_tokens for s in sentences[first:end]])])[edges - first]
    sums = sums[edges - first]
    num_gaps = len(edges)
    num_small = np.zeros(num_gaps, dtype=np.int64)
    cohesion = np.zeros(num_gaps)
    back = np.zeros(num_gaps, dtype=np.int64)
    lows = np.searchsorted(tokens, tokens - max_tokens, side="left").tolist()
    expected = _expected_sums(end - first, mean)
    for j in range(1, num_gaps):
        low = min(lows[j], j - 1)
        run = slice(low, j)
        below = num_small[run] + (tokens[j] - tokens[run] < min_tokens)
        value = cohesion[run] + _cohesion(sums[j] - sums[run], edges[j] - edges[run], expected)
        value[below > below.min()] = -np.inf
        best = int(np.argmax(value))
        num_small[j], cohesion[j], back[j] = below[best], value[best], low + best
    path = [num_gaps - 1]
    while path[-1] > 0:
        path.append(int(back[path[-1]]))
    marks = [int(edges[gap]) for gap in reversed(path)]
    return list(pairwise(marks))


def _expected_sums(most: int, mean: float) -> Float64Array:
    """Expected sum of the cosines of all pairs, for 0 to `most` sentences."""
    sizes = np.arange(most + 1)
    expected: Float64Array = mean * (sizes * (sizes - 1) / 2)
    return expected


def _cohesion(sums: Float64Array, sizes: Int64Array, expected: Float64Array) -> Float64Array:
    # |sum of unit vectors|^2 = size + 2 * (sum over pairs of their cosine)
    result: Float64Array = (np.einsum("ij,ij->i", sums, sums) - sizes) / 2 - expected[sizes]
    return result


def _within_maximum(
    bounds: Sequence[Bounds], max_tokens: int, count: Callable[[int, int], int]
) -> list[Bounds]:
    # The tokens of a run are not exactly the sum of its sentences' tokens, and the maximum is guaranteed.
    kept: list[Bounds] = []
    waiting = list(reversed(bounds))
    while waiting:
        first, end = waiting.pop()
        if end - first > 1 and count(first, end) > max_tokens:
            middle = (first + end) // 2
            waiting += [(middle, end), (first, middle)]
        else:
            kept.append((first, end))
    return kept


def pooled_vectors(vectors: Float32Array, bounds: Sequence[Bounds]) -> Float32Array:
    """Chunk vectors: the mean of the sentences' vectors of each chunk, scaled to unit length.

    Args:
        vectors: (num_sentences, dim) unit rows.
        bounds: Bounds of each chunk, none empty.

    Returns:
        (num_chunks, dim) float32; a mean of zero stays zero.
    """
    pooled = np.zeros((len(bounds), vectors.shape[1]))
    for row, (first, end) in enumerate(bounds):
        pooled[row] = vectors[first:end].mean(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
    np.divide(pooled, lengths, out=pooled, where=lengths > 0)
    return pooled.astype(np.float32)
