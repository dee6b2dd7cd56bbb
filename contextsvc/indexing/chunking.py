"""Semantic chunking: compute chunk bounds from sentences and their vectors, by dynamic programming.

The cohesion of a chunk is a sum over all pairs of its sentences. Each pair adds its cosine minus the mean
cosine of near pairs in the document. Pairs above the mean hold a chunk together, and pairs below the mean
split it. So no percentile has to be chosen.

The best segmentation has the greatest total cohesion under a minimum and a maximum number of tokens per
chunk. It is a best path over the gaps between sentences, and it is found exactly. Rejected: cutting greedily
where the similarity of neighbouring sentences falls below a percentile. A greedy cut looks at one gap at a
time, and it limits neither the smallest nor the largest chunk.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from contextsvc.errors import ShapeError
from contextsvc.records.arrays import Float32Array, Float64Array, Int64Array
from contextsvc.records.documents import Sentence

Bounds = tuple[int, int]
"""Number of a chunk's first sentence, and the number one past its last sentence."""

NEAR = 8
"""Greatest distance, in sentences, between the two sentences of a near pair."""


def chunk_bounds(
    sentences: Sequence[Sentence],
    vectors: Float32Array,
    min_tokens: int,
    max_tokens: int,
    count: Callable[[int, int], int] | None = None,
) -> list[Bounds]:
    """Segment a document into chunks, which are runs of sentences.

    Each section is segmented by itself. A section below the minimum is first joined with the next section. A
    heading stays in one chunk with the sentence after it, if both fit. A chunk is below the minimum only if
    the maximum allows no other segmentation, or if the document itself is smaller.

    Args:
        sentences: Sentences in document order.
        vectors: Vector of each sentence: (num_sentences, dim), unit rows.
        min_tokens: Smallest number of tokens in a chunk, at least 1.
        max_tokens: Largest number of tokens in a chunk, at least `min_tokens`. No sentence may have more.
        count: Function (i, j) that counts the tokens of the text of sentences i to j - 1. The text can have
            more tokens than the sum of its sentences. A chunk that then has more than `max_tokens` is halved
            until every part fits. If None, the sum is used.

    Returns:
        Bounds of the chunks, in order. They cover all sentences. The list is empty if there are no sentences.

    Raises:
        ShapeError: the numbers of sentences and vectors differ, or not 1 <= min_tokens <= max_tokens.
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
    """Compute the mean cosine of all pairs of sentences that are at most `NEAR` sentences apart.

    It is 0 for fewer than two sentences.
    """
    total, pairs = 0.0, 0
    for distance in range(1, min(NEAR, len(vectors) - 1) + 1):
        total += float(np.einsum("ij,ij->", vectors[distance:], vectors[:-distance], dtype=np.float64))
        pairs += len(vectors) - distance
    return total / pairs if pairs else 0.0


def _atoms(sentences: Sequence[Sentence], max_tokens: int) -> list[Bounds]:
    """Find the runs of sentences that are never split.

    A heading forms a run with the sentence after it, if both fit into a chunk. Any other sentence is a run
    alone.
    """
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
    """Find sections, and join small ones until each has at least `min_tokens`.

    A small section is joined with the next section. A small last section is joined with the previous one. A
    document below the minimum is one section.
    """
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
    """Find the best segmentation of a section into chunks.

    It has the smallest possible number of chunks below the minimum and, among such segmentations, the
    greatest cohesion. If several are equal, the one with the longer last chunk is taken.
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
    """Return the expected sum of the cosines of all pairs in a run, for runs of 0 to `most` sentences."""
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
    # The maximum is guaranteed, but the tokens of a run are not exactly the sum of its sentences' tokens.
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
    """Compute chunk vectors: the mean of the vectors of a chunk's sentences, scaled to unit length.

    Args:
        vectors: Vector of each sentence: (num_sentences, dim), unit rows.
        bounds: Bounds of each chunk. No chunk is empty.

    Returns:
        (num_chunks, dim) float32. A mean of zero stays zero.
    """
    pooled = np.zeros((len(bounds), vectors.shape[1]))
    for row, (first, end) in enumerate(bounds):
        pooled[row] = vectors[first:end].mean(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
    np.divide(pooled, lengths, out=pooled, where=lengths > 0)
    return pooled.astype(np.float32)
