"""Sentences and their vectors -> chunk bounds, by dynamic programming.

A chunk's worth is how much more alike its sentences are than sentences of this document usually
are: the sum over its sentence pairs of (cosine - mean cosine of near pairs). Pairs above the mean
pull a chunk together, pairs below push it apart, so no percentile has to be chosen. The best
segmentation under a minimum and a maximum of tokens is a shortest path over the gaps between
sentences, found exactly. Rejected: cutting greedily where neighbouring similarity falls under a
percentile, which looks at one gap at a time and bounds neither side.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Float64Array, Int64Array
from contextsvc.records.documents import Sentence

Bounds = tuple[int, int]

NEAR = 8
"""How many sentences apart a pair may stand to count for the document's mean similarity."""


def chunk_bounds(
    sentences: Sequence[Sentence],
    vectors: Float32Array,
    min_tokens: int,
    max_tokens: int,
    count: Callable[[int, int], int] | None = None,
) -> list[Bounds]:
    """Segment a document into runs of sentences.

    Sections are segmented apart; sections below the minimum are joined with what follows. A
    heading stays with the sentence after it. Chunks below the minimum occur only where the
    maximum leaves no other way, or where the document itself is smaller.

    Args:
        sentences: In document order.
        vectors: (num_sentences, dim) unit rows.
        min_tokens: At least 1.
        max_tokens: At least `min_tokens`; every single sentence fits it.
        count: True tokens of the text from sentence i up to and without sentence j; chunks are
            halved until it says at most `max_tokens`. Without it the sentences' sums are trusted.

    Returns:
        (first, end) sentence numbers, in order, covering all; [] for no sentences.

    Raises:
        ShapeError: numbers of sentences and vectors differ, or the limits are not as said.
    """
    if len(sentences) != len(vectors):
        raise ShapeError(f"{len(sentences)} sentences but {len(vectors)} vectors")
    if not 1 <= min_tokens <= max_tokens:
        raise ShapeError(f"expected 1 <= min_tokens <= max_tokens, found {min_tokens}, {max_tokens}")
    if not sentences:
        return []
    usual = mean_near_similarity(vectors)
    atoms = _atoms(sentences, max_tokens)
    bounds: list[Bounds] = []
    starts = np.array([first for first, _ in atoms], dtype=np.int64)
    for first, end in _sections(sentences, atoms, min_tokens):
        inside = slice(*np.searchsorted(starts, [first, end]))
        edges = np.append(starts[inside], end)
        bounds.extend(_best_path(sentences, vectors, edges, usual, min_tokens, max_tokens))
    return _within_maximum(bounds, max_tokens, count) if count else bounds


def mean_near_similarity(vectors: Float32Array) -> float:
    """Mean cosine of the pairs at most `NEAR` sentences apart; 0 for fewer than two sentences."""
    total, pairs = 0.0, 0
    for distance in range(1, min(NEAR, len(vectors) - 1) + 1):
        total += float(np.einsum("ij,ij->", vectors[distance:], vectors[:-distance], dtype=np.float64))
        pairs += len(vectors) - distance
    return total / pairs if pairs else 0.0


def _atoms(sentences: Sequence[Sentence], max_tokens: int) -> list[Bounds]:
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
    usual: float,
    min_tokens: int,
    max_tokens: int,
) -> list[Bounds]:
    """Fewest chunks below the minimum first, then the greatest worth; ties to the longer last chunk."""
    first, end = int(edges[0]), int(edges[-1])
    if len(edges) == 2:
        return [(first, end)]
    sums = np.zeros((end - first + 1, vectors.shape[1]))
    np.cumsum(vectors[first:end], axis=0, dtype=np.float64, out=sums[1:])
    tokens = np.concatenate([[0], np.cumsum([s.num_tokens for s in sentences[first:end]])])[edges - first]
    sums = sums[edges - first]
    num_gaps = len(edges)
    small = np.zeros(num_gaps, dtype=np.int64)
    worth = np.zeros(num_gaps)
    back = np.zeros(num_gaps, dtype=np.int64)
    lows = np.searchsorted(tokens, tokens - max_tokens, side="left").tolist()
    expected = _expected(end - first, usual)
    for j in range(1, num_gaps):
        low = min(lows[j], j - 1)
        run = slice(low, j)
        below = small[run] + (tokens[j] - tokens[run] < min_tokens)
        value = worth[run] + _worth(sums[j] - sums[run], edges[j] - edges[run], expected)
        value[below > below.min()] = -np.inf
        best = int(np.argmax(value))
        small[j], worth[j], back[j] = below[best], value[best], low + best
    path = [num_gaps - 1]
    while path[-1] > 0:
        path.append(int(back[path[-1]]))
    marks = [int(edges[gap]) for gap in reversed(path)]
    return list(pairwise(marks))


def _expected(most: int, usual: float) -> Float64Array:
    """Of 0 to `most` sentences the sum that their pairs' cosines usually have."""
    sizes = np.arange(most + 1)
    expected: Float64Array = usual * (sizes * (sizes - 1) / 2)
    return expected


def _worth(sums: Float64Array, sizes: Int64Array, expected: Float64Array) -> Float64Array:
    # |sum of unit vectors|^2 = size + 2 * (sum over pairs of their cosine)
    result: Float64Array = (np.einsum("ij,ij->i", sums, sums) - sizes) / 2 - expected[sizes]
    return result


def _within_maximum(
    bounds: Sequence[Bounds], max_tokens: int, count: Callable[[int, int], int]
) -> list[Bounds]:
    # Tokens of a run are not exactly the sum of its sentences' tokens; the maximum is a promise.
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
    """A chunk's vector: the mean of its sentences' vectors, scaled to unit length.

    Args:
        vectors: (num_sentences, dim) unit rows.
        bounds: (first, end) of each chunk, none empty.

    Returns:
        (num_chunks, dim) float32; a mean of zero stays zero.
    """
    pooled = np.zeros((len(bounds), vectors.shape[1]))
    for row, (first, end) in enumerate(bounds):
        pooled[row] = vectors[first:end].mean(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
    np.divide(pooled, lengths, out=pooled, where=lengths > 0)
    return pooled.astype(np.float32)
